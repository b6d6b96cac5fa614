"""Progress: one line on a terminal that says what is being done, and for how long; elsewhere there is none."""

import os
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic
from typing import TextIO

from capsula.cli.console import Console, safe
from capsula.cli.tables import shortened
from capsula.core.report import Report

_TICK = 0.5
_USUAL_WIDTH = 80
_CLEARED = "\r\x1b[K"


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """Have events be shown as they come, until nothing of them is left at the end; the log has them too.

    What runs in here may turn our standard error elsewhere: the line stays on the terminal.
    """
    if not console.is_watched:
        yield console.report
        return
    with os.fdopen(os.dup(2), "w") as terminal:
        line = _Line(console.report, terminal)
        thread = Thread(target=line.tick, daemon=True)
        thread.start()
        try:
            yield line
        finally:
            line.end()
            thread.join()


class _Line:
    """The line, which is written anew at every event, and by a thread as time goes by."""

    def __init__(self, report: Report, terminal: TextIO) -> None:
        self._report = report
        self._terminal = terminal
        self._text = ""
        self._since = monotonic()
        self._over = Event()
        self._lock = Lock()

    def __call__(self, event: str, /, **details: object) -> None:
        """Show an event that is worth it."""
        self._report(event, **details)
        text = _told(event, details)
        if text is not None:
            with self._lock:
                self._text, self._since = text, monotonic()
                self._write()

    def tick(self) -> None:
        """Keep the time; no signal is for this thread."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not self._over.wait(_TICK):
            with self._lock:
                if self._text:
                    self._write()

    def end(self) -> None:
        """Take the line away."""
        self._over.set()
        with self._lock:
            self._text = ""
            self._write()

    def _write(self) -> None:
        seconds = int(monotonic() - self._since)
        text = f"{self._text} ({seconds} s)" if self._text and seconds else self._text
        width = os.get_terminal_size(self._terminal.fileno()).columns or _USUAL_WIDTH
        self._terminal.write(_CLEARED + shortened(safe(text), max(width - 1, 1)))
        self._terminal.flush()


def _told(event: str, details: dict[str, object]) -> str | None:
    """Return what a person is to see of an event, or None if it is nothing new."""
    match event, details:
        case "restoring", {"files": int(files)}:
            return f"restoring {files} file{'' if files == 1 else 's'}"
        case "building an environment", {"packages": int(packages), "installer": installer}:
            return f"installing {packages} package{'' if packages == 1 else 's'} with {installer}"
        case "running", {"is_seen": True}:  # it writes to the terminal itself
            return ""
        case "running", {"command": Sequence() as words, "turn": str(turn)}:
            return f"running {shlex.join(map(str, words))}{turn}"
        case "comparing", _:
            return "comparing"
    return None
