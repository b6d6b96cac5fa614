"""Pickles: compared instruction by instruction, and never loaded, for to load one is to run a program of anybody's."""

import pickletools
from collections.abc import Iterator
from functools import partial
from io import BytesIO

from returns.result import Failure, Result

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, or_different, unjudged
from capsula.reproduction.listing import Listing, compared_listings, listed
from capsula.reproduction.pair import MIB, TOO_MUCH, Pair, Terms, both, size_of

MOST_READ = 16 * MIB
"""Bytes of a pickle that is looked into; it takes a fifth of a second for each MiB."""

_LISTING = Listing("pickle", "listing", "the same content, written otherwise")
_LAYOUT = {"FRAME", "PROTO"}
_ALIKE = {
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE8"), "BINUNICODE"),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES8"), "BINBYTES"),
    **dict.fromkeys(("BININT1", "BININT2", "LONG1", "LONG4"), "BININT"),
    "LONG_BINGET": "BINGET",
    "LONG_BINPUT": "BINPUT",
}
"""Instructions of which the length of what is written alone chooses one."""
_NUMBERS = {"BINFLOAT", "BININT", "FLOAT", "INT", "LONG"}
_NO_NUMBER = str.maketrans("0123456789", "abcdefghij")
"""What refers to an object by its number is near to no other."""


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two pickles compare: paths and numbers in them as those of a text."""
    if max(size_of(pair.recorded), size_of(pair.replayed)) > MOST_READ:
        return unjudged("pickle", TOO_MUCH.message)
    listings = pair.whole.bind(lambda contents: both(partial(_listing, terms), *contents))
    return or_different("pickle", listings.map(lambda it: compared_listings(_LISTING, *it, terms)))


def _listing(terms: Terms, content: bytes) -> Result[bytes, Fault]:
    try:
        return listed(_lines(BytesIO(content), len(content)), terms)
    except (ValueError, OverflowError):
        return Failure(Fault("malformed", "is no sound pickle"))


def _lines(file: BytesIO, size: int) -> Iterator[bytes]:
    """Yield a line for each instruction of each of the pickles that stand in a file one after the other."""
    while file.tell() < size:
        for code, argument, _ in pickletools.genops(file):
            name = _ALIKE.get(code.name, code.name)
            told = repr(argument) if isinstance(argument, str | bytes | bytearray) else str(argument)
            is_number = name in _NUMBERS or not isinstance(argument, int)
            if name not in _LAYOUT:
                yield f"{name} {told if is_number else told.translate(_NO_NUMBER)}\n".encode()
