"""Comparators of other packages, for kinds of files that we do not know; without one, bytes are all there is."""

from typing import TYPE_CHECKING, Protocol

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, different, or_different
from capsula.reproduction.pair import Pair, Terms

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "capsula.comparators"

_GRADES = (Grade.IDENTICAL, Grade.EQUIVALENT, Grade.CLOSE, Grade.DIFFERENT)


class ForeignComparator(Protocol):
    """What an entry point of the group leads to, a module or any object; its name is a suffix, as ``h5``."""

    def compare(self, recorded: bytes, replayed: bytes, tolerance: Tolerance) -> Comparison:
        """Return how two contents compare that differ."""
        ...


def compare(suffix: str, pair: Pair, terms: Terms) -> Comparison:
    """Return how two files of this suffix compare, whose bytes differ; a comparator that fails is told."""
    point = _entry_point(suffix.removeprefix("."))
    if not point:
        return different("bytes", "its bytes differ")
    answer = pair.whole.bind(lambda both: _loaded(point).bind(lambda it: _asked(it, *both, terms.tolerance)))
    told = answer.alt(lambda fault: fault._replace(message=f"its bytes differ; its comparator failed: {fault.message}"))
    return or_different("bytes", told)


def _entry_point(name: str) -> "EntryPoint | None":
    if not name:
        return None
    from importlib.metadata import entry_points  # nobody else shall pay for it

    points = entry_points(group=ENTRY_POINTS)
    return next((point for point in points if point.name.removeprefix(".").lower() == name), None)


def _loaded(point: "EntryPoint") -> Result[ForeignComparator, Fault]:
    try:
        comparator: ForeignComparator = point.load()
    except (Exception, SystemExit) as trouble:  # importing a plugin runs its code, which may raise anything
        return Failure(Fault("broken", f"{point.value}: {type(trouble).__name__}: {trouble}"))
    return Success(comparator)


def _asked(
    comparator: ForeignComparator, recorded: bytes, replayed: bytes, tolerance: Tolerance
) -> Result[Comparison, Fault]:
    try:
        answer: object = comparator.compare(recorded, replayed, tolerance)
    except Exception as bug:  # a plugin that crashes costs no other output
        return Failure(Fault("crashed", f"{type(bug).__name__}: {bug}"))
    if isinstance(answer, Comparison) and answer.grade in _GRADES:
        return Success(answer._replace(grade=max(answer.grade, Grade.EQUIVALENT)))  # the bytes do differ
    return Failure(Fault("malformed", "it answered with no grade that two contents can have"))
