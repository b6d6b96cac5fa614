"""How things look: what is printed, where, and in which colour."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TextIO

from returns.result import Success

from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.redaction import Redaction
from capsula.core.report import Report, silent

Style = Literal["bold", "dim", "red", "green", "yellow"]

_CODES: Mapping[str, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class UnwritableError(Exception):
    """Standard output takes nothing, as on a full disk."""


class Console:
    """Standard output for what was asked for, standard error for all that is said beside it."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        report: Report = silent,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.quiet = quiet
        self.report = report
        self._stdout = stdout or _open(sys.stdout)
        self._stderr = stderr or _open(sys.stderr)
        self._environ = os.environ if environ is None else environ

    def out(self, text: str) -> None:
        """Print what was asked for, and a line's end."""
        with _unwritable():
            self._stdout.write(_discreet(text) + "\n")

    def flush(self) -> None:
        """Have all that was printed be where it belongs, or raise ``UnwritableError``."""
        with _unwritable():
            self._stdout.flush()

    def error(self, text: str) -> None:
        """Say what went wrong, on standard error."""
        self._say(text, "red")

    def note(self, text: str) -> None:
        """Say what is good to know, to a person: on a terminal, and not when told to be quiet."""
        if not self.quiet and self._stderr.isatty():
            self._say(text, "dim")

    @property
    def is_watched(self) -> bool:
        """Whether somebody sees what is said, as it is said, and wants it."""
        return not self.quiet and self._stderr.isatty() and self._environ.get("TERM") != "dumb"

    def faults(self, faults: Iterable[Fault]) -> None:
        """Say each fault in a line of its own, unless told to be quiet."""
        if not self.quiet:
            for fault in faults:
                self._say(_indented(str(fault)), "yellow")

    def mistakes(self, faults: Iterable[Fault]) -> None:
        """Say each mistake of the user in a line of its own."""
        for fault in faults:
            self._say(_indented(str(fault)), "red")

    def paint(self, text: str, style: Style) -> str:
        """Return the text in this style, if standard output shows colours."""
        return _painted(text, style) if self._is_coloured(self._stdout) else text

    def config(self, options: Namespace, argv: tuple[str, ...] = ()) -> Config | None:
        """Return the config that holds here, or in the directory that the options name; or say all its mistakes."""
        from capsula.effects.surroundings import surroundings
        from capsula.flows.load import load

        loaded = load(options.directory, surroundings(argv))
        if isinstance(loaded, Success):
            config: Config = loaded.unwrap()
            return config
        self.mistakes(loaded.failure())
        return None

    def _say(self, text: str, style: Style) -> None:
        name = _painted("capsula:", style) if self._is_coloured(self._stderr) else "capsula:"
        try:
            self._stderr.write(f"{name} {_discreet(text)}\n")
            self._stderr.flush()
        except OSError:  # a full disk, or nobody there: that does not change how we end
            silence(self._stderr)

    def _is_coloured(self, stream: TextIO) -> bool:
        if self._environ.get("NO_COLOR"):
            return False
        if self._environ.get("FORCE_COLOR"):
            return True
        return stream.isatty() and self._environ.get("TERM") != "dumb"


def silence(stream: TextIO) -> None:
    """Drop what is still to be written to a stream of the process: nobody can have it."""
    with suppress(OSError):  # there may be no devices by name
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def safe(text: str) -> str:
    """Return the text with all that could move a cursor, or cannot be encoded, escaped; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in "\n\t" else _escaped(character) for character in text
    )


def _indented(text: str) -> str:
    """Return a message of which no further line looks like another message."""
    return safe(text).replace("\n", "\n  ")


def _discreet(text: str) -> str:
    """Return the text without secrets: what is told may come from older capsules, and from this environment."""
    try:
        facts = json.loads(text) if text.startswith("{") else None
    except ValueError:  # a name may begin so as well
        facts = None
    if facts is None:
        return Redaction().text(text)
    discreet = Redaction().json(facts)  # by their keys, digests are told from what they are of
    return text if discreet == facts else json.dumps(discreet, indent=4)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _open(stream: TextIO | None) -> TextIO:
    """Return the stream, or one that drops all where the caller has closed it."""
    return stream or Path(os.devnull).open("w")  # it lives as long as the process


@contextmanager
def _unwritable() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwritableError(error.strerror) from error


def _painted(text: str, style: Style) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
