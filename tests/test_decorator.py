"""The decorator: a capsule for every call, and a function that behaves as if nobody watched."""

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import itertools
import json
import os
import pickle
import subprocess
import sys
import threading
import traceback
import types
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import capsula
from capsula.core.fault import Fault

LEAN = """
[capture]
include-cpu = false
include-python-packages = false
[capture.git.repositories]
"""

Record = dict[str, Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return configured(tmp_path / "project")


def configured(root: Path, more: str = "") -> Path:
    root.mkdir(exist_ok=True)
    (root / "capsula.toml").write_text(LEAN + more)
    return root


def capsules(root: Path) -> list[Path]:
    """Return the capsules of a vault, in the order of their making."""
    found = [path for path in (root / "vault").iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: json.loads((path / "pre-run-info.json").read_text())["timestamp"])


def befores(root: Path) -> list[Record]:
    return [json.loads((path / "pre-run-info.json").read_text()) for path in capsules(root)]


def afters(root: Path) -> list[Record]:
    return [json.loads((path / "post-run-info.json").read_text()) for path in capsules(root)]


def after(root: Path) -> Record:
    (only,) = afters(root)
    return only


def values(root: Path) -> list[object]:
    return [record["return_value"] for record in afters(root)]


def statuses(root: Path) -> list[str]:
    return [record["capsula"]["status"] for record in afters(root)]


def run(root: Path, source: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a program that stands in a project, to its end."""
    (root / "program.py").write_text(source)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CAPSULA_")}
    return subprocess.run(
        [sys.executable, *options, "program.py"],
        cwd=root,
        env=environ | more.pop("environ", {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


# What is recorded.


def test_a_call_is_recorded_with_all_that_is_known_of_it(root: Path) -> None:
    @capsula.monitor(root, include_return_value=True, strict=True)
    def area(width: int, *, height: float = 1.0) -> float:
        return width * height

    answer = area(2, height=1.5)

    (before,) = befores(root)
    (directory,) = capsules(root)
    assert answer == 3.0
    code = inspect.unwrap(area).__code__
    assert before.pop("command")["argv"] == sys.orig_argv
    assert {key: value for key, value in before.items() if key not in ("timestamp", "capsula")} == {
        "root_directory": str(root),
        "cwd": str(Path.cwd()),
        "source_file": __file__,
        "source_line": code.co_firstlineno,
        "function_name": "area",
        "qualified_name": f"{__name__}.{area.__qualname__}",
        "args": [2],
        "kwargs": {"height": 1.5},
    }
    ended = after(root)
    assert {key: value for key, value in ended.items() if key not in ("timestamp", "run_time", "capsula")} == {
        "root_directory": str(root),
        "files": {},
        "return_value": 3.0,
        "exception_info": None,
        "records": {},
    }
    assert ended["capsula"]["id"] == before["capsula"]["id"]
    assert (before["capsula"]["status"], ended["capsula"]["status"]) == ("running", "finished")
    assert (directory / "context.json").is_file()


def test_a_bare_decorator_finds_the_configuration_above_the_source(root: Path, tmp_path: Path) -> None:
    source = "import capsula\n@capsula.monitor\ndef call(): ...\n"
    (root / "below").mkdir()
    (root / "below" / "module.py").write_text(source)

    done = run(
        root,
        "import sys; sys.path.insert(0, 'below')\nimport os, module\nos.chdir('/')\nmodule.call()\n",
        "-W",
        "error",
    )

    assert (done.returncode, done.stderr) == (0, "")
    (before,) = befores(root)
    assert (before["source_file"], before["source_line"], before["cwd"]) == (f"{root}/below/module.py", 2, "/")


def test_a_relative_directory_is_seen_from_where_the_function_was_decorated(root: Path) -> None:
    source = "import os, capsula\n@capsula.monitor('.')\ndef call(): ...\nos.chdir('/')\ncall()\n"

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(capsules(root)) == 1


def test_without_leave_a_returned_value_is_nowhere_on_the_disk(root: Path) -> None:
    secret = "a value that only the caller may see"

    @capsula.monitor(root)
    def call(*, fail: bool) -> str:
        inner = "".join(["a value that ", "only the caller may see"])
        if fail:
            raise ValueError(len(inner))
        return inner

    assert call(fail=False) == secret
    with pytest.raises(ValueError, match="36"):
        call(fail=True)

    ended = afters(root)
    kept = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert ["return_value" in record for record in ended] == [False, False]


def test_arguments_are_recorded_as_they_were_at_the_call(root: Path) -> None:
    @capsula.monitor(root)
    def call(numbers: list[int], table: dict[str, int]) -> None:
        numbers.clear()
        table["x"] = 2

    call([1, 2], table={"x": 1})

    (before,) = befores(root)
    assert (before["args"], before["kwargs"]) == ([[1, 2]], {"table": {"x": 1}})


class Grumpy:
    def __repr__(self) -> str:
        raise RuntimeError("not today")


def test_values_that_are_no_json_are_told_by_type_and_repr(root: Path) -> None:
    numpy = pytest.importorskip("numpy")

    @capsula.monitor(root, include_return_value=True, strict=True)
    def call(*given: object) -> object:
        return given[0]

    with open(__file__) as stream:
        array = numpy.zeros(1_000_000)
        answer = call(array, stream, Grumpy(), list(range(100_000)), float("nan"), "\ud800")

    (before,) = befores(root)
    assert answer is array
    assert [value["type"] for value in before["args"][:4]] == [
        "numpy.ndarray",
        "_io.TextIOWrapper",
        f"{__name__}.Grumpy",
        "list",
    ]
    assert before["args"][4:] == [{"type": "float", "repr": "nan"}, "\\xed\\xa0\\x80"]
    assert [fault["path"] for fault in before["capsula"]["faults"]] == [["args", "2", "repr"], ["args", "3", "whole"]]
    assert values(root) == [{"type": "numpy.ndarray", "repr": repr(array)}]
    assert all(len(path.read_bytes()) < 50_000 for path in capsules(root)[0].glob("*.json"))


def test_the_files_of_the_items_are_kept_after_each_call(root: Path) -> None:
    configured(root, '[monitor.item.plot.files]\n"plot.png" = { hash = "sha256", move = true }\n')

    @capsula.monitor(root, items=["plot"], strict=True)
    def plot(content: bytes) -> None:
        (root / "plot.png").write_bytes(content)

    plot(b"first")
    plot(b"second")

    assert [(path / "plot.png").read_bytes() for path in capsules(root)] == [b"first", b"second"]
    assert not (root / "plot.png").exists()


# A capsule for every call.


def test_every_call_of_a_loop_has_a_capsule(root: Path) -> None:
    call = capsula.monitor(root, include_return_value=True)(lambda number: number)

    for number in range(30):
        call(number)

    assert values(root) == list(range(30))


def test_every_level_of_a_recursion_has_a_capsule_inside_of_the_one_above(root: Path) -> None:
    @capsula.monitor(root, include_return_value=True)
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    answer = factorial(4)

    headers = [record["capsula"] for record in befores(root)]
    assert answer == 24
    assert values(root) == [24, 6, 2, 1, 1]
    assert [header.get("parent") for header in headers] == [None, *(header["id"] for header in headers[:-1])]


def test_calls_in_threads_are_of_their_own(root: Path) -> None:
    ready = threading.Barrier(4)

    @capsula.monitor(root, include_return_value=True)
    def call(number: int) -> int:
        ready.wait()
        capsula.record("number", number)
        ready.wait()
        return number

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(call, range(4)))

    assert answers == [0, 1, 2, 3]
    assert sorted((record["return_value"], record["records"]["number"]) for record in afters(root)) == [
        (number, number) for number in range(4)
    ]
    assert [record["capsula"].get("parent") for record in befores(root)] == [None] * 4


def test_calls_in_tasks_are_of_their_own(root: Path) -> None:
    @capsula.monitor(root, include_return_value=True)
    async def call(number: int) -> int:
        await asyncio.sleep(0)
        capsula.record("number", number)
        await asyncio.to_thread(capsula.record, "twice", 2 * number)
        return number

    async def main() -> list[int]:
        return await asyncio.gather(*map(call, range(4)))

    answers = asyncio.run(main())

    assert answers == [0, 1, 2, 3]
    assert sorted((record["return_value"], *record["records"].values()) for record in afters(root)) == [
        (number, number, 2 * number) for number in range(4)
    ]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_calls_in_a_pool_of_processes_have_a_capsule_each(root: Path, method: str) -> None:
    source = """
import multiprocessing, capsula
@capsula.monitor(include_return_value=True)
def square(number):
    return number * number
if __name__ == "__main__":
    with multiprocessing.get_context(METHOD).Pool(2) as pool:
        print(pool.map(square, range(6)))
""".replace("METHOD", repr(method))

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 4, 9, 16, 25]\n", "")
    assert sorted(map(int, map(str, values(root)))) == [0, 1, 4, 9, 16, 25]


# A function as it was.


def plain(number: int, *, more: str = "") -> int:
    """Say something."""
    return number


async def asynchronous(number: int) -> int:
    return number


def generating(number: int) -> Generator[int, int, str]:
    yield number
    return "over"


async def asynchronously_generating(number: int) -> AsyncGenerator[int, int]:
    yield number


@pytest.mark.parametrize("bare", [plain, asynchronous, generating, asynchronously_generating])
def test_a_function_looks_as_it_does_undecorated(root: Path, bare: Callable[..., object]) -> None:
    decorated = capsula.monitor(root)(bare)

    kinds = (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
        asyncio.iscoroutinefunction if sys.version_info < (3, 14) else inspect.iscoroutinefunction,
        inspect.signature,
        inspect.getsource,
        inspect.getdoc,
        lambda function: function.__module__,
        lambda function: function.__name__,
        lambda function: function.__qualname__,
        lambda function: function.__annotations__,
    )
    assert [kind(decorated) for kind in kinds] == [kind(bare) for kind in kinds]
    assert inspect.unwrap(decorated) is bare


class Model:
    def __init__(self, name: str) -> None:
        self.name = name

    def method(self, number: int) -> tuple[str, int]:
        return self.name, number

    def __call__(self, number: int) -> int:
        return number


def test_methods_of_every_kind_can_be_decorated_from_above_and_below(root: Path) -> None:
    watch = capsula.monitor(root, include_return_value=True, strict=True)

    class Watched:
        @watch
        def method(self, number: int) -> int:
            return number

        @watch
        @classmethod
        def class_above(cls, number: int) -> tuple[str, int]:
            return cls.__name__, number

        @classmethod
        @watch
        def class_below(cls, number: int) -> tuple[str, int]:
            return cls.__name__, number

        @watch
        @staticmethod
        def static_above(number: int) -> int:
            return number

        @staticmethod
        @watch
        def static_below(number: int) -> int:
            return number

        @property
        @watch
        def shown(self) -> int:
            return 9

        @watch
        def __call__(self, number: int) -> int:
            return number

    one = Watched()
    answers = [
        one.method(1),
        one.class_above(2),
        Watched.class_above(3),
        one.class_below(4),
        Watched.class_below(5),
        one.static_above(6),
        Watched.static_above(7),
        one.static_below(8),
        one.shown,
        one(10),
    ]

    assert answers == [1, ("Watched", 2), ("Watched", 3), ("Watched", 4), ("Watched", 5), 6, 7, 8, 9, 10]
    assert values(root) == [list(value) if isinstance(value, tuple) else value for value in answers]
    assert [record["function_name"] for record in befores(root)] == [
        "method",
        *2 * ["class_above"],
        *2 * ["class_below"],
        *2 * ["static_above"],
        "static_below",
        "shown",
        "__call__",
    ]


def test_partial_functions_and_callable_objects_are_known_by_what_they_call(root: Path) -> None:
    watch = capsula.monitor(root, include_return_value=True, strict=True)

    answers = [
        watch(functools.partial(plain, more="x"))(1),
        watch(Model("m"))(2),
        watch(Model("m").method)(3),
        watch(lambda: 4)(),
        watch(len)([1, 2, 3, 4, 5]),
    ]

    assert answers == [1, 2, ("m", 3), 4, 5]
    line = {
        each.__name__: inspect.unwrap(each).__code__.co_firstlineno for each in (plain, Model.method, Model.__call__)
    }
    assert [(r["qualified_name"], r["source_line"]) for r in befores(root)][:3] == [
        (f"{__name__}.plain", line["plain"]),
        (f"{__name__}.Model", line["__call__"]),
        (f"{__name__}.Model.method", line["method"]),
    ]
    assert [(r["function_name"], r["source_file"]) for r in befores(root)][3:] == [
        ("<lambda>", __file__),
        ("len", None),
    ]


def test_what_is_not_callable_is_refused_where_it_is_decorated(root: Path) -> None:
    with pytest.raises(TypeError, match="not property objects"):
        capsula.monitor(root)(property(plain))  # type: ignore[arg-type]  # that is the point


def test_a_function_for_await_in_the_old_way_can_still_be_awaited(root: Path) -> None:
    @types.coroutine
    def bare() -> Generator[None, None, int]:
        yield
        return 1

    decorated = capsula.monitor(root, include_return_value=True)(bare)

    async def main() -> int:
        return await decorated()

    assert asyncio.run(main()) == 1
    assert values(root) == [1]


@capsula.monitor(Path(os.devnull))
def importable(number: int) -> int:
    return number


def test_a_decorated_function_can_be_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(importable)) is importable


def test_a_decorated_function_runs_in_a_process_pool(root: Path) -> None:
    source = """
import capsula
from concurrent.futures import ProcessPoolExecutor
@capsula.monitor(include_return_value=True)
def square(number):
    return number * number
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(4))))
"""

    done = run(root, source)

    assert (done.stdout, done.stderr) == ("[0, 1, 4, 9]\n", "")
    assert sorted(map(str, values(root))) == ["0", "1", "4", "9"]


# What is raised.


class UntellableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class ImmutableError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


RAISED = [
    (ValueError("wrong"), "ValueError", "wrong", "failed"),
    (KeyboardInterrupt(), "KeyboardInterrupt", "", "interrupted"),
    (SystemExit(3), "SystemExit", "3", "failed"),
    (SystemExit(0), "SystemExit", "0", "finished"),
    (GeneratorExit(), "GeneratorExit", "", "finished"),
    (StopIteration(1), "StopIteration", "1", "failed"),
    (ImmutableError("fixed"), "ImmutableError", "fixed", "failed"),
    (UntellableError(), "UntellableError", "<exception str() failed>", "failed"),
    (ExceptionGroup("several", [ValueError(1)]), "ExceptionGroup", "several (1 sub-exception)", "failed"),
]


@pytest.mark.parametrize(("error", "name", "message", "status"), RAISED, ids=[case[1] + case[2] for case in RAISED])
def test_an_exception_passes_unchanged_and_is_recorded(
    root: Path, error: BaseException, name: str, message: str, status: str
) -> None:
    @capsula.monitor(root, include_return_value=True)
    def fail() -> None:
        raise error

    with pytest.raises(BaseException) as raised:  # noqa: PT011  # any
        fail()

    ended = after(root)
    details = ended["exception_info"].pop("error_details")
    assert raised.value is error
    assert traceback.extract_tb(raised.value.__traceback__)[-1].name == "fail"
    assert ended["exception_info"] == {"error_type": name, "error_message": message}
    assert (ended["return_value"], ended["capsula"]["status"]) == (None, status)
    assert "raise error" in details
    assert str(Path(capsula.__file__).parent) not in details


def test_an_exception_of_an_awaited_or_generating_function_passes_unchanged(root: Path) -> None:
    error = ValueError("wrong")

    @capsula.monitor(root)
    async def coroutine() -> None:
        await asyncio.sleep(0)
        raise error

    @capsula.monitor(root)
    def generator() -> Iterator[int]:
        yield 1
        raise error

    for call in (lambda: asyncio.run(coroutine()), lambda: list(generator())):
        error.__traceback__ = None
        with pytest.raises(ValueError, match="wrong") as raised:
            call()
        assert raised.value is error
        assert traceback.extract_tb(raised.value.__traceback__)[-1].line == "raise error"

    details = [record["exception_info"]["error_details"] for record in afters(root)]
    assert [str(Path(capsula.__file__).parent) in text for text in details] == [False, False]


def test_wrong_arguments_are_the_callers_mistake_and_recorded_as_that(root: Path) -> None:
    decorated = capsula.monitor(root)(plain)

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'number'"):
        decorated()  # type: ignore[call-arg]  # that is the point

    assert after(root)["exception_info"]["error_type"] == "TypeError"


# Generators, against themselves undecorated.


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


def test_a_cancelled_task_is_cancelled(root: Path) -> None:
    @capsula.monitor(root)
    async def call() -> None:
        await asyncio.Event().wait()

    async def main() -> bool:
        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
    assert after(root)["exception_info"]["error_type"] == "CancelledError"


# Which capsule is open.


def test_the_innermost_call_is_the_one_that_is_open(root: Path) -> None:
    seen = []

    @capsula.monitor(root)
    def inner() -> None:
        seen.append(capsula.get_capsule_name())
        capsula.record("who", "inner")

    @capsula.monitor(root)
    def outer() -> None:
        seen.append(capsula.get_capsule_name())
        inner()
        seen.append(capsula.get_capsule_name())
        capsula.record("who", "outer")

    outer()

    first, second = (path.name for path in capsules(root))
    assert seen == [first, second, first]
    assert [record["records"] for record in afters(root)] == [{"who": "outer"}, {"who": "inner"}]
    with pytest.raises(capsula.CapsulaError, match="no capsule is open here"):
        capsula.get_capsule_dir()


def test_between_the_steps_of_a_generator_its_caller_is_who_is_open(root: Path) -> None:
    @capsula.monitor(root)
    def generator() -> Generator[Path, None, None]:
        yield capsula.get_capsule_dir()
        yield capsula.get_capsule_dir()

    @capsula.monitor(root)
    def caller() -> list[Path]:
        seen = []
        for inside in generator():
            seen += [inside, capsula.get_capsule_dir()]
        return seen

    seen = caller()
    steps = generator()
    next(steps)

    with pytest.raises(capsula.CapsulaError, match="no capsule is open here"):
        capsula.get_capsule_dir()
    steps.close()
    outer, inner, _ = capsules(root)
    assert seen == [inner, outer] * 2


def test_a_thread_belongs_to_the_call_that_started_it(root: Path) -> None:
    opened, ended = threading.Event(), threading.Event()

    @capsula.monitor(root)
    def inner() -> None:
        opened.set()
        ended.wait(30)
        _in_a_thread(lambda: capsula.record("who", "inner"))

    @capsula.monitor(root)
    def outer() -> None:
        def watch() -> None:
            opened.wait(30)
            capsula.record("who", "outer")
            ended.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        inner()
        watcher.join()

    outer()

    assert [record["records"] for record in afters(root)] == [{"who": "outer"}, {"who": "inner"}]


def test_a_call_in_a_thread_is_inside_of_no_call_that_happens_to_run(root: Path) -> None:
    opened, ended = threading.Event(), threading.Event()

    @capsula.monitor(root)
    def long() -> None:
        opened.set()
        ended.wait(30)

    @capsula.monitor(root)
    def short() -> None: ...

    thread = threading.Thread(target=long)
    thread.start()
    opened.wait(30)
    _in_a_thread(short)
    ended.set()
    thread.join()

    assert [record["capsula"].get("parent") for record in befores(root)] == [None, None]


def test_a_thread_that_is_started_between_the_steps_of_a_generator_is_its_callers(root: Path) -> None:
    @capsula.monitor(root)
    def generator() -> Iterator[None]:
        yield

    @capsula.monitor(root)
    def caller() -> None:
        for _ in generator():
            _in_a_thread(lambda: capsula.record("who", "caller"))

    caller()

    assert [record["records"] for record in afters(root)] == [{"who": "caller"}, {}]


def test_a_thread_that_was_there_before_belongs_to_no_call(root: Path) -> None:
    asked, answered = threading.Event(), threading.Event()
    seen: list[str] = []

    def bystander() -> None:
        asked.wait(30)
        try:
            seen.append(str(capsula.get_capsule_dir()))
        except capsula.CapsulaError as error:
            seen.append(error.faults[0].kind)
        answered.set()

    thread = threading.Thread(target=bystander)
    thread.start()

    @capsula.monitor(root)
    def call() -> None:
        asked.set()
        answered.wait(30)

    call()
    thread.join()

    assert seen == ["no capsule"]


def test_where_it_is_doubtful_which_call_a_thread_belongs_to_it_is_told(root: Path) -> None:
    together = threading.Barrier(2)
    told: list[type[Warning]] = []

    @capsula.monitor(root)
    def call(*, asks: bool) -> None:
        together.wait(30)
        if asks:
            with pytest.warns(capsula.CapsulaWarning, match="any of several monitored calls") as warned:
                _in_a_thread(lambda: capsula.record("who", "?"))
            told.extend(each.category for each in warned)
        together.wait(30)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda asks: call(asks=asks), [True, False]))

    assert told == [capsula.CapsulaWarning]
    assert [record["records"] for record in afters(root)] == [{}, {}]


def _in_a_thread(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_forked_child_records_and_only_the_parent_closes(root: Path) -> None:
    source = """
import os, capsula
@capsula.monitor(include_return_value=True)
def call():
    child = os.fork()
    capsula.record("child" if child == 0 else "parent", capsula.get_capsule_name())
    if child:
        os.waitpid(child, 0)
        capsula.record("closed", (capsula.get_capsule_dir() / "post-run-info.json").exists())
    return "child" if child == 0 else "parent"
print(call())
"""

    done = run(root, source)

    (directory,) = capsules(root)
    assert (done.stdout, done.stderr) == ("child\nparent\n", "")
    assert after(root)["records"] == {"child": directory.name, "parent": directory.name, "closed": False}
    assert values(root) == ["parent"]


def test_records_reach_the_capsule_of_a_monitored_command(root: Path) -> None:
    (root / "script.py").write_text(
        """
import capsula
capsula.record("who", capsula.get_capsule_name())
@capsula.monitor
def call():
    capsula.record("who", capsula.get_capsule_name())
call()
"""
    )
    command = [sys.executable, "-m", "capsula", "monitor", sys.executable, "script.py"]

    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    command_capsule, call_capsule = capsules(root)
    assert (done.returncode, done.stdout) == (0, "")
    assert [record["records"] for record in afters(root)] == [
        {"who": command_capsule.name},
        {"who": call_capsule.name},
    ]
    outer, inner = befores(root)
    assert inner["capsula"]["parent"] == outer["capsula"]["id"]


def test_without_a_capsule_recording_does_nothing(root: Path) -> None:
    done = run(root, "import capsula\ncapsula.record('x', 1)\n", "-W", "error")

    assert (done.returncode, done.stderr) == (0, "")
    assert not (root / "vault").exists()


# Trouble.


def _called_in_spite_of(root: Path, **wishes: Any) -> list[str]:
    """Call a function where there is trouble, and return what is warned of, having seen that it was at this line."""

    @capsula.monitor(root, include_return_value=True, **wishes)
    def call() -> str:
        return "as ever"

    with pytest.warns(capsula.CapsulaWarning) as warned:
        answer, line = call(), _line()

    assert answer == "as ever"
    assert [(each.filename, each.lineno) for each in warned] == [(__file__, line)] * len(warned)
    return [str(each.message) for each in warned]


def _line() -> int:
    frame = sys._getframe(1)
    return frame.f_lineno


def _refused(root: Path, **wishes: Any) -> tuple[Fault, ...]:
    called = []
    with pytest.raises(capsula.CapsulaError) as raised:
        capsula.monitor(root, strict=True, **wishes)(lambda: called.append(True))()
    assert called == []
    return raised.value.faults


TROUBLE = {
    "a broken configuration": ("this is = = no toml", (), "line 1, column 6"),
    "an unknown item": (LEAN, ("unknown",), "unknown"),
    "a file for a vault": (f'vault-directory = "capsula.toml"\n{LEAN}', (), "capsula.toml"),
    "a variable that is not set": (
        LEAN.replace("[capture]", '[capture]\nenvironment-variables = ["UNSET"]'),
        (),
        "UNSET",
    ),
    "a file that cannot be kept": (f'{LEAN}[capture.files]\n"gone.txt" = {{ copy = true }}', (), "gone.txt"),
    "a command that fails": (LEAN.replace("[capture]", '[capture]\npre-capture-commands = ["false"]'), (), "false"),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_is_one_warning_at_the_call_and_under_strictness_no_call(root: Path, trouble: str) -> None:
    configuration, items, told = TROUBLE[trouble]
    (root / "capsula.toml").write_text(configuration)

    warnings = _called_in_spite_of(root, items=items)
    faults = _refused(root, items=items)

    assert len(warnings) == 1
    assert told in warnings[0]
    assert told in str(faults[0])


def test_a_refused_call_says_so_in_its_capsule(root: Path) -> None:
    configured(root, '[capture.files]\n"big.bin" = { copy = true }\n')
    (root / "big.bin").symlink_to("/proc/self/mem")  # it is a regular file, and cannot be read

    (fault,) = _refused(root)

    assert fault.path == ("files", "big.bin")
    assert statuses(root) == ["refused"]


def test_the_configuration_of_someone_else_is_trouble(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs: root")
    os.chown(root / "capsula.toml", 12345, 12345)

    (warning,) = _called_in_spite_of(root)

    assert "belongs to another user" in warning


def test_a_mended_configuration_is_found_by_the_next_call(root: Path) -> None:
    (root / "capsula.toml").write_text("broken")
    call = capsula.monitor(root, include_return_value=True)(lambda: 1)

    with pytest.warns(capsula.CapsulaWarning):
        call()
    configured(root)
    call()

    assert values(root) == [1]


def test_a_vault_that_vanishes_during_the_call_is_one_warning_and_stays_away(root: Path) -> None:
    import shutil

    @capsula.monitor(root)
    def call() -> str:
        shutil.rmtree(root / "vault")
        with pytest.warns(capsula.CapsulaWarning, match="x could not be recorded: .* is gone"):
            capsula.record("x", 1)
        return "as ever"

    with pytest.warns(capsula.CapsulaWarning, match="the end of the run could not be recorded") as warned:
        answer = call()

    assert (answer, len(warned)) == ("as ever", 1)
    assert not (root / "vault").exists()


def test_a_full_disk_is_one_warning(root: Path) -> None:
    source = """
import resource, capsula
@capsula.monitor
def call():
    return "as ever"
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
print(call())
"""

    done = run(root, source)

    assert (done.returncode, done.stdout) == (0, "as ever\n")
    assert done.stderr.count("CapsulaWarning") == 1


@pytest.mark.parametrize(
    "more", ["", "sys.stderr.close()", "sys.stderr = None", "warnings.showwarning = lambda *_, **__: 1 / 0"]
)
def test_a_warning_never_stands_in_place_of_what_the_function_returns(root: Path, more: str) -> None:
    (root / "capsula.toml").write_text("broken")
    source = f"import sys, warnings, capsula\n{more}\nprint(capsula.monitor(lambda: 'as ever')())\n"

    for options in ((), ("-W", "error")):
        done = run(root, source, *options)

        assert (done.returncode, done.stdout) == (0, "as ever\n")


def test_a_broken_configuration_is_silent_until_the_call(root: Path) -> None:
    (root / "capsula.toml").write_text("broken")

    done = run(root, "import capsula\n@capsula.monitor(items=['?'])\ndef call(): ...\n", "-W", "error")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Odd places.


def test_a_program_that_exits_inside_of_a_call_is_recorded(root: Path) -> None:
    done = run(root, "import sys, capsula\n@capsula.monitor\ndef call(): sys.exit(3)\ncall()\n")

    assert (done.returncode, done.stderr) == (3, "")
    assert statuses(root) == ["failed"]


def test_a_call_at_the_end_of_the_program_is_recorded(root: Path) -> None:
    source = """
import atexit, capsula
@capsula.monitor(include_return_value=True)
def call(who): return who
@atexit.register
def last(): print(call("atexit"))
"""

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "atexit\n", "")
    assert values(root) == ["atexit"]


def test_daemon_threads_do_not_disturb_the_end_of_the_program(root: Path) -> None:
    source = """
import threading, capsula
called = threading.Event()
@capsula.monitor
def call(): called.set()
def forever():
    while True: call()
threading.Thread(target=forever, daemon=True).start()
called.wait(30)
"""

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["<stdin>", "<" + 5000 * "x" + ">"])
def test_a_function_without_a_source_file_is_configured_where_one_is(root: Path, name: str) -> None:
    source = f"""
import capsula, os
scope = {{}}
exec(compile("import capsula\\n@capsula.monitor(strict=True)\\ndef call(): ...", {name!r}, "exec"), scope)
scope["call"]()
"""

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert [record["source_file"] for record in befores(root)] == [None]


def test_a_function_can_be_decorated_and_called_in_a_directory_that_is_gone(root: Path) -> None:
    source = """
import capsula, os
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
@capsula.monitor(ROOT, include_return_value=True)
def call(): return 1
@capsula.monitor("somewhere")
def lost(): return 2
exec(compile("@capsula.monitor\\ndef prompted(): return 3", "<stdin>", "exec"))
print(call(), lost(), prompted())
""".replace("ROOT", repr(str(root)))

    done = run(root, source, environ={"PWD": f"{root}/gone"})

    assert (done.returncode, done.stdout) == (0, "1 2 3\n")
    assert values(root) == [1]
    assert done.stderr.count("cannot be used") == 2


# What Capsula leaves as it was.


def test_importing_and_calling_leave_the_process_as_it_was(root: Path) -> None:
    source = """
import locale, logging, os, random, signal, sys, warnings
try:
    import numpy
    numbers = lambda: [part.tolist() if hasattr(part, "tolist") else part for part in numpy.random.get_state()]
except ImportError:
    numbers = lambda: None
def umask():
    return [line for line in open("/proc/self/status") if line.startswith("Umask")]
def state():
    return {
        "random": random.getstate(), "numpy": numbers(), "handlers": logging.root.handlers[:],
        "level": logging.root.level, "loggers": sorted(logging.root.manager.loggerDict),
        "disabled": logging.root.manager.disable, "signals": {s: signal.getsignal(s) for s in signal.valid_signals()},
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()), "filters": warnings.filters[:],
        "cwd": os.getcwd(), "path": sys.path[:], "environ": dict(os.environ), "umask": umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "hooks": (sys.excepthook, sys.unraisablehook, sys.getrecursionlimit()),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "generators": tuple(sys.get_asyncgen_hooks()), "trace": (sys.gettrace(), sys.getprofile()),
    }
before = state()
import capsula
@capsula.monitor(strict=True)
def call(): return 1
call(); call()
after = state()
assert before == after, [(name, before[name], after[name]) for name in before if before[name] != after[name]]
unwanted = {"structlog", "cpuinfo", "asyncio", "rich"} & set(sys.modules)
assert not unwanted, unwanted
import structlog
assert not structlog.is_configured()
"""
    (root / "capsula.toml").write_text("")

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(capsules(root)) == 2


def test_importing_the_package_imports_nothing_heavy(root: Path) -> None:
    source = """
import sys, capsula
heavy = {"attrs", "attr", "pygit2", "structlog", "cattrs", "asyncio", "returns", "tomli", "inspect", "cpuinfo"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert set(capsula.__all__) <= set(dir(capsula))
"""

    # The files of ``site-packages`` may import what they like when Python starts.
    done = run(root, source, "-S", environ={"PYTHONPATH": str(Path(capsula.__file__).parents[1])})

    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_forks_in_the_decorated_process(root: Path) -> None:
    source = """
import os, sys, capsula
forks = []
os.register_at_fork(before=lambda: forks.append("fork"))
sys.addaudithook(lambda event, _: forks.append(event) if event in ("os.fork", "os.forkpty", "os.posix_spawn") else None)
@capsula.monitor
def call(): return 1
call()
print(forks)
"""
    (root / "capsula.toml").write_text("")

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_a_type_checker_sees_the_signatures_of_the_bare_functions() -> None:
    pytest.importorskip("mypy")
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file="]

    done = subprocess.run([*command, "typing/decorated.py"], cwd=folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "Success: no issues found in 1 source file\n", "")


def test_a_call_without_a_capsule_still_has_a_directory_and_a_name(root: Path) -> None:
    (root / "capsula.toml").write_text('vault-directory = "blocked"\n')
    (root / "blocked").write_text("")
    source = """
import capsula

@capsula.monitor
def work() -> None:
    capsula.record("loss", 1)
    (capsula.get_capsule_dir() / "figure.png").write_text("drawn")
    print(capsula.get_capsule_dir() / capsula.get_capsule_name())

work()
"""

    done = run(root, source, environ={"TMPDIR": str(root)})

    place = Path(done.stdout.strip()).parent
    assert (done.returncode, place.parent, place.name) == (0, root, Path(done.stdout.strip()).name)
    assert (place / "figure.png").read_text() == "drawn"
    assert str(root / "blocked") in done.stderr
    assert str(place) in done.stderr


@pytest.mark.parametrize(("recapture", "asked_anew"), [("changing", False), ("all", True)])
def test_what_cannot_change_is_captured_once_a_process_unless_one_wants_more(
    root: Path, recapture: str, asked_anew: bool
) -> None:
    (root / "capsula.toml").write_text(f'[capture]\ninclude-cpu = false\n[monitor]\nrecapture = "{recapture}"\n')
    source = """
import os, sys
import capsula

@capsula.monitor
def work() -> None: ...

work()
os.environ["PYTHONPATH"] = sys.argv[1]
work()
"""
    package = root / "packages" / "later-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: later\nVersion: 1.0\n")

    done = run(root, source.replace("sys.argv[1]", repr(str(package.parent))))

    contexts = [json.loads((path / "context.json").read_text()) for path in capsules(root)]
    assert (done.returncode, done.stderr) == (0, "")
    assert ["later" in context["python_packages"]["distributions"] for context in contexts] == [False, asked_anew]
