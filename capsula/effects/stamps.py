"""Stamps: what tells that a file of an environment is not what was installed, without reading it, or by reading it."""

import csv
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path

_COMPILED = "__pycache__"
"""Folders in which Python keeps what it can make again; it looks itself whether that is of the module beside."""


def stamp(directory: Path, but: str) -> str:
    """Return what stays the same while no file below a directory, but one in it, is added, changed or removed.

    The moment at which the state of a file changed is part of it, which no program can put back.
    """
    whole = sha256()
    for line in sorted(_lines(os.fspath(directory), but)):
        whole.update(line)
    return whole.hexdigest()


def edited(site: Path) -> tuple[str, ...]:
    """Return the distributions in a site directory of which a file is not what their ``RECORD`` says."""
    records = sorted(site.glob("*.dist-info/RECORD"))
    return tuple(record.parent.name.partition("-")[0] for record in records if not all(_are_as_told(record, site)))


def _lines(directory: str, but: str) -> Iterator[bytes]:
    folders = [directory]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != _COMPILED:
                        folders.append(entry.path)
                        yield os.fsencode(f"{entry.path}\0\n")
                elif entry.path != f"{directory}/{but}":
                    state = entry.stat(follow_symlinks=False)
                    told = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"
                    yield os.fsencode(f"{entry.path}\0{told}\n")


def _are_as_told(record: Path, site: Path) -> Iterator[bool]:
    try:
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as content:
            rows = list(csv.reader(content))
    except csv.Error:  # no installer wrote this
        yield False
        return
    for row in rows:
        match row:
            case [path, told, *_] if told.startswith("sha256=") and not path.endswith(".pyc"):
                yield told == f"sha256={_digest(site / path)}"


def _digest(file: Path) -> str:
    """Return the digest of a file as a ``RECORD`` tells it; nothing if there is none."""
    with suppress(OSError, ValueError), open(file, "rb") as content:  # a path with a NUL names none
        return urlsafe_b64encode(file_digest(content, sha256).digest()).rstrip(b"=").decode("ascii")
    return ""
