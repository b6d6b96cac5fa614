"""Asks: started at once, read when needed, and never left behind."""

import gc
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from returns.result import Failure, Success

from capsula.core.ask import Ask
from capsula.core.fault import Fault
from capsula.effects.asks import started
from capsula.effects.process import fed

ENVIRON = {"PATH": os.defpath, "LC_ALL": "C"}


def test_an_answer_is_what_the_program_prints_where_it_is_told_to_run(tmp_path: Path) -> None:
    (tmp_path / "typed").write_text("typed")
    ask = Ask(("sh", "-c", 'echo "$NAME"; pwd; cat; echo aside >&2'))

    with fed(tmp_path / "typed"), started([ask], ENVIRON | {"NAME": "caf\udce9"}, tmp_path) as answers:
        answer = answers[ask]
        again = answers[ask]

    assert answer == Success(b"caf\xe9\n" + os.fsencode(tmp_path) + b"\n")
    assert again == answer


def test_all_asks_run_at_the_same_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "meeting")
    asks = (Ask(("sh", "-c", "cat meeting")), Ask(("sh", "-c", "echo met > meeting; echo told")))

    with started(asks, ENVIRON, tmp_path) as answers:
        answered = [answers[ask] for ask in asks]

    assert answered == [Success(b"met\n"), Success(b"told\n")]


def test_the_same_ask_is_started_once(tmp_path: Path) -> None:
    ask = Ask(("sh", "-c", "echo started >> log; cat log"))

    with started([ask, Ask(ask.argv)], ENVIRON, tmp_path) as answers:
        answer = answers[ask]

    assert answer == Success(b"started\n")


def test_an_ask_that_prints_much_waits_for_no_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "done")
    ask = Ask(("sh", "-c", "head -c 10000000 /dev/zero; echo > done"))

    with started([ask], ENVIRON, tmp_path) as answers:
        (tmp_path / "done").read_bytes()
        answer = answers[ask]

    assert answer == Success(bytes(10_000_000))


def test_an_ask_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    ask = Ask(("cat", "/dev/zero"))

    with started([ask], ENVIRON, tmp_path) as answers:
        answer = answers[ask]

    assert answer == Failure(Fault("failed", "cat was ended by signal 25"))


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("import sys; sys.exit(3)", Fault("failed", f"{sys.executable} ended with status 3")),
        ("1 / 0", Fault("failed", f"{sys.executable} ended with status 1: ZeroDivisionError: division by zero")),
        ("import os; os.kill(os.getpid(), 9)", Fault("failed", f"{sys.executable} was ended by signal 9")),
    ],
)
def test_a_program_that_fails_is_a_fault_with_its_reason(script: str, fault: Fault, tmp_path: Path) -> None:
    ask = Ask((sys.executable, "-c", script))

    with started([ask], ENVIRON, tmp_path) as answers:
        answer = answers[ask]

    assert answer == Failure(fault)


def test_what_cannot_be_started_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    asks = [Ask(("no-such-program",)), Ask((str(tmp_path / "text"),)), Ask(("echo", "fine"))]

    with started(asks, ENVIRON, tmp_path) as answers:
        answered = [answers[ask] for ask in asks]

    assert answered == [
        Failure(Fault("not found", "no-such-program: no such program")),
        Failure(Fault("forbidden", f"{tmp_path / 'text'}: Permission denied")),
        Success(b"fine\n"),
    ]


def test_a_missing_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    ask = Ask(("echo",))

    with started([ask], ENVIRON, tmp_path / "gone") as answers:
        answer = answers[ask]

    assert answer == Failure(Fault("missing", f"{tmp_path / 'gone'}: No such file or directory"))


def test_an_ask_that_was_not_started_has_no_answer(tmp_path: Path) -> None:
    with started([], ENVIRON, tmp_path) as answers:
        answer = answers[Ask(("echo",))]

    assert answer == Failure(Fault("not asked", "echo was not asked"))


def test_a_late_program_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    ask = Ask(("sh", "-c", "exec 3> alive; echo > begun; sleep 600 & sleep 600"), deadline=0.2)
    os.mkfifo(tmp_path / "begun")

    with alive(tmp_path) as reader, started([ask], ENVIRON, tmp_path) as answers:
        (tmp_path / "begun").read_bytes()
        answer = answers[ask]
        ended = has_hung_up(reader)

    assert answer == Failure(Fault("timeout", "sh did not answer within 0.2 seconds"))
    assert ended


def test_what_was_never_read_is_ended_and_nothing_is_left(tmp_path: Path) -> None:
    gc.collect()  # what others have left open is not to be closed meanwhile
    before = descriptors()
    asks = [Ask(("sh", "-c", "exec 3> alive; echo > begun; sleep 600 & sleep 600")), Ask(("true",)), Ask(("gone",))]
    os.mkfifo(tmp_path / "begun")

    with alive(tmp_path) as reader:
        answers = started(asks, ENVIRON, tmp_path)
        (tmp_path / "begun").read_bytes()
        answers.close()
        ended = has_hung_up(reader)

    assert ended
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@contextmanager
def alive(directory: Path) -> Iterator[int]:
    """Yield the reading end of a pipe whose writers are the processes that hold ``alive`` open."""
    os.mkfifo(directory / "alive")
    reader = os.open(directory / "alive", os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield reader
    finally:
        os.close(reader)


def has_hung_up(reader: int) -> bool:
    poll = select.poll()
    poll.register(reader, 0)
    return bool(poll.poll(5000))


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))
