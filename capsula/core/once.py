"""Once: what several want to know, or one again and again, is found out for the first time alone."""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Protocol, TypeVar, cast

A = TypeVar("A")
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


def latest(find: Callable[[A], R]) -> Callable[[A], R]:
    """Remember what a function returned last; it is not called again for an equal argument, which need not be hashable.

    >>> double = latest(lambda text: text * 2)
    >>> double("a") is double("a")
    True
    """
    known: list[tuple[A, R]] = []

    @wraps(find)
    def remembered(argument: A) -> R:
        for last, found in known[:]:
            if last == argument:
                return found
        found = find(argument)
        known[:] = [(argument, found)]
        return found

    return remembered
