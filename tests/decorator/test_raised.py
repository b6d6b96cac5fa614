"""What a decorated function raises passes unchanged, and is recorded."""

import asyncio
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import capsula
from tests.calls import after, afters, run, statuses


class UntellableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class ImmutableError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class LyingError(Exception):
    @property  # type: ignore[misc]  # that is the point
    def __class__(self) -> type:
        raise RuntimeError("nothing of the kind")


class Incomparable:
    def __eq__(self, other: object) -> bool:
        raise SystemExit(4)

    def __hash__(self) -> int:
        raise SystemExit(4)

    def __str__(self) -> str:
        return "incomparable"


class GuardedError(Exception):
    def __getattribute__(self, name: str) -> object:
        raise SystemExit(4)


RAISED = [
    (ValueError("wrong"), "ValueError", "wrong", "failed"),
    (KeyboardInterrupt(), "KeyboardInterrupt", "", "interrupted"),
    (asyncio.CancelledError(), "CancelledError", "", "interrupted"),
    (SystemExit(3), "SystemExit", "3", "failed"),
    (SystemExit(0), "SystemExit", "0", "finished"),
    (GeneratorExit(), "GeneratorExit", "", "finished"),
    (StopIteration(1), "StopIteration", "1", "failed"),
    (ImmutableError("fixed"), "ImmutableError", "fixed", "failed"),
    (SystemExit(Incomparable()), "SystemExit", "incomparable", "failed"),
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


@pytest.mark.parametrize("kind", [GuardedError, LyingError])
def test_an_exception_that_tells_nothing_of_itself_passes_unchanged(root: Path, kind: type[Exception]) -> None:
    error = kind()

    @capsula.monitor(root)
    def fail() -> None:
        raise error

    came = []
    try:
        fail()
    except kind as raised:
        came.append(raised is error)

    ended = after(root)
    assert came == [True]
    assert ended["exception_info"]["error_type"] == kind.__name__
    assert ["exception_info", "error_details"] in [fault["path"] for fault in ended["capsula"]["faults"]]
    assert ended["capsula"]["status"] == "failed"


class Evasive(str):
    __slots__ = ()

    def __getitem__(self, key: object) -> str:
        raise RuntimeError("no part")


class EvasiveError(Exception):
    def __str__(self) -> str:
        return Evasive("evasive")


@pytest.mark.parametrize(
    ("error", "message"),
    [(ValueError("x" * 1_000_000), "x" * 4096), (EvasiveError(), "evasive")],
    ids=["a long message", "a message of a hostile class"],
)
def test_of_what_an_exception_says_a_plain_part_is_recorded(root: Path, error: Exception, message: str) -> None:
    @capsula.monitor(root)
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        fail()

    told = after(root)["exception_info"]
    assert told["error_message"] == message
    assert told["error_details"].endswith(f"{message}\n")
    assert len(told["error_details"]) <= 64 * 1024


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


def named(number: int) -> int:
    return number


def test_wrong_arguments_are_the_callers_mistake_and_recorded_as_that(root: Path) -> None:
    decorated = capsula.monitor(root)(named)

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'number'"):
        decorated()  # type: ignore[call-arg]  # that is the point

    assert after(root)["exception_info"]["error_type"] == "TypeError"


def test_what_capsula_asks_of_an_exception_is_not_monitored(root: Path) -> None:
    class WatchedError(Exception):
        @capsula.monitor(root)
        def __str__(self) -> str:
            return "told"

    @capsula.monitor(root)
    def fail() -> NoReturn:
        raise WatchedError

    with pytest.raises(WatchedError):
        fail()

    assert after(root)["exception_info"]["error_message"] == "told"


def test_a_program_that_exits_inside_of_a_call_is_recorded(root: Path) -> None:
    done = run(root, "import sys, capsula\n@capsula.monitor\ndef call(): sys.exit(3)\ncall()\n")

    assert (done.returncode, done.stderr) == (3, "")
    assert statuses(root) == ["failed"]
