"""Checking: search all that a capsule holds for secrets, and tell where they are, never what."""

import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, NamedTuple

from returns.result import Success

from capsula.core.document import loads
from capsula.core.fault import Fault, fault_of
from capsula.core.redaction import exposures
from capsula.core.secrets import scanned
from capsula.core.settings import DiscretionSettings
from capsula.effects.scanners import asked, scanner
from capsula.flows.inspect import held
from capsula.reading.packed import MOST_BYTES, unpacked

_CHUNK = 1024 * 1024


class Exposure(NamedTuple):
    """A secret in a capsule: in which file, where in it, and by which rule."""

    file: str
    """Relative to the capsule; of what an archive holds: its path, ``!``, and the path in it."""
    place: str
    """The line, or the keys in a document."""
    rule: str


class Checked(NamedTuple):
    """What was found in a capsule, and what could not be searched."""

    exposures: tuple[Exposure, ...]
    faults: tuple[Fault, ...]


def checked(capsule: Path, wish: DiscretionSettings, path: str | None) -> Checked:
    """Search the files of a capsule, the archives among them too, and have a scanner do so that is on ``path``."""
    found: list[Exposure] = []
    faults: list[Fault] = []
    for name in held(capsule):
        try:
            for it in _searched(capsule / name, name, wish):
                if isinstance(it, Exposure):
                    found.append(it)
                else:
                    faults.append(it)
        except OSError as error:
            faults.append(fault_of(error).under(name))
    program = scanner(path)
    if program:
        answer = asked(*program, capsule)
        if isinstance(answer, Success):
            found += (Exposure(file, f"line {line}", f"{program[0]} {rule}") for file, line, rule in answer.unwrap())
        else:
            faults.append(answer.failure())
    return Checked(tuple(dict.fromkeys(found)), tuple(faults))


def _searched(file: Path, name: str, wish: DiscretionSettings) -> Iterator[Exposure | Fault]:
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
        if not S_ISREG(os.fstat(stream.fileno()).st_mode):
            yield Fault("unsearched", "is not a regular file", path=(name,))
        elif name.endswith(".json"):
            yield from _in_document(stream, name, wish)
        else:
            yield from _in_parts(stream, name, wish)
            if name.endswith(".pack"):
                yield Fault("unsearched", "commits that git has packed were not unpacked", path=(name,))


def _in_document(stream: BufferedReader, name: str, wish: DiscretionSettings) -> Iterator[Exposure | Fault]:
    document = loads(stream.read(MOST_BYTES))
    if isinstance(document, Success):
        places = exposures(document.unwrap(), wish)
        yield from (Exposure(name, " > ".join(place), rule) for place, rule in places)
    else:  # a file of the user's
        stream.seek(0)
        yield from _in_parts(stream, name, wish)


def _in_parts(stream: BufferedReader, name: str, wish: DiscretionSettings) -> Iterator[Exposure | Fault]:
    for it in unpacked(stream, name):
        if isinstance(it, Fault):
            yield it
        else:
            yield from (Exposure(it.name, f"line {line}", rule) for line, rule in scanned(_chunks(it.content), wish))


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: content.read(_CHUNK), b"")
