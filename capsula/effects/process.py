"""Processes: a command is run so that it cannot tell, and what it writes is kept."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext, suppress
from datetime import datetime
from errno import EAGAIN, ENOENT, ENOEXEC, ENOMEM
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, Json, fault_of
from capsula.core.foreign import safe
from capsula.core.redaction import Redaction
from capsula.core.run import Command, Logged, Outcome
from capsula.effects.signals import Attention, End, attention, defaulted
from capsula.effects.streams import STDERR, STDOUT, Stream, opened, pumping, settle
from capsula.reading.control_groups import killed

if TYPE_CHECKING:
    from resource import struct_rusage

_EXIT_CODES = {"not found": 127, "not executable": 126}
_NOT_STARTED = 125
_SIGNALLED = 128

_BLOCK = 512
"""Bytes in which the operating system counts what was read from disks and written to them."""

_SHELL = "/bin/sh"

_SCARCE = {EAGAIN, ENOMEM}
"""What is said where no more processes can be, for their number or their memory."""


def run(
    command: Command, stdout_log: Path | None, stderr_log: Path | None, redaction: Redaction | None = None
) -> Outcome:
    """Run a command as if it had been started without us: in our process group, with our descriptors, on our terminal.

    What it writes reaches our standard output and error as it comes, and the logs, which must not exist yet, with its
    secrets marked by ``redaction``. A log that cannot be written costs a fault and nothing else; one of a stream that
    shares another's stays empty. A stream without a log is left alone: there is nothing between the command and ours.
    Returns when the command ends, whatever it leaves behind. From the main thread, signals are passed on to it.
    """
    with attention() as signals:
        streams, unopened = opened(stdout_log, stderr_log, redaction or Redaction())
        with pumping(streams, signals.is_interrupted) as pumped:  # from before the start: what fails is to fail by then
            starved = killed()
            started, start = datetime.now().astimezone(), monotonic()
            pid = _started(command, pumped, signals)
            for stream in pumped:
                os.close(stream.entrance)
            end = pid.map(lambda pid: signals.wait(pid, lambda: _resized(pumped), lambda: settle(pumped)))
            ended, run_time = datetime.now().astimezone(), monotonic() - start
    logged = {stream.name: stream.logged for stream in streams}
    exit_code, number, resources, refusal = _told(end, starved)
    return Outcome(
        exit_code=exit_code,
        signal=number,
        run_time=run_time,
        started=started,
        ended=ended,
        resources=resources,
        merged=any(stream.descriptors == (STDOUT, STDERR) for stream in streams) if stdout_log and stderr_log else None,
        stdout=logged.get("stdout", Logged()) if stdout_log else None,
        stderr=logged.get("stderr", Logged()) if stderr_log else None,
        faults=(*refusal, *unopened, *(fault for stream in streams for fault in stream.faults)),
    )


def resolved(argv0: str, environ: Mapping[str, str], cwd: Path) -> Result[str, Fault]:
    """Return the path that ``execvp`` would execute: as typed if it holds a slash, else the first on ``PATH``.

    It is as relative as it was typed or stands on ``PATH``: seen from ``cwd``.
    """
    directories = environ.get("PATH", os.defpath).split(os.pathsep) if argv0 and "/" not in argv0 else [""]
    paths = [f"{directory}/{argv0}" if directory else argv0 for directory in directories]
    program = next((path for path in paths if path and _is_program(cwd / path)), None)
    if program is not None:
        return Success(program)
    if any(path and _is_there(cwd / path) for path in paths):
        return Failure(Fault("not executable", f"{argv0}: not executable", "is it a program, and may you execute it?"))
    return Failure(
        Fault(
            "not found", f"{argv0}: not found", "check its spelling" if "/" in argv0 else "check its spelling and PATH"
        )
    )


@contextmanager
def hidden() -> Iterator[None]:
    """Let what runs in here print into its logs alone: its streams are neither terminals nor one another."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for descriptor in kept:
            os.dup2(nowhere, descriptor)
        yield
    finally:
        for descriptor, original in kept.items():
            os.dup2(original, descriptor)
            os.close(original)
        os.close(nowhere)


@contextmanager
def fed(file: Path) -> Iterator[None]:
    """Let what runs in here read a file as its standard input."""
    kept = safe(exceptions=(OSError,))(os.dup)(0).value_or(None)  # none if it was closed
    given = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.dup2(given, 0)
        os.set_inheritable(0, True)
        yield
    finally:
        if kept is None:
            os.close(0)
        else:
            os.dup2(kept, 0)
            os.close(kept)
        if given != 0:
            os.close(given)


def die_as(outcome: Outcome) -> NoReturn:
    """End our own process as the command ended, without running what is registered for our exit."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # gone, closed, or none
            stream.flush()
    if outcome.signal is not None:
        _raise_fatally(outcome.signal)
    os._exit(outcome.exit_code)


def _raise_fatally(number: int) -> None:
    """Raise a signal as if we knew nothing of it; returns only if nothing comes of that, as for the first process."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # one core is enough
    with suppress(OSError, ValueError):  # SIGKILL cannot be set, nor what is the C library's own
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.raise_signal(number)


def _started(command: Command, streams: Sequence[Stream], signals: Attention) -> Result[int, Fault]:
    """Return the process id of the command."""
    entrances = [(stream.entrance, number) for stream in streams for number in stream.descriptors]

    def spawned(program: str, argv: tuple[str, ...]) -> Result[int, Fault]:
        try:
            pid = _spawned(program, argv, command.environ, entrances, signals)
        except OSError as error:
            if error.errno in _SCARCE and signals.make_room():
                return spawned(program, argv)
            if error.errno == ENOEXEC and program != _SHELL and not _is_binary(Path(program)):
                return spawned(_SHELL, (_SHELL, program, *argv[1:]))
            return Failure(_refusal(error, command.argv[0]))
        return Success(pid)

    program = resolved(command.argv[0], command.environ, command.cwd)
    try:
        with _standing_in(command.cwd):
            return program.bind(lambda program: spawned(program, command.argv))
    except OSError as error:
        return Failure(fault_of(error, str(command.cwd)))


def _spawned(
    program: str,
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    entrances: Sequence[tuple[int, int]],
    signals: Attention,
) -> int:
    if signals.ignores_children:
        from capsula.effects.forking import forked  # few callers do

        return forked(program, argv, environ, copied=entrances, mask=signals.mask)
    copied = [(os.POSIX_SPAWN_DUP2, ours, number) for ours, number in entrances]
    return os.posix_spawn(program, argv, environ, file_actions=copied, setsigmask=signals.mask, setsigdef=defaulted())


def _standing_in(directory: Path) -> AbstractContextManager[None]:
    """Change to the directory for a moment, all threads with us, unless we are there: ``posix_spawn`` cannot."""
    return nullcontext() if directory == Path() or directory.samefile(".") else chdir(directory)


def _is_binary(file: Path) -> bool:
    """Return whether a file without a format is none for a shell either: the rule of bash."""
    with file.open("rb") as content:
        return b"\0" in content.readline(80)


def _refusal(error: OSError, argv0: str) -> Fault:
    """Return why a command that is there could not be started."""
    if error.errno in _SCARCE:
        return fault_of(error, argv0)
    if error.errno == ENOENT:
        return Fault("not found", f"{argv0}: its interpreter was not found", "look at its first line")
    return Fault("not executable", f"{argv0}: {error.strerror}")


def _is_program(path: Path) -> bool:
    return os.access(path, os.X_OK) and path.is_file()


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # hidden from us
        return True
    return True


def _resized(streams: Sequence[Stream]) -> bool:
    resized = [stream.resize() for stream in streams]
    return any(resized)


def _told(
    end: Result[End, Fault], starved: int | None
) -> tuple[int, int | None, Mapping[str, Json] | None, tuple[Fault, ...]]:
    """Return the exit status as a shell tells it, the signal, the resources, and why there was no start."""
    if isinstance(end, Failure):
        fault = end.failure()
        return _EXIT_CODES.get(fault.kind, _NOT_STARTED), None, None, (fault,)
    status, used = end.unwrap()
    code = os.waitstatus_to_exitcode(status)
    exit_code, number = (_SIGNALLED - code, -code) if code < 0 else (code, None)
    return exit_code, number, {**_resources(used), "killed_for_memory": _since(starved)}, ()


def _since(starved: int | None) -> int | None:
    """Return how many processes of our control group were killed for want of memory since; none if nobody counts."""
    now = killed()
    return None if now is None or starved is None else now - starved


def _resources(used: "struct_rusage") -> Mapping[str, Json]:
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "user_time": used.ru_utime,
        "system_time": used.ru_stime,
        "max_memory": used.ru_maxrss * unit,
        "disk_read": used.ru_inblock * _BLOCK,
        "disk_written": used.ru_oublock * _BLOCK,
    }
