"""The capsule that is open here: of the innermost monitored call, or of the monitored command around this process."""

import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

from capsula.flows.environment import DIRECTORY, ID


class Open(NamedTuple):
    """An open capsule: its directory, its id, and the id of the one that it was opened in."""

    directory: Path
    id: str
    parent: str | None = None
    is_spare: bool = False
    """Whether it stands in for a capsule that could not be opened; the directory is made when it is asked for."""


def spare() -> Open:
    """Return what stands in for the capsule of a call that is not recorded, so that the call itself does not fail.

    What went wrong may be that no file can be opened, so nothing is imported here, and no directory tried.
    """
    return Open(Path(_folder(), f"capsula-unrecorded-{os.urandom(8).hex()}"), "", is_spare=True)


def _folder() -> str:
    wanted = os.environ.get("TMPDIR", "")
    is_good = os.path.isabs(wanted) and os.path.isdir(wanted)  # noqa: PTH117  # they never raise
    return wanted if is_good else "/tmp"  # noqa: S108  # nobody can guess the name in it


_innermost: ContextVar[Open | None] = ContextVar("capsula", default=None)
_is_unwatched: ContextVar[bool] = ContextVar("capsula unwatched", default=False)
_running: dict[str, tuple[Open, WeakSet[threading.Thread]]] = {}
"""The calls that run by id, each with the threads that were there before it."""


def enclosing(environ: Mapping[str, str]) -> Open | None:
    """Return the capsule that a call made here is inside of, or none: nothing that would be a guess."""
    return _innermost.get() or _around(environ)


def current(environ: Mapping[str, str]) -> Open | None:
    """Return the capsule that is open here, or none.

    A thread that was started while a monitored call ran belongs to it, for nobody can tell who started it; while
    several ran that are not nested, to none.
    """
    if _innermost.get() is None and len(calls := _calls_of_thread()) == 1:
        return calls[0]
    return enclosing(environ)


def is_doubtful() -> bool:
    """Tell whether this thread may belong to more than one call."""
    return _innermost.get() is None and len(_calls_of_thread()) > 1


def is_unwatched() -> bool:
    """Tell whether a call made here is one of Capsula's own."""
    return _is_unwatched.get()


class Unwatched:
    """A context in which Capsula itself calls what is the user's: were that monitored too, it would never end."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token: Token[bool] = _is_unwatched.set(True)

    def __exit__(self, *left: object) -> None:
        _is_unwatched.reset(self._token)


class Running:
    """A context in which a call runs, and may start threads: again and again, if it is a generator's."""

    __slots__ = ("_call", "_earlier")

    def __init__(self, call: Open) -> None:
        self._call = call
        self._earlier = WeakSet(threading.enumerate())

    def __enter__(self) -> None:
        _running[self._call.id] = (self._call, self._earlier)

    def __exit__(self, *left: object) -> None:
        _running.pop(self._call.id, None)


class Innermost:
    """A context in which a call is the innermost one, also for what is started from here."""

    # A generator made into a context manager would write to the exceptions that pass through it.
    __slots__ = ("_call", "_token")

    def __init__(self, call: Open) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._token: Token[Open | None] = _innermost.set(self._call)

    def __exit__(self, *left: object) -> None:
        _innermost.reset(self._token)


def _calls_of_thread() -> list[Open]:
    """Return the innermost calls that may have started this thread, whose context was empty at its start."""
    thread = threading.current_thread()
    calls = [call for call, earlier in tuple(_running.values()) if thread not in earlier]
    outer = {call.parent for call in calls}
    return [call for call in calls if call.id not in outer]


def _around(environ: Mapping[str, str]) -> Open | None:
    directory = environ.get(DIRECTORY)
    return Open(Path(directory), environ.get(ID, "")) if directory else None
