"""Differences between two facts, there and here, as values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from capsula.core.fault import Json, KeyPath


class Gone(NamedTuple):
    """Something that is there, and not here."""

    path: KeyPath
    there: Json


class New(NamedTuple):
    """Something that is here, and was not there."""

    path: KeyPath
    here: Json


class Changed(NamedTuple):
    """Something that is other here than there."""

    path: KeyPath
    there: Json
    here: Json


Difference: TypeAlias = Gone | New | Changed


def differences(there: Json, here: Json, path: KeyPath = ()) -> Iterator[Difference]:
    """Yield how two facts differ, each difference as deep as it goes; lists of tables with names go by these."""
    one, other = keyed(there), keyed(here)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            below = (*path, key)
            if key not in other:
                yield Gone(below, one[key])
            elif key not in one:
                yield New(below, other[key])
            else:
                yield from differences(one[key], other[key], below)
    elif there != here:
        yield Changed(path, there, here)


def part(facts: Json, path: KeyPath) -> Json:
    """Return what stands at a place of the facts; None if nothing does."""
    for key in path:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts


def keyed(value: Json) -> Json:
    """Return a list of tables that each have a path or a name as one table by these; all else as it is."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    for key in ("path", "name"):
        table = {name: part for part in value if isinstance(part, Mapping) and isinstance(name := part.get(key), str)}
        if value and len(table) == len(value):
            return table
    return value
