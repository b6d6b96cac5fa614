"""Decorated generators and coroutines, against themselves undecorated."""

import asyncio
import contextlib
import contextvars
import gc
import itertools
import sys
import types
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

import capsula
from tests.calls import capsules, run, statuses, values


def counting() -> Generator[object, object, str]:
    got: object = None
    for number in range(2):
        got = yield (number, got)
    return f"over: {got}"


def catching() -> Generator[object, object, str]:
    try:
        yield "first"
    except ValueError as error:
        got = yield ("caught", str(error), sys.exc_info()[0])
        return f"after {got}"
    return "uncaught"


def insisting() -> Generator[object, object, None]:
    for number in range(3):
        try:
            yield number
        except GeneratorExit:
            yield "I stay"


def closing() -> Generator[object, object, str]:
    try:
        yield 1
        yield 2
    except GeneratorExit:
        return "closed in order"
    return "over"


def failing() -> Generator[object, object, None]:
    try:
        yield 1
    finally:
        raise KeyError("in finally")


def replacing() -> Generator[object, object, None]:
    try:
        yield 1
    except BaseException as error:
        raise OSError("instead") from error


def stopping() -> Generator[object, object, None]:
    yield 1
    raise StopIteration(2)  # noqa: PLR1708  # that is the point


def delegating() -> Generator[object, object, str]:
    return "and " + (yield from counting())


GENERATORS = [counting, catching, insisting, closing, failing, replacing, stopping, delegating]
STEPS: dict[str, Callable[[Any], object]] = {
    "next": next,
    "send": lambda generator: generator.send("sent"),
    "throw": lambda generator: generator.throw(ValueError("thrown")),
    "stop": lambda generator: generator.throw(StopIteration("thrown")),
    "exit": lambda generator: generator.throw(GeneratorExit()),
    "close": lambda generator: generator.close(),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of those that will not be closed
@pytest.mark.parametrize("bare", GENERATORS)
def test_a_generator_answers_to_every_step_as_it_does_undecorated(root: Path, bare: Callable[[], Any]) -> None:
    decorated = capsula.monitor(root)(bare)

    for steps in itertools.product(STEPS, repeat=3):
        assert _transcript(decorated(), steps) == _transcript(bare(), steps), steps


def _transcript(generator: Any, steps: tuple[str, ...]) -> list[object]:
    return [_told(STEPS[step], generator) for step in steps]


def _told(step: Callable[[Any], object], generator: Any) -> object:
    try:
        return step(generator)
    except BaseException as error:
        return (type(error), error.args, type(error.__cause__), type(error.__context__))


def test_a_generator_returns_its_value_to_who_delegates_to_it(root: Path) -> None:
    decorated = capsula.monitor(root, include_return_value=True)(counting)

    def outer() -> Generator[object, object, str]:
        return (yield from decorated())

    seen = []
    try:
        steps = outer()
        seen += [next(steps), steps.send("a"), steps.send("b")]
    except StopIteration as stop:
        seen.append(stop.value)

    assert seen == ["over: b"]
    assert values(root) == ["over: b"]


def test_a_generator_that_never_starts_leaves_nothing(root: Path) -> None:
    capsula.monitor(root)(counting)().close()

    assert not (root / "vault").exists()


def test_a_generator_that_is_forgotten_is_closed_and_recorded(root: Path) -> None:
    closed = []

    @capsula.monitor(root)
    def generator() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    next(generator())

    assert closed == [True]
    assert statuses(root) == ["finished"]


class Thing:
    pass


def test_a_generator_holds_on_to_nothing_that_goes_through_it(root: Path) -> None:
    @capsula.monitor(root)
    def generator() -> Generator[object, object, None]:
        while True:
            with contextlib.suppress(ValueError):
                yield Thing()

    gc.disable()
    try:
        steps = generator()
        given = weakref.ref(next(steps))
        alive = [given() is not None]
        sent = Thing()
        steps.send(sent)
        there = weakref.ref(sent)
        del sent
        alive.append(there() is not None)
        thrown = ValueError()
        thrown.thing = Thing()  # type: ignore[attr-defined]  # exceptions take any
        steps.throw(thrown)
        gone = weakref.ref(thrown.thing)  # type: ignore[attr-defined]  # as above
        del thrown
        alive.append(gone() is not None)
        steps.close()
    finally:
        gc.enable()

    assert alive == [False, False, False]


async def counting_later() -> AsyncGenerator[object, object]:
    got: object = None
    for number in range(2):
        await asyncio.sleep(0)
        got = yield (number, got)


async def catching_later() -> AsyncGenerator[object, object]:
    try:
        yield "first"
    except ValueError as error:
        await asyncio.sleep(0)
        yield ("caught", str(error))
    except GeneratorExit:
        await asyncio.sleep(0)


async def insisting_later() -> AsyncGenerator[object, object]:
    for number in range(3):
        try:
            yield number
        except GeneratorExit:
            yield "I stay"


async def failing_later() -> AsyncGenerator[object, object]:
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
        raise KeyError("in finally")


STEPS_LATER: dict[str, Callable[[Any], Any]] = {
    "next": anext,
    "send": lambda generator: generator.asend("sent"),
    "throw": lambda generator: generator.athrow(ValueError("thrown")),
    "exit": lambda generator: generator.athrow(GeneratorExit()),
    "close": lambda generator: generator.aclose(),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of those that will not be closed
@pytest.mark.parametrize("bare", [counting_later, catching_later, insisting_later, failing_later])
def test_an_async_generator_answers_to_every_step_as_it_does_undecorated(root: Path, bare: Callable[[], Any]) -> None:
    decorated = capsula.monitor(root)(bare)

    async def transcript(generator: Any, steps: tuple[str, ...]) -> list[object]:
        return [await _told_later(STEPS_LATER[step], generator) for step in steps]

    async def main() -> None:
        for steps in itertools.product(STEPS_LATER, repeat=3):
            assert await transcript(decorated(), steps) == await transcript(bare(), steps), steps

    asyncio.run(main())


async def _told_later(step: Callable[[Any], Any], generator: Any) -> object:
    try:
        return await step(generator)
    except BaseException as error:
        return (type(error), error.args, type(error.__cause__))


def test_an_async_generator_left_open_is_closed_by_the_event_loop_as_undecorated(root: Path) -> None:
    source = """
import asyncio, capsula, sys
@capsula.monitor
async def numbers():
    try:
        for number in range(10):
            yield number
    finally:
        await asyncio.sleep(0.01)
        print("closed")
kept = []
async def main():
    for each in range(20):
        generator = numbers()
        kept.append(generator)
        await anext(generator)
asyncio.run(main())
"""

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n" * 20, "")
    assert statuses(root) == ["finished"] * 20


def test_a_coroutine_that_is_closed_elsewhere_is_closed_in_silence(root: Path) -> None:
    closed = []

    @capsula.monitor(root)
    async def call() -> None:
        try:
            await _forever()
        finally:
            closed.append(capsula.get_capsule_dir())

    coroutine = call()
    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()

    assert closed == capsules(root)
    assert statuses(root) == ["finished"]


@types.coroutine
def _forever() -> Generator[None, None, None]:
    while True:
        yield


def test_an_exception_that_was_handled_around_one_step_is_none_of_the_next(root: Path) -> None:
    @capsula.monitor(root)
    def steps() -> Generator[BaseException | None, None, None]:
        yield sys.exception()
        yield sys.exception()

    def caller() -> Generator[object, None, None]:
        yield next(decorated)
        yield sys.exception()

    decorated, error = steps(), KeyError()
    around = caller()
    try:
        raise error
    except KeyError:
        first = next(around)

    assert [first, next(around), next(decorated)] == [error, None, None]
