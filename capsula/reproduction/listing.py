"""Listings: what has no lines of its own is compared by what is told of it, line by line, as a text."""

from collections.abc import Iterable
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, Grade
from capsula.reproduction.pair import TOO_MUCH, Terms


class Listing(NamedTuple):
    """What the listings of a kind of file are called, and what is said of two files whose listings are the same."""

    kind: str
    name: str
    same: str


def listed(lines: Iterable[bytes], terms: Terms) -> Result[bytes, Fault]:
    """Return all lines, unless there are too many; what reading them raises is the caller's."""
    kept: list[bytes] = []
    for line in lines:
        kept.append(line)
        if not terms.allowance.spend(len(line)):
            return Failure(TOO_MUCH)
    return Success(b"".join(kept))


def compared_listings(listing: Listing, recorded: bytes, replayed: bytes, terms: Terms) -> Comparison:
    """Return how two files, which differ, compare by their listings."""
    inner = terms.part(f"{listing.name}.txt", recorded, replayed)
    if inner.grade is Grade.IDENTICAL:
        return Comparison(Grade.EQUIVALENT, listing.kind, listing.same)
    return inner._replace(kind=listing.kind, reason=f"as a {listing.name}: {inner.reason}")
