"""Parts of a file that are compared by their own names: the members of an archive, the cells of a notebook."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from returns.result import Result

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, Grade, different, or_different, worst
from capsula.reproduction.pair import Terms, both

Reader: TypeAlias = Callable[[], Result[bytes, Fault]]
Parts: TypeAlias = Mapping[str, Reader]
"""Name to what reads its content."""


def compared_parts(kind: str, recorded: Parts, replayed: Parts, terms: Terms) -> Comparison:
    """Return how two files compare that differ, if at all, in these parts: as the worst of them."""
    if recorded.keys() != replayed.keys():
        return different(kind, _told(recorded, replayed))
    return together(kind, {name: _compared(name, read, replayed[name], terms) for name, read in recorded.items()})


def together(kind: str, comparisons: Mapping[str, Comparison]) -> Comparison:
    """Return the comparison of a file, given those of its parts."""
    apart = {name: it for name, it in comparisons.items() if it.grade is not Grade.IDENTICAL}
    if not apart:
        return Comparison(Grade.EQUIVALENT, kind, "the same content, packed otherwise")
    of_all = worst(apart.values())
    name = next(name for name, it in apart.items() if it is of_all)
    absolutes = [it.max_absolute for it in apart.values() if it.max_absolute is not None]
    relatives = [it.max_relative for it in apart.values() if it.max_relative is not None]
    return of_all._replace(
        kind=kind,
        reason=f"{name}: {of_all.reason}",
        max_absolute=max(absolutes, default=None),
        max_relative=max(relatives, default=None),
        differing=sum(it.differing for it in apart.values()),
    )


def _compared(name: str, recorded: Reader, replayed: Reader, terms: Terms) -> Comparison:
    contents = both(lambda read: read(), recorded, replayed)
    return or_different("bytes", contents.map(lambda it: terms.part(name, *it)))


def _told(recorded: Parts, replayed: Parts) -> str:
    gone = [name for name in recorded if name not in replayed]
    new = [name for name in replayed if name not in recorded]
    told = (f"without {gone[0]}" if gone else "", f"with {new[0]} besides" if new else "")
    more = len(gone) + len(new) - bool(gone) - bool(new)
    return " and ".join(filter(None, told)) + (f", and {more} more such" if more else "")
