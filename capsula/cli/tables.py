"""Tables, and how what a capsule tells is put into few words; nothing of it is trusted to be what it should be."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from unicodedata import combining, east_asian_width

from capsula.cli.console import Style, safe
from capsula.core.document import dumps
from capsula.core.fault import Json
from capsula.flows.inspect import Inspected, part
from capsula.flows.run import BEFORE

_STYLES: Mapping[str, Style] = {
    "finished": "green",
    "failed": "red",
    "killed": "red",
    "lost": "red",
    "broken": "red",
    "captured": "bold",
}

_MOST_COMBINED = 4
"""Characters of a column, in text that is not made to fill the terminal with accents."""

_DURATION = re.compile(r"P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d+)?)S)?)?", re.ASCII)


def style(state: str) -> Style:
    """Return how a state looks."""
    return _STYLES.get(state, "yellow")


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is, if it is one."""
    return shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else None


def aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the rows with all cells of a column, but for the last, filled up to one width."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [[*map(_filled, row[:-1], widths), row[-1]] for row in rows]


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(it) else 2 if east_asian_width(it) in "WF" else 1 for it in text)


def shortened(text: str, width: int) -> str:
    """Return the text, or as much of its beginning as there is room for, and a mark."""
    if columns(text) <= width and len(text) <= _MOST_COMBINED * width:
        return text
    text = text[:width]
    while text and columns(text) >= width:
        text = text[:-1]
    return f"{text}…"


def line(value: Json) -> str:
    """Return a value as one line that is safe to print: text as it is, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return safe(text).replace("\n", "\\n").replace("\t", "\\t")


def as_json(facts: Mapping[str, Json]) -> str:
    """Return facts as a document has them, but in ASCII, which no terminal can misunderstand."""
    return json.dumps(json.loads(dumps(facts)), indent=4)


def moment(when: datetime, now: datetime) -> str:
    """Return a local time in as few words as tell it now: ``18:09``, ``12 Jul 18:09``, ``2023-07-12``."""
    if when.date() == now.date():
        return f"{when:%H:%M}"
    return f"{when:%d %b %H:%M}" if when.year == now.year else f"{when:%Y-%m-%d}"


def lasting(run_time: Json) -> str:
    """Return an ISO 8601 duration in two units at most; as it stands, if it is none.

    >>> lasting("PT2.486653S"), lasting("PT0.0125S"), lasting("PT1H2M5S"), lasting("P1DT1H0.5S"), lasting(None)
    ('2.5 s', '12 ms', '1 h 2 min', '1 d 1 h', '')
    """
    if not isinstance(run_time, str):
        return ""
    told = _DURATION.fullmatch(run_time)
    if not told or not any(told.groups()):
        return line(run_time)
    days, hours, minutes = (int(count or 0) for count in told.groups()[:3])
    seconds = float(told[4] or 0)
    whole = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    if not whole:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    return " ".join([*whole, f"{seconds:.0f} s"][:2])


def ran(capsule: Inspected) -> str:
    """Return the command line, the call of the function, or what a person noted; empty for a context alone."""
    return function(capsule) or shlex.join(command(capsule)) or _note(capsule)


def command(capsule: Inspected) -> list[str]:
    """Return the words of the command that was run."""
    words = None if _function_name(capsule) else part(capsule.documents, BEFORE, "args")
    return [word if isinstance(word, str) else line(word) for word in words] if isinstance(words, list) else []


def function(capsule: Inspected) -> str | None:
    """Return the call of the function that was run, as Python has it."""
    name = _function_name(capsule)
    if name is None:
        return None
    args, kwargs = (part(capsule.documents, BEFORE, key) for key in ("args", "kwargs"))
    given = [_literal(value) for value in args] if isinstance(args, list) else []
    named = [f"{key}={_literal(value)}" for key, value in kwargs.items()] if isinstance(kwargs, Mapping) else []
    return f"{name}({', '.join(given + named)})"


def _note(capsule: Inspected) -> str:
    note = part(capsule.documents, BEFORE, "note")
    return note if isinstance(note, str) else ""


def _filled(cell: str, width: int) -> str:
    return cell + " " * (width - columns(cell))


def _literal(value: Json) -> str:
    """Return a recorded value as Python has it; of what could not be recorded as JSON, its own word for it."""
    told = part(value, "repr")
    return told if isinstance(told, str) else repr(value)


def _function_name(capsule: Inspected) -> str | None:
    name = part(capsule.documents, BEFORE, "function_name")
    return name if isinstance(name, str) else None
