"""The capsule that is open here: of the innermost monitored call, or of the monitored command around this process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from attrs import frozen

from capsula.flows.environment import DIRECTORY, ID


@frozen
class Open:
    """An open capsule: its directory and its id."""

    directory: Path
    id: str


_innermost: ContextVar[Open | None] = ContextVar("capsula", default=None)
_calls: dict[str, Open] = {}


def current(environ: Mapping[str, str]) -> Open | None:
    """Return the capsule that is open here, or none.

    A thread that a monitored call has started belongs to that call, as long as it is the only one that is open.
    """
    here = _innermost.get()
    if here is None:
        calls = tuple(_calls.values())
        here = calls[0] if len(calls) == 1 else None
    return here or _around(environ)


def opened(call: Open) -> None:
    """Know that a call is open."""
    _calls[call.id] = call


def closed(call: Open) -> None:
    """Forget a call."""
    _calls.pop(call.id, None)


@contextmanager
def innermost(call: Open) -> Iterator[None]:
    """Make a call the innermost one for what runs in here, and for what is started from here."""
    token = _innermost.set(call)
    try:
        yield
    finally:
        _innermost.reset(token)


def _around(environ: Mapping[str, str]) -> Open | None:
    directory = environ.get(DIRECTORY)
    return Open(Path(directory), environ.get(ID, "")) if directory else None
