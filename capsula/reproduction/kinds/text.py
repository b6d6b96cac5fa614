"""Text: numbers within otherwise equal lines may be close, and line ends and byte order marks are none of its content.

Read line by line, whatever the encoding, as long as that spells digits as ASCII does.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import islice, zip_longest
from typing import BinaryIO, NamedTuple

from capsula.reproduction.comparison import Comparison, Grade, different, unjudged
from capsula.reproduction.pair import MIB, Pair, Terms
from capsula.reproduction.tally import EXACT, Number, Tally

LONGEST_LINE = MIB
"""Bytes of a line; a longer one is not looked into, nor what follows."""

_MOST_TOLD = 3
"""Lines that are named."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A number stands apart from words, dots and digits. With leading zeros it is a date or a name; with more digits than
# these, a hash. The quantifiers give nothing back, so the time is linear.
_NUMBER = re.compile(
    rb"(?<![\w.])([+-]?(?:(?:0|[1-9]\d{0,299}+)(?:\.\d{0,300}+)?|\.\d{1,300}+)(?:[eE][+-]?\d{1,3}+)?)(?!\w|\.\d)"
)
_INTEGER = re.compile(rb"[+-]?\d++")


class Mismatch(NamedTuple):
    """The first pair of lines that differ in more than numbers; none where a file has ended."""

    line: int
    recorded: bytes | None
    replayed: bytes | None


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two texts compare."""
    return compare_as("text", pair, terms)


def compare_as(kind: str, pair: Pair, terms: Terms) -> Comparison:
    """Return how two files of another kind compare as texts."""
    tally = Tally(terms.tolerance)
    mismatch = first_mismatch(pair, tally)
    return located(mismatched(kind, mismatch) if mismatch else tally.comparison(kind), pair, terms)


def located(comparison: Comparison, pair: Pair, terms: Terms) -> Comparison:
    """Return the comparison of texts, and if they differ here and there, in which lines."""
    if comparison.grade <= Grade.CLOSE or not comparison.judged:
        return comparison
    told = list(islice(_apart(pair, terms), _MOST_TOLD + 1))
    if len(told) < 2 and not comparison.differing:
        return comparison
    numbers = [str(line) for line in told[:_MOST_TOLD]]
    *some, last = (*numbers, "more") if len(told) > _MOST_TOLD else numbers
    where = f"lines {', '.join(some)} and {last}" if some else f"line {last}"
    reason = f"{comparison.reason}: {where}" if comparison.differing else f"{where} differ"
    return comparison._replace(reason=reason)


def first_mismatch(pair: Pair, tally: Tally) -> Mismatch | None:
    """Return where the texts cease to differ in numbers alone, and add all numbers before that to the tally."""
    both = zip_longest(lines(pair.recorded), lines(pair.replayed))
    for line, (one, other) in enumerate(both, 1):
        if one is None or other is None or max(len(one), len(other)) >= LONGEST_LINE:
            return Mismatch(line, one, other)
        if one != other and not _differ_in_numbers_alone(one, other, tally):
            return Mismatch(line, one, other)
    return None


def mismatched(kind: str, mismatch: Mismatch) -> Comparison:
    """Return the comparison of texts that do not match, in words that hold nothing of them."""
    if mismatch.recorded is None:
        return different(kind, f"goes on after line {mismatch.line - 1}, the last one of the recorded")
    if mismatch.replayed is None:
        return different(kind, f"ends after line {mismatch.line - 1}, before the recorded does")
    if max(len(mismatch.recorded), len(mismatch.replayed)) >= LONGEST_LINE:
        return unjudged(kind, f"its bytes differ, and line {mismatch.line} is too long to look into")
    return different(kind, f"line {mismatch.line} differs")


def _apart(pair: Pair, terms: Terms) -> Iterator[int]:
    """Yield the numbers of the lines that differ, as long as both texts go on."""
    for line, (one, other) in enumerate(zip(lines(pair.recorded), lines(pair.replayed), strict=False), 1):
        tally = Tally(terms.tolerance)
        if one != other and (not _differ_in_numbers_alone(one, other, tally) or tally.beyond):
            yield line


def lines(file: BinaryIO) -> Iterator[bytes]:
    """Return the lines of a whole file without their ends; one that is too long comes in pieces."""
    file.seek(0)
    file.seek(len(_BYTE_ORDER_MARK) if file.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK else 0)
    return map(_endless, iter(partial(file.readline, LONGEST_LINE), b""))


def _endless(line: bytes) -> bytes:
    return line[:-2] if line.endswith(b"\r\n") else line[:-1] if line.endswith(b"\n") else line


def _differ_in_numbers_alone(one: bytes, other: bytes, tally: Tally) -> bool:
    """Return whether lines are equal but for numbers, and the blanks that align them; the numbers go to the tally."""
    ones, others = _NUMBER.split(one), _NUMBER.split(other)  # by turns what is between the numbers, and a number
    if len(ones) != len(others) or b"\0" in one or b"\0" in other:
        return False
    if ones[::2] != others[::2]:
        values_differ = any(map(_differ, ones[1::2], others[1::2]))
        if not values_differ or [it.split() for it in ones[::2]] != [it.split() for it in others[::2]]:
            return False
    tally.add(_values(x, y) for x, y in zip(ones[1::2], others[1::2], strict=True) if x != y)
    return True


def _differ(one: bytes, other: bytes) -> bool:
    x, y = _values(one, other) if one != other else (0, 0)
    return x != y


def _values(one: bytes, other: bytes) -> tuple[Number, Number]:
    """Return the values of two spellings, exactly where doubles cannot tell them apart."""
    x, y = float(one), float(other)
    if x != y and -EXACT <= x <= EXACT and -EXACT <= y <= EXACT:
        return x, y
    return _exactly(one), _exactly(other)


def _exactly(number: bytes) -> int | Fraction:
    return int(number) if _INTEGER.fullmatch(number) else Fraction(number.decode())
