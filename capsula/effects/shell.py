"""Running a pre-capture command: by the shell, standard input closed, for a limited time."""

import os
import signal
from contextlib import suppress
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from time import monotonic

from returns.result import Failure, Success

from capsula.core.effect import Shell
from capsula.core.fault import Fault, fault_of
from capsula.core.fragment import Answer, Fragment

_SHOWN = 64 * 1024


def shell(effect: Shell) -> Answer:
    """Run the command line; a status other than 0 is a fault that holds its line, status and output."""
    started = monotonic()
    try:
        process = Popen(  # noqa: S602  # the settings say: by the shell
            effect.command_line,
            shell=True,
            cwd=effect.directory,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Failure(fault_of(error, effect.command_line))
    try:
        output, _ = process.communicate(timeout=effect.time_limit)
    except TimeoutExpired:
        output = _ended(process)
        return Failure(_fault(effect, f"did not end within {effect.time_limit:g} s", output))
    except BaseException:
        _ended(process)
        raise
    if process.returncode:
        return Failure(_fault(effect, f"ended with status {process.returncode}", output))
    seconds = round(monotonic() - started, 6)
    return Success(Fragment({"command": effect.command_line, "exit_code": 0, "seconds": seconds}))


def _ended(process: Popen[bytes]) -> bytes:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0]


def _fault(effect: Shell, ending: str, output: bytes) -> Fault:
    text = output[-_SHOWN:].decode("utf-8", "backslashreplace").strip()
    shown = f"; it printed:\n{text}" if text else "; it printed nothing"
    return Fault("pre-capture", f"`{effect.command_line}` {ending}{shown}", "mend the command, or take it out")
