"""Pre-capture commands, run for real."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from returns.result import Failure, Success

from capsula.core.effect import Shell
from capsula.core.fault import Fault
from capsula.effects.process import fed
from capsula.effects.shell import shell

REMEDY = "mend the command, or take it out"


def test_a_command_that_succeeds_is_told(tmp_path: Path) -> None:
    facts = facts_of(Shell("pwd > place; echo hello", tmp_path, 60))

    seconds = facts.pop("seconds")
    assert facts == {"command": "pwd > place; echo hello", "exit_code": 0}
    assert isinstance(seconds, float)
    assert 0 < seconds < 60
    assert (tmp_path / "place").read_text() == f"{tmp_path}\n"


def test_a_command_that_fails_shows_its_status_and_all_it_printed(tmp_path: Path) -> None:
    answer = shell(Shell("echo one; echo two >&2; exit 3", tmp_path, 60))

    message = "`echo one; echo two >&2; exit 3` ended with status 3; it printed:\none\ntwo"
    assert answer == Failure(Fault("pre-capture", message, REMEDY))


def test_a_command_that_dies_says_by_which_signal(tmp_path: Path) -> None:
    answer = shell(Shell("kill -9 $$", tmp_path, 60))

    assert answer == Failure(Fault("pre-capture", "`kill -9 $$` was ended by signal 9; it printed nothing", REMEDY))


def test_output_that_is_not_utf8_is_readable(tmp_path: Path) -> None:
    answer = shell(Shell(r"printf 'caf\351'; false", tmp_path, 60))

    assert answer.failure().message.endswith("it printed:\ncaf\\xe9")


def test_standard_input_is_closed(tmp_path: Path) -> None:
    (tmp_path / "typed").write_text("line\n")

    with fed(tmp_path / "typed"):
        facts = facts_of(Shell("! read line", tmp_path, 60))

    assert facts["exit_code"] == 0


def test_of_much_output_the_end_is_shown(tmp_path: Path) -> None:
    answer = shell(Shell("yes | head -c 50000000; echo the end; false", tmp_path, 60))

    message = answer.failure().message
    assert message.endswith("y\nthe end")
    assert len(message) < 70_000


def test_a_directory_that_is_missing_is_a_fault(tmp_path: Path) -> None:
    answer = shell(Shell("true", tmp_path / "gone", 60))

    assert answer == Failure(Fault("missing", "true: No such file or directory"))


def test_what_stays_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    with alive(tmp_path) as reader:
        answer = shell(Shell("exec 3> alive; sleep 600 & echo $! > pid; echo printed; exit 1", tmp_path, 60))
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert has_hung_up(reader)

    assert answer.failure().message.endswith("ended with status 1; it printed:\nprinted")


def test_a_background_program_that_prints_on_is_not_waited_for(tmp_path: Path) -> None:
    started = monotonic()

    facts = facts_of(Shell("yes & true", tmp_path, 60))

    assert facts["exit_code"] == 0
    assert monotonic() - started < 30


def test_a_command_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    answer = shell(Shell("exec >&- 2>&-; sleep 0.2; exit 5", tmp_path, 60))

    assert answer.failure().message.endswith("ended with status 5; it printed nothing")


def test_a_late_command_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    command = Shell("exec 3> alive; echo printed; sleep 600 & sleep 600", tmp_path, 1)

    with alive(tmp_path) as reader:
        answer = shell(command)
        assert has_hung_up(reader)

    message = f"`{command.command_line}` did not end within 1 s; it printed:\nprinted"
    assert answer == Failure(Fault("pre-capture", message, REMEDY))


def test_a_late_command_is_not_waited_for_by_what_escaped_it(tmp_path: Path) -> None:
    started = monotonic()

    answer = shell(Shell("setsid sleep 20 & sleep 600", tmp_path, 0.3))

    assert answer.failure().message.endswith("did not end within 0.3 s; it printed nothing")
    assert monotonic() - started < 15


INTERRUPTED = """
import sys
from pathlib import Path
from capsula.core.effect import Shell
from capsula.effects.shell import shell
# More than a pipe holds, so that somebody is reading it when it has begun:
shell(Shell("exec 3> alive; head -c 300000 /dev/zero; echo > begun; sleep 600 & sleep 600", Path(sys.argv[1]), 60))
"""


def test_an_interrupt_ends_the_command_and_passes_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    with alive(tmp_path) as reader:
        process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path)], stderr=subprocess.PIPE)
        (tmp_path / "begun").read_bytes()

        process.send_signal(signal.SIGINT)

        _, errors = process.communicate(timeout=30)
        assert has_hung_up(reader)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith(b"KeyboardInterrupt\n")


def facts_of(command: Shell) -> dict[str, object]:
    answer = shell(command)
    assert isinstance(answer, Success)
    facts = answer.unwrap().facts
    assert isinstance(facts, dict)
    return dict(facts)


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
