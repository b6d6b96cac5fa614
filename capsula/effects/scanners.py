"""Scanners: programs of others that look for secrets, asked only where they are."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import DEVNULL, SubprocessError, run
from typing import TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, Json, fault_of

PATIENCE = 600.0
"""Seconds that a scanner may take."""

Scanned: TypeAlias = tuple[tuple[str, int, str], ...]
"""File relative to the directory, line, and rule, of each secret."""

_READING: Mapping[str, tuple[tuple[str, ...], Callable[[Json], Iterator[tuple[Json, Json, Json]]]]] = {
    "gitleaks": (
        ("dir", "{}", "--no-banner", "--redact", "--exit-code", "0", "--report-format", "json", "--report-path", "-"),
        lambda report: ((row.get("File"), row.get("StartLine"), row.get("RuleID")) for row in _rows(report)),
    ),
    "kingfisher": (
        ("scan", "{}", "--format", "json", "--no-validate", "--redact", "--no-update-check"),
        lambda report: (
            (_part(row, "finding", "path"), _part(row, "finding", "line"), _part(row, "rule", "id"))
            for row in _rows(_part(report, "findings"))
        ),
    ),
}


def scanner(path: str | None) -> tuple[str, str] | None:
    """Return the name and the program of the first scanner on a ``PATH``, if there is one."""
    places = ((name, shutil.which(name, path=path)) for name in _READING)
    return next(((name, program) for name, program in places if program), None)


def asked(name: str, program: str, directory: Path) -> Result[Scanned, Fault]:
    """Return what a scanner finds below a directory; the secrets themselves it is told to keep to itself."""
    words, reading = _READING[name]
    argv = (program, *(str(directory) if word == "{}" else word for word in words))
    try:
        ended = run(argv, stdin=DEVNULL, capture_output=True, timeout=PATIENCE, check=False, cwd=directory)
        report: Json = json.loads(ended.stdout or b"null")
    except OSError as error:
        return Failure(fault_of(error, name))
    except (SubprocessError, ValueError, RecursionError) as error:
        return Failure(Fault("unread", f"{name}: {type(error).__name__}"))
    return Success(tuple(_found(reading(report), directory)))


def _found(rows: Iterator[tuple[Json, Json, Json]], directory: Path) -> Iterator[tuple[str, int, str]]:
    for file, line, rule in rows:
        if isinstance(file, str):
            path = os.path.relpath(directory / file, directory)
            yield path, line if isinstance(line, int) else 0, str(rule)


def _rows(report: Json) -> Iterator[Mapping[str, Json]]:
    return (row for row in report if isinstance(row, Mapping)) if isinstance(report, list) else iter(())


def _part(value: Json, *keys: str) -> Json:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
