"""A decorated function is the function that it was."""

import abc
import asyncio
import contextlib
import dataclasses
import functools
import inspect
import os
import pickle
import subprocess
import sys
import types
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import NoReturn

import pytest

import capsula
from tests.calls import befores, run, values


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


def test_what_is_no_function_is_refused_where_it_is_decorated(root: Path) -> None:
    with pytest.raises(TypeError, match="not property objects"):
        capsula.monitor(root)(property(plain))  # type: ignore[arg-type]  # that is the point
    with pytest.raises(TypeError, match=r"not classes; decorate Model\.__init__"):
        capsula.monitor(root)(Model)


def test_it_can_be_stacked_with_other_decorators(root: Path) -> None:
    watch = capsula.monitor(root, include_return_value=True, strict=True)

    @watch
    @functools.cache
    def cached_below(number: int) -> int:
        return number

    @functools.cache
    @watch
    def cached_above(number: int) -> int:
        return number

    @contextlib.contextmanager
    @watch
    def forgiving(number: int) -> Generator[int, None, None]:
        with contextlib.suppress(ValueError):
            yield number

    @functools.singledispatch
    @watch
    def kind(value: object) -> str:
        return "anything"

    @kind.register
    @watch
    def _(value: int) -> str:
        return "a number"

    answers = [cached_below(1), cached_below(1), cached_above(2), cached_above(2)]
    with forgiving(3) as given:
        int("no number")

    assert [*answers, given, kind(4), kind("x")] == [1, 1, 2, 2, 3, "a number", "anything"]
    assert cached_below.cache_info() == cached_above.cache_info() == (1, 1, None, 1)  # type: ignore[attr-defined]
    assert values(root) == [1, 1, 2, None, "a number", "anything"]


def test_it_works_in_classes_of_every_kind(root: Path) -> None:
    watch = capsula.monitor(root)

    class Shape(abc.ABC):
        @watch
        @abc.abstractmethod
        def area(self) -> int: ...

        @functools.cached_property
        @watch
        def double(self) -> int:
            return 2 * self.area()

    @dataclasses.dataclass
    class Square(Shape):
        side: int

        @watch
        def __post_init__(self) -> None:
            self.side += 1

        @watch
        def area(self) -> int:
            return self.side**2

    class Tile(Square):
        def area(self) -> int:
            return super().area() + 1

        @watch
        def __len__(self) -> int:
            return self.area()

        @watch
        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(name)

    tile = Tile(1)

    assert (tile.area(), tile.double, tile.double, len(tile), hasattr(tile, "colour")) == (5, 10, 10, 5, False)
    assert Shape.__abstractmethods__ == {"area"}
    assert [record["function_name"] for record in befores(root)] == [
        "__post_init__",
        "area",
        "double",
        "area",
        "__len__",
        "area",
        "__getattr__",
    ]


def test_a_callable_object_that_is_awaited_is_recorded_to_its_end(root: Path) -> None:
    class Later:
        async def __call__(self) -> str:
            await asyncio.sleep(0)
            return capsula.get_capsule_name()

    name = asyncio.run(capsula.monitor(root, include_return_value=True)(Later())())

    assert values(root) == [name]


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


def test_a_type_checker_sees_the_signatures_of_the_bare_functions() -> None:
    pytest.importorskip("mypy")
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file="]

    done = subprocess.run([*command, "typing/decorated.py"], cwd=folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "Success: no issues found in 1 source file\n", "")


@pytest.mark.parametrize("bare", [asynchronous, generating, asynchronously_generating])
def test_wrong_arguments_are_an_error_at_the_call_and_not_at_the_first_step(
    root: Path, bare: Callable[..., object]
) -> None:
    decorated = capsula.monitor(root)(bare)

    with pytest.raises(TypeError) as expected:
        bare()
    with pytest.raises(TypeError) as raised:
        decorated()

    assert str(raised.value) == str(expected.value)
    assert not (root / "vault").exists()


def test_of_a_coroutine_that_nobody_awaits_python_warns_once(root: Path) -> None:
    decorated = capsula.monitor(root)(asynchronous)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        coroutine = decorated(1)
        del coroutine

    assert [str(each.message) for each in warned] == ["coroutine 'asynchronous' was never awaited"]
    assert not (root / "vault").exists()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs: Python 3.12")
def test_what_is_marked_as_a_coroutine_function_may_answer_with_anything_that_can_be_awaited(root: Path) -> None:
    def bare() -> asyncio.Future[int]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        return future

    marked: Callable[[], Awaitable[int]] = inspect.markcoroutinefunction(bare)  # type: ignore[attr-defined,unused-ignore]  # of 3.12
    decorated = capsula.monitor(root, include_return_value=True)(marked)

    async def main() -> int:
        return await decorated()

    assert asyncio.run(main()) == 1
    assert values(root) == [1]
