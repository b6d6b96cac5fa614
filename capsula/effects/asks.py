"""Asks are started all at once and read one by one; each answers into memory, so none waits for its reader."""

import os
import resource
import select
import signal
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.ask import Ask
from capsula.core.fault import Fault, fault_of

if TYPE_CHECKING:
    from subprocess import Popen

OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes that an answer may hold."""

_GRACE = 1.0
"""Seconds that a killed process has to go; one that hangs in the kernel is left behind."""


class Running(NamedTuple):
    """A program that was asked, what it has printed so far, and the moment on the monotonic clock when it is late."""

    process: "Popen[bytes]"
    output: FileIO
    errors: FileIO
    late: float


class Answers:
    """The answers to asks; reading one waits for it until its deadline, and never again."""

    def __init__(self, asked: Mapping[Ask, Result[Running, Fault]]) -> None:
        self._asked = dict(asked)
        self._known: dict[Ask, Result[bytes, Fault]] = {}

    def __getitem__(self, ask: Ask) -> Result[bytes, Fault]:
        """Return what the program printed, or why there is no answer: ``timeout``, ``failed``, ``not found``, ..."""
        if ask in self._asked:
            self._known[ask] = self._asked.pop(ask).bind(lambda running: _answer(ask, running))
        return self._known.get(ask, Failure(Fault("not asked", f"{ask.argv[0]} was not asked")))

    def close(self) -> None:
        """End and forget every program whose answer was not read."""
        while self._asked:
            _, asked = self._asked.popitem()
            if isinstance(asked, Success):
                _end(asked.unwrap())

    def __enter__(self) -> "Answers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def started(asks: Iterable[Ask], environ: Mapping[str, str], cwd: Path) -> Answers:
    """Start every ask, once each, and return their answers; they are to be closed."""
    return Answers({ask: _started(ask, environ, cwd) for ask in dict.fromkeys(asks)})


def _started(ask: Ask, environ: Mapping[str, str], cwd: Path) -> Result[Running, Fault]:
    from subprocess import DEVNULL, Popen  # most answers are remembered

    with ExitStack() as undone:
        try:
            output = undone.enter_context(_memory())
            errors = undone.enter_context(_memory())
            process = Popen(
                ask.argv, stdin=DEVNULL, stdout=output, stderr=errors, cwd=cwd, env=environ, process_group=0
            )
        except OSError as error:
            return Failure(_refusal(ask, error))
        undone.pop_all()
        _bound(process)
        return Success(Running(process, output, errors, monotonic() + ask.deadline))


def _memory() -> FileIO:
    return FileIO(os.memfd_create("answer"), "r+")


def _bound(process: "Popen[bytes]") -> None:
    with suppress(OSError):  # already over, or bound more tightly by the user
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (OUTPUT_LIMIT, OUTPUT_LIMIT))


def _refusal(ask: Ask, error: OSError) -> Fault:
    if isinstance(error, FileNotFoundError) and error.filename == ask.argv[0]:
        return Fault("not found", f"{ask.argv[0]}: no such program")
    return fault_of(error, error.filename or ask.argv[0])


def _answer(ask: Ask, running: Running) -> Result[bytes, Fault]:
    if not _is_over(running.process, running.late - monotonic()):
        _end(running)
        return Failure(Fault("timeout", f"{ask.argv[0]} did not answer within {ask.deadline:g} seconds"))
    status = running.process.wait()
    with running.output, running.errors:
        if status == 0:
            return Success(_content(running.output))
        return Failure(Fault("failed", f"{ask.argv[0]} {_ending(status)}{_reason(_content(running.errors))}"))


def _is_over(process: "Popen[bytes]", seconds: float) -> bool:
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:  # a kernel before 5.3, or a host that reaps all its children: wait by polling
        return _is_over_by_polling(process, seconds)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))
    finally:
        os.close(descriptor)


def _is_over_by_polling(process: "Popen[bytes]", seconds: float) -> bool:
    from subprocess import TimeoutExpired

    try:
        process.wait(max(0.0, seconds))
    except TimeoutExpired:
        return False
    return True


def _end(running: Running) -> None:
    with running.output, running.errors:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        if _is_over(running.process, _GRACE):
            running.process.wait()


def _content(file: FileIO) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


def _ending(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _reason(errors: bytes) -> str:
    """Return the first line that says something: what is indented, or announces a traceback, only leads to it."""
    lines = os.fsdecode(errors).splitlines()
    reasons = (line for line in lines if line and not line[0].isspace() and not line.startswith("Traceback "))
    return next((f": {line}" for line in reasons), "")
