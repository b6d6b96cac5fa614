"""Values that a run records of itself: one append-only file a process, so that no process waits for another."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.document import parsed
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.effects.files import PRIVATE_FILE, folders

FOLDER = ".capsula/records"

_APPENDING = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""How a file is opened that the command may have put there: to wait for a named pipe would be to wait for ever."""


class Record(NamedTuple):
    """A value that was recorded, and when: nanoseconds since the epoch."""

    time: int
    name: str
    value: Json


def record(capsule: Path, name: str, value: Json) -> Result[None, Fault]:
    """Add a value to the records of a capsule; each is one line, and one write."""
    line = json.dumps({"name": name, "value": value, "time": time_ns()}, allow_nan=False).encode() + b"\n"
    file = capsule / FOLDER / f"{os.getpid()}.jsonl"
    try:
        folders(file.parent)
        with open(os.open(file, _APPENDING, PRIVATE_FILE), "r+b", buffering=0) as stream:
            if (
                os.fstat(stream.fileno()).st_nlink > 1
            ):  # whoever may link into the capsule would have us write elsewhere
                return Failure(Fault("unsafe", f"{name} could not be recorded: {file} has another name"))
            whole = line if _ends_with_a_line(stream.fileno()) else b"\n" + line
            if stream.write(whole) < len(whole):
                return Failure(Fault("full", f"{name} could not be recorded: only a part of it was written"))
    except OSError as error:
        return Failure(fault_of(error, f"{name} could not be recorded"))
    return Success(None)


def records(capsule: Path) -> Answer:
    """Return the last value that was recorded by each name; the files hold all of them.

    A file with lines that are no records costs a fault at its name.
    """
    try:
        files = sorted((capsule / FOLDER).iterdir())
    except FileNotFoundError:
        return Success(Fragment({}))
    except OSError as error:
        return Failure(fault_of(error, "the records could not be read"))
    found: list[Record] = []
    faults: list[Fault] = []
    for file in files:
        told, fault = _read(file)
        found += told
        faults += (fault,) if fault else ()
    values = {each.name: each.value for each in sorted(found, key=_time)}
    return Success(Fragment(values, (), tuple(faults)))


def _ends_with_a_line(descriptor: int) -> bool:
    """Tell whether a file is empty or ends with a whole line; a torn one shall not take the next with it."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _read(file: Path) -> tuple[list[Record], Fault | None]:
    """Return the records of a file, and what is wrong with the rest of it."""
    try:
        with open(os.open(file, _READING), "rb") as stream:
            is_file = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            lines = stream.read().splitlines() if is_file else []
    except OSError as error:
        return [], fault_of(error, file.name).under(file.name)
    if not is_file:
        return [], Fault("not a file", f"{FOLDER}/{file.name} is not a regular file", path=(file.name,))
    answers = [_record(line) for line in lines]
    torn = [number for number, answer in enumerate(answers, 1) if answer is None]
    message = f"{len(torn)} lines of {FOLDER}/{file.name} are no records, the first is line {torn[0]}" if torn else ""
    return list(_in_order(answers)), Fault("malformed", message, path=(file.name,)) if torn else None


def _record(line: bytes) -> Record | None:
    """Return the record of a line; none if its process was killed meanwhile, or another program wrote it."""
    match parsed(line):
        case Success({"time": int(time), "name": str(name), "value": value}):
            return Record(time, name, value)
    return None


def _in_order(answers: list[Record | None]) -> Iterator[Record]:
    """Yield the records, none of them earlier than the one before: the clock may have been set back in between."""
    latest = 0
    for each in answers:
        if each is not None:
            latest = max(latest, each.time)
            yield each._replace(time=latest)


def _time(each: Record) -> int:
    return each.time
