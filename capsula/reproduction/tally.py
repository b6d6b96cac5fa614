"""A tally of numbers: how many differ, by how much, and whether all of them are close."""

from collections.abc import Iterable
from fractions import Fraction
from math import inf, isfinite, ulp
from typing import TypeAlias

from capsula.reproduction.comparison import Comparison, Grade, Tolerance

Number: TypeAlias = int | float | Fraction

EXACT = 2**53
"""Beyond it not every integer is a double."""


class Tally:
    """What was learned of the pairs of numbers so far."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.differing = 0
        self.beyond = 0
        self._absolute = self._relative = 0.0
        self._tolerance = tolerance

    def add(self, pairs: Iterable[tuple[Number, Number]]) -> None:
        """Take in pairs of numbers; a pair of equal ones counts for nothing."""
        relative, absolute = self._tolerance.relative, self._tolerance.absolute
        differing, beyond = self.differing, self.beyond
        most_absolute, most_relative = self._absolute, self._relative
        for one, other in pairs:  # all of the time is spent here, hence no calls that can be spared
            if one == other or (one != one and other != other):  # noqa: PLR0124  # NaN is known by that
                continue
            differing += 1
            if type(one) is float and type(other) is float:
                gap, x, y = abs(one - other), abs(one), abs(other)
                scale = x if x > y else y  # noqa: FURB136
            else:
                gap, scale = _exactly(one, other)
            if gap < inf:
                if gap > most_absolute:  # noqa: PLR1730
                    most_absolute = gap
                if gap > most_relative * scale:
                    most_relative = gap / scale
                if gap <= relative * scale or gap <= absolute:
                    continue
            beyond += 1
        self.differing, self.beyond = differing, beyond
        self._absolute, self._relative = most_absolute, most_relative

    def comparison(self, kind: str) -> Comparison:
        """Return the comparison of files that differ in nothing but these numbers, and how they are written."""
        if not self.differing:
            return Comparison(Grade.EQUIVALENT, kind, "the same content, written otherwise")
        grade = Grade.DIFFERENT if self.beyond else Grade.CLOSE
        beyond = f"{self.beyond} beyond the tolerance" if self.beyond else "all within the tolerance"
        reason = f"{_counted(self.differing)}, {beyond}"
        return Comparison(grade, kind, reason, *self.maxima, self.differing)

    @property
    def maxima(self) -> tuple[float | None, float | None]:
        """The greatest absolute and the greatest relative difference, of those that are finite."""
        return (self._absolute, self._relative) if self._absolute else (None, None)


def _exactly(one: Number, other: Number) -> tuple[float, float]:
    """Return the gap and the scale of numbers that are not both doubles; infinite if no tolerance is for them."""
    if _is_odd(one) or _is_odd(other) or _are_identities(one, other):
        return inf, inf
    x, y = Fraction(one), Fraction(other)
    try:
        gap, scale = float(abs(x - y)), float(max(abs(x), abs(y)))
    except OverflowError:
        return inf, inf
    return (gap or ulp(0.0), scale) if scale else (inf, inf)


def _are_identities(one: Number, other: Number) -> bool:
    return isinstance(one, int) and isinstance(other, int) and max(abs(one), abs(other)) > EXACT


def _is_odd(number: Number) -> bool:
    return isinstance(number, float) and not isfinite(number)


def _counted(count: int) -> str:
    return "1 number differs" if count == 1 else f"{count} numbers differ"
