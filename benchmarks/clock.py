"""Timing: what a process and all that it started and reaped took."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryFile
from time import perf_counter, time_ns
from typing import Literal

from attrs import frozen

Figure = Literal["wall", "cpu", "peak", "before", "after", "told"]
"""Seconds and, for ``peak``, bytes: spawn to reap; user and system time; largest resident set of any of its processes;
until the wrapped command began; since it ended; what the process itself measured."""

Tells = Literal["nothing", "moment", "seconds"]
"""What a process prints: nothing to us, the moment at which the wrapped command ran (ns since 1970), a time it took."""


class FailedError(Exception):
    """A process that did not end well; says how it ended, and its last words."""


def nothing() -> None:
    """Prepare nothing."""


@frozen
class Contender:
    """A command that is measured beside others."""

    name: str
    argv: tuple[str, ...]
    directory: Path
    tells: Tells = "nothing"
    prepared: Callable[[], None] = nothing
    """Done before each run, and not timed."""
    environ: Mapping[str, str] = {}
    """What it has beside the environment of all."""


def measured(contender: Contender, environ: Mapping[str, str]) -> dict[Figure, float]:
    """Run a contender once.

    Raises:
        FailedError: It could not be started, or its exit status is not 0.
    """
    contender.prepared()
    with TemporaryFile() as output, TemporaryFile() as words:
        stdout = output if contender.tells != "nothing" else DEVNULL
        moment, begun = time_ns(), perf_counter()
        try:
            process = Popen(
                contender.argv,
                cwd=contender.directory,
                env={**environ, **contender.environ},
                stdin=DEVNULL,
                stdout=stdout,
                stderr=words,
            )
        except OSError as error:
            raise FailedError(str(error)) from error
        _, status, usage = os.wait4(process.pid, 0)
        wall = perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise FailedError(f"exit status {process.returncode}: {_last(words.fileno())}")
        figures: dict[Figure, float] = {
            "wall": wall,
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss * 1024,
        }
        if contender.tells == "nothing":
            return figures
        told = float(_last(output.fileno()))
    if contender.tells == "seconds":
        return {**figures, "told": told}
    before = (told - moment) / 1e9
    return {**figures, "before": before, "after": wall - before}


def _last(descriptor: int) -> str:
    """Return the last line of a file."""
    text = os.pread(descriptor, 65536, max(0, os.fstat(descriptor).st_size - 65536))
    return (text.decode(errors="replace").strip().splitlines() or ["(nothing)"])[-1]
