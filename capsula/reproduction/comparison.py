"""A comparison: how like the recorded output the replayed one is, and why not more."""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from returns.result import Failure, Result

from capsula.core.fault import Fault, Json


class Grade(IntEnum):
    """How a reproduction came out; of several the greatest, which is the worst, stands for all."""

    IDENTICAL = 0
    """The same bytes."""
    EQUIVALENT = 1
    """The same content: but for dates, ids, the order of keys, or how the same numbers are written."""
    CLOSE = 2
    """Numbers differ within the tolerance, and nothing else."""
    NONDETERMINISTIC = 3
    """The replays differ among themselves."""
    INCOMPLETE = 4
    """Of a whole: something that is known could not be judged."""
    DIFFERENT = 5
    EXTRA = 6
    """Of the replay alone."""
    MISSING = 7
    """Of the recorded run alone."""
    FAILED = 8
    """Of a whole: it ended otherwise than the recorded run."""
    BLOCKED = 9
    """Of a whole: it was not run."""
    INTERRUPTED = 10
    """Of a whole: it was run, and not to its end."""

    @property
    def word(self) -> str:
        """The grade in small letters, as it is shown and recorded."""
        return self.name.lower()


class Tolerance(NamedTuple):
    """How far numbers may differ and still be close.

    Two numbers x and y are close if ``|x - y| <= max(absolute, relative * max(|x|, |y|))``, the bound included, as in
    ``math.isclose``: neither of them is the reference. NaN equals NaN, an infinity itself, -0.0 equals 0.0; beside any
    other number they are beyond every tolerance. So are two integers that differ, if a double cannot hold them both
    (beyond 2**53): such are identities or hashes, and no measurements.
    """

    relative: float = 1e-9
    absolute: float = 0.0


class Comparison(NamedTuple):
    """The grade of one output, and what speaks for it; maxima are of finite differences, none without such."""

    grade: Grade
    kind: str
    """What it was compared as: ``bytes``, ``hash``, ``text``, ``npy``, ..."""
    reason: str = ""
    """Why it is no better; a phrase without a full stop."""
    max_absolute: float | None = None
    max_relative: float | None = None
    """A proportion of the greater of the two numbers."""
    differing: int = 0
    """Count of the numbers that differ, within the tolerance or not."""
    judged: bool = True
    """Whether enough was known; if not, ``grade`` is the worst that it may be."""

    def as_facts(self) -> dict[str, Json]:
        """Return the comparison as it stands in JSON; all keys are always there."""
        return {
            "grade": self.grade.word,
            "kind": self.kind,
            "reason": self.reason,
            "max_absolute": self.max_absolute,
            "max_relative": self.max_relative,
            "differing_numbers": self.differing,
            "judged": self.judged,
        }


def different(kind: str, reason: str) -> Comparison:
    """Return the comparison of what differs, and was judged."""
    return Comparison(Grade.DIFFERENT, kind, reason)


def unjudged(kind: str, reason: str) -> Comparison:
    """Return the comparison of what too little is known of."""
    return Comparison(Grade.DIFFERENT, kind, reason, judged=False)


def or_different(kind: str, answer: Result[Comparison, Fault]) -> Comparison:
    """Return the comparison; of files that are not what they should be, that they differ.

    Those that are too ``large`` to look into are not judged.
    """
    match answer:
        case Failure(fault):
            return (unjudged if fault.kind == "large" else different)(kind, fault.message)
    return answer.unwrap()


def worst(comparisons: Iterable[Comparison]) -> Comparison:
    """Return the one of the worst grade, the first of several; an unjudged one only if the others are no worse."""
    return max(comparisons, key=lambda it: (it.grade, it.judged))
