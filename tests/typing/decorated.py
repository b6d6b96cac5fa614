"""What a type checker makes of decorated functions: the very signatures they had; a test runs mypy on this."""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar, assert_type

import capsula

T = TypeVar("T")


@capsula.monitor
def bare(number: int, *rest: str, flag: bool = False, **more: float) -> str:
    return f"{number}{rest}{flag}{more}"


@capsula.monitor(Path(), items=("item",), include_return_value=True, strict=True)
def configured(number: int) -> str:
    return str(number)


@capsula.monitor(directory="somewhere")
async def coroutine(number: int) -> str:
    return str(number)


@capsula.monitor()
def generator(number: int) -> Generator[int, str, bytes]:
    yield number
    return b""


@capsula.monitor
async def async_generator(number: int) -> AsyncGenerator[int, str]:
    yield number


@capsula.monitor
def generic(value: T) -> list[T]:
    return [value]


class Model:
    @capsula.monitor
    def method(self, number: int) -> str:
        return str(number)

    @capsula.monitor
    @classmethod
    def class_above(cls, number: int) -> str:
        return str(number)

    @classmethod
    @capsula.monitor(strict=True)
    def class_below(cls, number: int) -> str:
        return str(number)

    @capsula.monitor
    @staticmethod
    def static_above(number: int) -> str:
        return str(number)

    @staticmethod
    @capsula.monitor
    def static_below(number: int) -> str:
        return str(number)

    @capsula.monitor
    def __call__(self, number: int) -> str:
        return str(number)


assert_type(bare(1, "a", flag=True, other=1.5), str)
assert_type(configured(number=1), str)
assert_type(generator(1), Generator[int, str, bytes])
assert_type(async_generator(1), AsyncGenerator[int, str])
assert_type(generic(1), list[int])
assert_type(generic("a"), list[str])
assert_type(Model().method(1), str)
assert_type(Model.class_above(1), str)
assert_type(Model.class_below(1), str)
assert_type(Model.static_above(1), str)
assert_type(Model.static_below(1), str)
assert_type(Model()(1), str)
assert_type(capsula.monitor(functools.partial(configured, number=1))(), str)
assert_type(capsula.monitor(Model())(1), str)


async def main() -> None:
    assert_type(await coroutine(1), str)
    await coroutine("no number")  # type: ignore[arg-type]  # is seen


one: Callable[[int], str] = configured
another: Callable[[int], Coroutine[Any, Any, str]] = coroutine

bare("no number")  # type: ignore[arg-type]  # is seen
bare(1, flag="no flag")  # type: ignore[arg-type]  # is seen
configured()  # type: ignore[call-arg]  # is seen
Model().method("no number")  # type: ignore[arg-type]  # is seen
Model.class_above("no number")  # type: ignore[arg-type]  # is seen
capsula.monitor(item="unknown")  # type: ignore[call-overload]  # is seen
