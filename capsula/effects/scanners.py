"""Scanners: programs of others that look for secrets, asked only where they are."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import DEVNULL, SubprocessError, run
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, Json, fault_of

PATIENCE = 600.0
"""Seconds that a scanner may take."""

_PLACE, _REPORT = "{place}", "{report}"

Scanned: TypeAlias = tuple[tuple[str, int, str], ...]
"""File relative to the directory, line, and rule, of each secret."""

_Row: TypeAlias = tuple[Json, Json, Json]


class _Scanner(NamedTuple):
    """How a scanner is asked, for a directory and a new file for its report, and how that is read."""

    words: tuple[str, ...]
    statuses: frozenset[int]
    """Those of a scan that came to its end, whatever it found."""
    rows: Callable[[Json], Iterator[_Row]]


_SCANNERS: Mapping[str, _Scanner] = {
    "gitleaks": _Scanner(
        ("dir", _PLACE, "--no-banner", "--redact", "--exit-code=0", "--report-format=json", "--report-path", _REPORT),
        frozenset({0}),
        lambda report: ((row.get("File"), row.get("StartLine"), row.get("RuleID")) for row in _rows(report)),
    ),
    "kingfisher": _Scanner(
        (
            *("scan", _PLACE, "--no-validate", "--no-update-check", "--no-dedup", "--redact"),
            *("--format=json", "--output", _REPORT),
        ),
        frozenset({0, 200, 205}),  # nothing, something, something that is known to be valid
        lambda report: (
            (_part(row, "finding", "path"), _part(row, "finding", "line"), _part(row, "rule", "id"))
            for row in _rows(_part(report, "findings"))
        ),
    ),
}


def scanner(path: str | None) -> tuple[str, str] | None:
    """Return the name and the program of the first scanner on a ``PATH``, if there is one."""
    places = ((name, shutil.which(name, path=path)) for name in _SCANNERS)
    return next(((name, program) for name, program in places if program), None)


def asked(name: str, program: str, directory: Path) -> Result[Scanned, Fault]:
    """Return what a scanner finds below a directory; the secrets themselves it is told to keep to itself."""
    it = _SCANNERS[name]
    try:
        with TemporaryDirectory() as place:  # what is written beside the report, or in its stead, is gone with it
            report = Path(place) / "report.json"
            told = {_PLACE: str(directory), _REPORT: str(report)}
            argv = (program, *(told.get(word, word) for word in it.words))
            ended = run(argv, stdin=DEVNULL, capture_output=True, timeout=PATIENCE, check=False, cwd=place)
            if ended.returncode not in it.statuses:
                return Failure(Fault("unread", f"{name} did not search: it ended with {ended.returncode}"))
            content: Json = json.loads(report.read_bytes())
    except OSError as error:
        return Failure(fault_of(error, name))
    except (SubprocessError, ValueError, RecursionError) as error:
        return Failure(Fault("unread", f"{name}: {type(error).__name__}"))
    return Success(tuple(_found(it.rows(content), directory)))


def _found(rows: Iterator[_Row], directory: Path) -> Iterator[tuple[str, int, str]]:
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
