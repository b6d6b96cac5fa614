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


_inside: ContextVar[Open | None] = ContextVar("capsula", default=None)
_calls: dict[str, Open] = {}


def current(environ: Mapping[str, str]) -> Open | None:
    """Return the capsule that is open here, or none.

    A thread that a monitored call has started belongs to that call, as long as it is the only one that is open.
    """
    here = _inside.get()
    if here is None and len(_calls) == 1:
        here = next(iter(tuple(_calls.values())), None)
    return here or _around(environ)


@contextmanager
def inside(call: Open) -> Iterator[None]:
    """Make a call the innermost one, here and in what is started from here."""
    _calls[call.id] = call
    before = _inside.set(call)
    try:
        yield
    finally:
        _inside.reset(before)
        _calls.pop(call.id, None)


def _around(environ: Mapping[str, str]) -> Open | None:
    directory = environ.get(DIRECTORY)
    return Open(Path(directory), environ.get(ID, "")) if directory else None
