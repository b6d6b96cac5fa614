"""Runs: what was started, and how it ended."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from capsula.core.content import Sum
from capsula.core.fault import Fault, Json


class Command(NamedTuple):
    """A program and its arguments, the directory it starts in, and all of its environment.

    Bytes that are not UTF-8 stand in ``argv`` and ``environ`` as lone surrogates, as ``os.fsdecode`` makes them.
    """

    argv: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str]


class Logged(NamedTuple):
    """What a stream was, and how its log differs from it."""

    size: int = 0
    """Bytes that the command wrote, whether they could be kept or not."""
    unscanned_from: int | None = None
    """Byte from which on no secrets were searched; none if all of it was searched."""
    digest: str | None = None
    """A keyed digest of all that was written, if the log has marks in it."""
    log: Sum | None = None
    """What the log is; none if it is not to be relied on that it is just what was put into it."""


class Outcome(NamedTuple):
    """How a command ended, and what is known of its time.

    ``exit_code`` is what a shell would say: 128 + ``signal`` for a death by signal, 127 for a command that was not
    found, 126 for one that could not be executed, and 125 for trouble before that.
    """

    exit_code: int
    signal: int | None
    """Number of the signal that ended the command; none if it exited."""
    run_time: float
    """Seconds on a clock that nobody sets."""
    started: datetime
    """Aware, as is ``ended``; the clock may have been set in between."""
    ended: datetime
    resources: Mapping[str, Json] | None
    """Times in seconds, ``killed_for_memory`` in processes, the rest in bytes; none if nothing was started.

    Those that were killed for want of memory are of our control group, which holds the command, and maybe others.
    They are those of the command and of the children it waited for. Linux counts memory from before the program was
    loaded, so ``max_memory`` is never less than what Capsula itself held at that time.
    """
    merged: bool | None
    """Standard output and standard error were one file or pipe, and are kept in order as standard output.

    None, as the two are, if they were left alone.
    """
    stdout: Logged | None
    stderr: Logged | None
    faults: tuple[Fault, ...]
    """What of the run was lost; paths are ``stdout`` or ``stderr``, or empty if the command could not be started."""


class Call(NamedTuple):
    """A function that is called, where it stands, and what it is called with."""

    name: str
    qualified_name: str
    """With the names of the module and the classes around it."""
    source_file: str | None
    """None where there is no file: in a notebook or at a prompt."""
    source_line: int | None
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = {}
    parameters: tuple[str, ...] = ()
    """Names of its positional parameters, as far as they are known: some arguments are secrets by these."""
