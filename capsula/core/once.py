"""Once: what several collectors of one gathering read, each in its own way, is read for the first of them alone."""

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast

R = TypeVar("R")


class Reader(Protocol):
    """What reads something, by a key that tells it from all else that is read."""

    def __call__(self, key: Hashable, read: Callable[[], R], /) -> R:
        """Return what is read."""
        ...


def anew(_key: Hashable, read: Callable[[], R], /) -> R:
    """Read whenever it is asked for."""
    return read()


def once() -> Reader:
    """Return what reads each thing when it is asked for first, and never again."""
    known: dict[Hashable, object] = {}

    def reader(key: Hashable, read: Callable[[], R], /) -> R:
        if key not in known:
            known[key] = read()
        return cast("R", known[key])

    return reader
