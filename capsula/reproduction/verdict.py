"""The verdict: what became of a reproduction as a whole, and beside it, whether the context was the recorded one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from capsula.core.fault import Json
from capsula.reproduction.comparison import Comparison, Grade

FORMAT = 1
RANKS = ("source", "inputs", "packages", "interpreter", "determinism", "system")
"""What of a context is suspected of a difference, the likeliest first."""

_MOST_TOLD = 10
"""Outputs that are shown one by one."""


class Ending(NamedTuple):
    """The exit status of the recorded run, and those of its replays; of a call 0 if it returned, 1 if it raised."""

    recorded: int | None
    """None if what the capsule says is no exit status: then nobody can tell whether a replay ended alike."""
    replayed: tuple[int, ...]

    @property
    def grade(self) -> Grade:
        """Identical if all replays ended so: also with the status of a failure, if that is the recorded one."""
        if self.recorded is None or not self.replayed:
            return Grade.INCOMPLETE
        return Grade.IDENTICAL if {*self.replayed} == {self.recorded} else Grade.FAILED


class Suspect(NamedTuple):
    """A part of the context that was not the recorded one."""

    facet: str
    reason: str = ""


class Verdict(NamedTuple):
    """What was judged, and how; ``judged`` and ``blocked`` make it."""

    ending: Ending | None = None
    stdout: Comparison | None = None
    """None of a function call, and of a command whose output was not kept."""
    stderr: Comparison | None = None
    """For information: it takes no part in the grade."""
    outputs: Mapping[str, Comparison] = {}
    """Name to comparison, of all files that the recorded run or a replay is known to have written."""
    values: Mapping[str, Comparison] | None = None
    """Of a function call: what it returned or raised, empty if that was not recorded; None of a command."""
    suspects: tuple[Suspect, ...] | None = None
    """What of the context has drifted, the likeliest cause first; None if nobody looked."""
    blockers: tuple[str, ...] = ()
    """Why it was not run."""
    interruption: str = ""
    """What ended the replay before its time, if anything did."""

    @property
    def grade(self) -> Grade:
        """The worst of all that was judged."""
        if self.interruption:
            return Grade.INTERRUPTED
        if self.blockers:
            return Grade.BLOCKED
        grades = [it.grade if it.judged else Grade.INCOMPLETE for it in self._comparisons]
        grades += [self.ending.grade] if self.ending else []
        return max(grades if self._is_something_known else [*grades, Grade.INCOMPLETE])

    @property
    def is_complete(self) -> bool:
        """Whether something was judged, and all that is known was."""
        is_ending_known = self.ending is None or self.ending.grade is not Grade.INCOMPLETE
        return self._is_something_known and is_ending_known and all(it.judged for it in self._comparisons)

    @property
    def judged(self) -> tuple[str, ...]:
        """What the grade is of, in words."""
        status = (_ended(self),) if self.ending and self.ending.grade is not Grade.INCOMPLETE else ()
        stdout = ("stdout",) if self.stdout and self.stdout.judged else ()
        values = tuple(name for name, it in (self.values or {}).items() if it.judged)
        count = sum(it.judged for it in self.outputs.values())
        files = (f"{count} output file{'s' if count > 1 else ''}",) if count else ()
        return status + stdout + values + files

    @property
    def _is_something_known(self) -> bool:
        """That a call returned, or how a command ended, is not what it was made for."""
        return bool(self._comparisons)

    @property
    def _comparisons(self) -> tuple[Comparison, ...]:
        return tuple(it for _, it in _named(self))

    def as_facts(self) -> dict[str, Json]:
        """Return the verdict as JSON; all keys are always there."""
        return {
            "format": FORMAT,
            "verdict": self.grade.word,
            "complete": self.is_complete,
            "judged": list(self.judged),
            "exit_status": _ending_facts(self.ending) if self.values is None else None,
            "call": _call_facts(self.ending, self.values) if self.values is not None else None,
            "stdout": self.stdout.as_facts() if self.stdout else None,
            "stderr": self.stderr.as_facts() if self.stderr else None,
            "outputs": {name: it.as_facts() for name, it in self.outputs.items()},
            "context": _context_facts(self.suspects),
            "blockers": list(self.blockers),
        }


def judged(  # noqa: PLR0913  # all that a run, or a call, comes to
    outputs: Mapping[str, Comparison],
    *,
    ending: Ending | None = None,
    stdout: Comparison | None = None,
    stderr: Comparison | None = None,
    values: Mapping[str, Comparison] | None = None,
    suspects: Iterable[Suspect] | None = None,
) -> Verdict:
    """Return the verdict over a replay, or several; ``suspects`` empty means that the context is exactly the recorded.

    Comparisons of several replays are ``settled`` first, each to one.
    """
    ordered = None if suspects is None else tuple(sorted(suspects, key=_rank))
    return Verdict(ending, stdout, stderr, dict(sorted(outputs.items())), values, ordered)


def blocked(blockers: Sequence[str], suspects: Iterable[Suspect] | None = None) -> Verdict:
    """Return the verdict over what could not be run, with the reasons, of which there is at least one."""
    ordered = None if suspects is None else tuple(sorted(suspects, key=_rank))
    return Verdict(suspects=ordered, blockers=tuple(blockers) or ("it was not run",))


def interrupted(by: str) -> Verdict:
    """Return the verdict over a replay that was ended from outside, as by the name of a signal."""
    return Verdict(interruption=by)


def exit_status(verdict: Verdict, require: Grade = Grade.CLOSE) -> int:
    """Return 0 for a complete verdict that is as good as required, 1 for any other, 3 for failed, 4 for blocked.

    One that was interrupted has 130, as from a shell.
    """
    match verdict.grade:
        case Grade.INTERRUPTED:
            return 130
        case Grade.BLOCKED:
            return 4
        case Grade.FAILED:
            return 3
    return 0 if verdict.is_complete and verdict.grade <= require else 1


def lines(verdict: Verdict) -> tuple[str, ...]:
    """Return the verdict for a person: what it is first, then all that is not identical, and the context."""
    return (_headline(verdict), *_details(verdict), *_judged_line(verdict), _context_line(verdict.suspects))


def _headline(verdict: Verdict) -> str:
    grade = verdict.grade
    match grade:
        case Grade.BLOCKED:
            return f"blocked: {'; '.join(map(_shown, verdict.blockers))}"
        case Grade.INTERRUPTED:
            return f"interrupted: the replay was ended by {_shown(verdict.interruption)}"
        case Grade.FAILED if verdict.ending and verdict.values is not None:
            return (
                f"failed: it {_CALL[not verdict.ending.recorded]}, where it had {_CALL[bool(verdict.ending.recorded)]}"
            )
        case Grade.FAILED if verdict.ending:
            return f"failed: exit status {_statuses(verdict.ending)} instead of {verdict.ending.recorded}"
    if _is_good(verdict):
        return f"{grade.word}: {_all_judged(verdict)}"
    ending = [_ended(verdict)] if verdict.ending and verdict.ending.grade == grade else []
    at_fault = ending + [name for name, it in _named(verdict) if (it.grade if it.judged else Grade.INCOMPLETE) == grade]
    shown = ", ".join(map(_shown, at_fault[:3])) + (f" and {len(at_fault) - 3} more" if len(at_fault) > 3 else "")
    return f"{grade.word}: {shown or _nothing(verdict)}"


def _details(verdict: Verdict) -> Iterable[str]:
    """Yield a line for each comparison that says more than the headline: of a bad verdict only for what is bad."""
    floor = Grade.IDENTICAL if _is_good(verdict) else Grade.CLOSE
    worth_telling = [(name, it) for name, it in _named(verdict) if it.grade > floor]
    worth_telling.sort(key=lambda named: -named[1].grade)
    if verdict.ending and verdict.ending.grade is Grade.INCOMPLETE:
        yield "  exit status: not judged: the capsule does not say how the run ended"
    for name, it in worth_telling[:_MOST_TOLD]:
        yield f"  {_shown(name)}: {it.grade.word if it.judged else 'not judged'} ({it.kind}): {_shown(_told(it))}"
    if len(worth_telling) > _MOST_TOLD:
        yield f"  and {len(worth_telling) - _MOST_TOLD} more"
    if verdict.stderr and verdict.stderr.grade > Grade.IDENTICAL:
        yield f"  stderr, which is not judged, differs: {_shown(verdict.stderr.reason)}"


def _judged_line(verdict: Verdict) -> tuple[str, ...]:
    if _is_good(verdict) or verdict.blockers or not verdict.judged:
        return ()
    return (f"judged: {_all_judged(verdict)}",)


def _context_line(suspects: tuple[Suspect, ...] | None) -> str:
    if suspects is None:
        return "context: not compared"
    if not suspects:
        return "context: exact"
    told = (f"{it.facet} ({it.reason})" if it.reason else it.facet for it in suspects)
    return f"context: drifted: {_shown(', '.join(told))}"


def _is_good(verdict: Verdict) -> bool:
    return verdict.is_complete and verdict.grade <= Grade.CLOSE


def _named(verdict: Verdict) -> tuple[tuple[str, Comparison], ...]:
    stdout = {"stdout": verdict.stdout} if verdict.stdout else {}
    return (*stdout.items(), *(verdict.values or {}).items(), *verdict.outputs.items())


def _all_judged(verdict: Verdict) -> str:
    return "; ".join((", ".join(verdict.judged), *_unjudged(verdict), *(() if verdict.outputs else (_NO_FILES,))))


def _unjudged(verdict: Verdict) -> tuple[str, ...]:
    """Return what was not recorded, and so takes no part in the grade."""
    if verdict.values is None:
        return () if verdict.stdout else ("stdout was not kept",)
    return () if verdict.values else ("what it returned was not recorded",)


def _nothing(verdict: Verdict) -> str:
    if verdict.ending is None:
        return "nothing is known that could be judged"
    remedy = "" if verdict.values is None else " (include_return_value=True does)"
    return f"{', '.join(_unjudged(verdict))}{remedy}, and no file is known"


_NO_FILES = "no output files known"
_CALL = ("returned", "raised")
"""How a call ended, by the status that stands for it."""


def _ended(verdict: Verdict) -> str:
    """Return what of the ending is judged."""
    if verdict.values is None or verdict.ending is None:
        return "exit status"
    return f"that it {_CALL[bool(verdict.ending.recorded)]}"


def _told(comparison: Comparison) -> str:
    if comparison.max_absolute is None or comparison.max_relative is None:
        return comparison.reason
    return f"{comparison.reason}; by {comparison.max_absolute:.3g} at most, {comparison.max_relative:.3g} in proportion"


def _statuses(ending: Ending) -> str:
    return ", ".join(map(str, dict.fromkeys(ending.replayed)))


def _shown(text: str) -> str:
    """Return the text as one line, whatever a file is called."""
    return "".join(it if it.isprintable() else it.encode("unicode_escape", "surrogatepass").decode() for it in text)


def _rank(suspect: Suspect) -> tuple[int, str]:
    return (RANKS.index(suspect.facet) if suspect.facet in RANKS else len(RANKS), suspect.facet)


def _ending_facts(ending: Ending | None) -> Json:
    if ending is None:
        return None
    return {
        "grade": ending.grade.word,
        "recorded": ending.recorded,
        "replayed": list(ending.replayed),
    }


def _call_facts(ending: Ending | None, values: Mapping[str, Comparison]) -> Json:
    ended = ending or Ending(None, ())
    return {
        "grade": ended.grade.word,
        "recorded": None if ended.recorded is None else _CALL[bool(ended.recorded)],
        "replayed": [_CALL[bool(status)] for status in ended.replayed],
        "values": {name: it.as_facts() for name, it in values.items()},
    }


def _context_facts(suspects: tuple[Suspect, ...] | None) -> Json:
    state = "unknown" if suspects is None else "drifted" if suspects else "exact"
    return {"state": state, "suspects": [{"facet": it.facet, "reason": it.reason} for it in suspects or ()]}
