"""Values that a run records of itself: one append-only file a process, so that no process waits for another."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from time import time_ns

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.effects.files import PRIVATE_FILE, folders

FOLDER = ".capsula/records"


def record(capsule: Path, name: str, value: Json) -> Result[None, Fault]:
    """Add a value to the records of a capsule; each is one line, and one write."""
    line = json.dumps({"name": name, "value": value, "time": time_ns()}) + "\n"
    file = capsule / FOLDER / f"{os.getpid()}.jsonl"
    try:
        folders(file.parent)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), PRIVATE_FILE)
        with open(descriptor, "wb", buffering=0) as stream:
            stream.write(line.encode())
    except OSError as error:
        return Failure(fault_of(error, f"{name} could not be recorded"))
    return Success(None)


def records(capsule: Path) -> Answer:
    """Return the last value that was recorded by each name; the files hold all of them."""
    try:
        files = sorted((capsule / FOLDER).iterdir())
    except FileNotFoundError:
        return Success(Fragment({}))
    except OSError as error:
        return Failure(fault_of(error, "the records could not be read"))
    lines: list[tuple[int, str, Json]] = []
    faults: list[Fault] = []
    for file in files:
        for answer in _lines(file):
            if isinstance(answer, Success):
                lines.append(answer.unwrap())
            else:
                faults.append(answer.failure())
    return Success(Fragment({name: value for _, name, value in sorted(lines, key=_time)}, (), tuple(faults)))


def _lines(file: Path) -> Iterator[Result[tuple[int, str, Json], Fault]]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        yield Failure(fault_of(error, file.name))
        return
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            yield Success((int(entry["time"]), str(entry["name"]), entry["value"]))
        except (ValueError, KeyError, TypeError):  # torn off when its process was killed, or written by another program
            yield Failure(Fault("malformed", f"line {number} of {FOLDER}/{file.name} is no record"))


def _time(line: tuple[int, str, Json]) -> int:
    return line[0]
