"""Running a pre-capture command: by the shell, standard input closed, for a limited time."""

import os
import select
import signal
from contextlib import suppress
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from time import monotonic
from typing import IO

from returns.result import Failure, Success

from capsula.core.effect import Shell
from capsula.core.fault import Fault, fault_of
from capsula.core.fragment import Answer, Fragment

_SHOWN = 64 * 1024
"""Bytes at the end of the output that are shown; as many as a pipe holds."""
_TICK = 0.05
"""Seconds until a command is seen to have ended while something else holds its output open."""
_GRACE = 1.0
"""Seconds that a killed command has to go; one that hangs in the kernel is left behind."""


def shell(effect: Shell) -> Answer:
    """Run the command line; a status other than 0 is a fault that holds its line, status and output.

    What it leaves in the background is not waited for; a command that is too late is ended with all that it started.
    """
    started = monotonic()
    try:
        process = Popen(  # noqa: S602  # the settings say: by the shell
            effect.command_line,
            shell=True,
            cwd=effect.directory,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        return Failure(fault_of(error, effect.command_line))
    assert process.stdout is not None
    with process.stdout as pipe:
        try:
            output = _output(process, pipe, started + effect.time_limit)
            status = process.poll()
        finally:
            if process.returncode is None:
                end(process)
    if status is None:
        return Failure(_fault(effect, f"did not end within {effect.time_limit:g} s", output))
    if status:
        return Failure(_fault(effect, _ending(status), output))
    seconds = round(monotonic() - started, 6)
    return Success(Fragment({"command": effect.command_line, "exit_code": 0, "seconds": seconds}))


def _output(process: Popen[bytes], pipe: IO[bytes], late: float) -> bytes:
    """Return the end of what a command printed until it was over, or until it was too late."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    output = b""
    while (left := late - monotonic()) > 0:
        is_over = process.poll() is not None  # asked first: all that it printed is in the pipe by then
        if poll.poll(0 if is_over else min(left, _TICK) * 1000):
            chunk = os.read(pipe.fileno(), _SHOWN)
            output = (output + chunk)[-_SHOWN:]
            if not chunk:
                with suppress(TimeoutExpired):
                    process.wait(left)
                break
        if is_over:
            break
    return output


def end(process: Popen[bytes]) -> None:
    """Kill a process that leads a session, and all in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutExpired):
        process.wait(_GRACE)


def _ending(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _fault(effect: Shell, ending: str, output: bytes) -> Fault:
    text = output.decode("utf-8", "backslashreplace").strip()
    shown = f"; it printed:\n{text}" if text else "; it printed nothing"
    return Fault("pre-capture", f"`{effect.command_line}` {ending}{shown}", "mend the command, or take it out")
