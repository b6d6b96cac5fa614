"""Judging replays: each output of the recorded run, and of the replays, by what their capsules hold."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from attrs import frozen

from capsula.core.document import Document, dumps
from capsula.core.fault import Json
from capsula.core.foreign import safe
from capsula.core.settings import ItemSettings, Settings
from capsula.core.upgrade import is_old
from capsula.flows.blueprint import Blueprint
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, keeps_output, kept, part
from capsula.flows.monitor import STDERR, STDOUT, Monitored
from capsula.flows.run import AFTER, BEFORE
from capsula.flows.seals import is_same
from capsula.reproduction.assessment import Context, assessed
from capsula.reproduction.compare import Digest, Recorded, compared, compared_contents, settled
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, different, unjudged
from capsula.reproduction.moments import Span, span
from capsula.reproduction.places import Places, places
from capsula.reproduction.telling import sentences
from capsula.reproduction.verdict import Ending, Suspect, Verdict, blocked, judged

_OF_THE_MACHINE = ("determinism", "system")
_OF_AN_ENVIRONMENT = ("packages", "interpreter")
"""What is known of one that was built; of one that is here, its facts tell."""


class Replay(NamedTuple):
    """A repeated run, where it was, and how far its numbers may differ."""

    monitored: Monitored
    root: Path
    tolerance: Tolerance
    environment: Path | None = None
    """The directory of the rebuilt one."""
    calls: tuple[Inspected, ...] = ()
    """The capsules of the decorated calls that the program has made, in their order."""


def tolerance(settings: Settings, items: Iterable[str]) -> Tolerance:
    """Return how far the numbers of these items may differ; of several, the most that any allows."""
    wishes = [settings.monitor.item[item] for item in items if item in settings.monitor.item] or [ItemSettings()]
    return Tolerance(max(wish.relative_tolerance for wish in wishes), max(wish.absolute_tolerance for wish in wishes))


def judgement(it: Blueprint, replays: Sequence[Replay], suspects: Sequence[Suspect]) -> Verdict:
    """Return the verdict over replays of a run: the exit status, the streams, and every file that any of them wrote."""
    lost = [str(fault) for replay in replays if replay.monitored.capsule is None for fault in replay.monitored.faults]
    if lost or not replays:
        return blocked(lost or ["it was not run"], suspects)
    return _judged_calls(it, replays, suspects) if it.function else _judged_runs(it, replays, suspects)


def _judged_runs(it: Blueprint, replays: Sequence[Replay], suspects: Sequence[Suspect]) -> Verdict:
    there = _recorded(it)
    here = [_replayed(it, replay) for replay in replays]
    is_kept = keeps_output(it.documents)
    statuses = tuple(replay.monitored.outcome.exit_code for replay in replays if replay.monitored.outcome)
    return judged(
        _files(there, here, replays[0].tolerance),
        ending=Ending(_status(it.result.get("exit_code")), statuses),
        stdout=_stream(STDOUT, there, here, replays[0].tolerance) if is_kept else None,
        stderr=_stream(STDERR, there, here, replays[0].tolerance) if is_kept else None,
        suspects=suspects,
    )


def _status(told: Json) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _judged_calls(it: Blueprint, replays: Sequence[Replay], suspects: Sequence[Suspect]) -> Verdict:
    """Return the verdict over a decorated call: what it returned or raised, and the files that were kept after it."""
    calls = [next((call for call in replay.calls if _is_of(it, call)), None) for replay in replays]
    made = [(call, replay) for call, replay in zip(calls, replays, strict=True) if call]
    if len(made) < len(calls):
        return blocked([_uncalled(it, replays)], suspects)
    there = _recorded(it)
    here = [_called(it, replay, call) for call, replay in made]
    raised = [int(side.result.get("exception_info") is not None) for side in (there, *here)]
    return judged(
        _files(there, here, replays[0].tolerance),
        ending=Ending(raised[0], tuple(raised[1:])),
        values=_values(there, here, replays[0].tolerance),
        suspects=suspects,
    )


def context_suspects(it: Blueprint, replay: Replay) -> tuple[Suspect, ...]:
    """Return in what the machine of the replay is not as the recorded one, as far as both capsules tell."""
    capsule = replay.monitored.capsule
    here = capsule.documents.get(CONTEXT, {}) if capsule else {}
    if not here:
        return ()
    names = _OF_THE_MACHINE if replay.environment else (*_OF_THE_MACHINE, *_OF_AN_ENVIRONMENT)
    assessment = assessed(Context(it.context, (), str(it.root)), Context(here, (), str(replay.root)), names)
    drift = (Suspect(aspect.name, "; ".join(sentences(aspect.differences))) for aspect in assessment.drifted)
    seeds = (part(it.documents[BEFORE], "environment_changes"), part(it.context, "environment", "values"))
    is_known = it.function or any("PYTHONHASHSEED" in _table(seed) for seed in seeds)
    return (*drift, *(() if is_known else (Suspect("determinism", "the hash seed was not recorded"),)))


def _uncalled(it: Blueprint, replays: Sequence[Replay]) -> str:
    outcomes = [replay.monitored.outcome for replay in replays]
    statuses = ", ".join(str(outcome.exit_code) for outcome in outcomes if outcome)
    return f"the replay did not call {it.function} with the same arguments; its program ended with status {statuses}"


def _is_of(it: Blueprint, call: Inspected) -> bool:
    there, here = it.documents.get(BEFORE, {}), call.documents.get(BEFORE, {})
    return all(there.get(key) == here.get(key) for key in ("qualified_name", "args", "kwargs"))


@frozen
class _Side:
    """What a capsule says that its run has written, and where that is."""

    capsule: Path
    result: Document
    directories: tuple[Path | None, ...]
    """Those whose paths differ from side to side, in one order on all."""
    root: Path | None = None
    """Where the files that were not kept still are."""
    vault: Path | None = None
    """Whose key tells what is like that which was withheld."""

    @cached_property
    def outputs(self) -> Mapping[str, Mapping[str, Json]]:
        """Path to facts."""
        entries = {**_table(self.result.get("outputs")), **_table(self.result.get("files"))}
        return {name: _table(facts) for name, facts in entries.items()}

    @cached_property
    def span(self) -> Span | None:
        """When the run was, if that is known."""
        return span(self.result.get("started"), self.result.get("timestamp")).value_or(None)

    def mark(self, name: str) -> str:
        """Return what it is if it is no file: removed, a link, or (empty) a file or not known."""
        facts = self.outputs.get(name, {})
        link = facts.get("link")
        return f"a link to {link}" if isinstance(link, str) else "removed" if facts.get("change") == "removed" else ""

    def recorded(self, name: str) -> Recorded:
        """Return the file, or its digest if it was not kept, or None if it was not written.

        One of which neither is known has a digest that no file has.
        """
        if name not in self.outputs:
            return None
        facts = self.outputs[name]
        algorithm, digest = (facts.get(key) for key in ("hash_algorithm", "file_hash"))
        if held := kept(self.capsule, facts):
            return held
        if isinstance(digest, str) and algorithm in ("md5", "sha1", "sha256", "sha3"):
            return Digest(algorithm, digest)
        return Digest("sha256", "")

    def file(self, name: str) -> Path | None:
        """Return where the file is, or None if it was not written; it may be gone since."""
        if name not in self.outputs:
            return None
        return kept(self.capsule, self.outputs[name]) or (self.root or self.capsule) / name

    def places(self, there: "_Side") -> Places:
        """Return what its directories were called on another side."""
        return places(there.directories, self.directories, (there.span, self.span))


def _recorded(it: Blueprint) -> _Side:
    prefix = part(it.context, "python_packages", "interpreter", "prefix")
    environment = Path(prefix) if isinstance(prefix, str) else None
    vault = it.vault if it.is_own else None
    return _Side(it.capsule, it.result, (it.root, Path(it.outermost), environment, it.capsule), vault=vault)


def _replayed(it: Blueprint, replay: Replay) -> _Side:
    capsule = replay.monitored.capsule
    directory = capsule.directory if capsule else replay.root
    result = capsule.documents.get(AFTER, {}) if capsule else {}
    return _Side(directory, result, _directories(it, replay, directory), replay.root)


def _called(it: Blueprint, replay: Replay, call: Inspected) -> _Side:
    directory = call.entry.directory
    return _Side(directory, call.documents.get(AFTER, {}), _directories(it, replay, directory))


def _directories(it: Blueprint, replay: Replay, capsule: Path) -> tuple[Path | None, ...]:
    inner = os.path.relpath(it.root, it.outermost)
    outermost = replay.root if inner == "." else replay.root.parents[inner.count("/")]
    return (replay.root, outermost, replay.environment, capsule)


def _files(there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> dict[str, Comparison]:
    names = dict.fromkeys(name for side in (there, *here) for name in side.outputs)
    return {name: _settled(name, there, here, tolerance) for name in names}


def _settled(name: str, there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> Comparison:
    marks = [side.mark(name) for side in (there, *here)]
    if any(marks):
        same = len(set(marks)) == 1
        now = next((mark for mark in marks[1:] if mark != marks[0]), "")
        told = f"then {marks[0] or 'a file'}, now {now or 'a file'}"
        return Comparison(Grade.IDENTICAL, "absence") if same else different("absence", told)
    first, *others = here
    return settled(
        [_compared(name, there, side, tolerance) for side in here],
        [compared(first.file(name), side.file(name), name, tolerance, side.places(first)) for side in others],
    )


def _compared(name: str, there: _Side, here: _Side, tolerance: Tolerance) -> Comparison:
    file, facts = here.file(name), there.outputs.get(name, {})
    if file is None or "seal" not in facts:
        return compared(there.recorded(name), file, name, tolerance, here.places(there))
    match is_same(file, facts, there.vault):
        case True:
            return Comparison(Grade.IDENTICAL, "digest")
        case False:
            return different("digest", "has other content than what was withheld")
    return unjudged("digest", "was withheld, and nothing tells its content")


def _stream(log: str, there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> Comparison:
    first, *others = here
    text = there.result.get(log.removesuffix(".log")) if is_old(there.result) else None
    return settled(
        [
            _compared_text(text, side.capsule / log, tolerance, side.places(there))
            if isinstance(text, str)
            else _compared_logs(log, there, side, tolerance)
            for side in here
        ],
        [_compared_logs(log, first, side, tolerance) for side in others],
    )


def _compared_logs(log: str, there: _Side, here: _Side, tolerance: Tolerance) -> Comparison:
    """Compare what was printed: where secrets were marked, by other rules maybe, the digest of all of it counts."""
    digests = [part(side.result, "logs", log.removesuffix(".log"), "digest") for side in (there, here)]
    if isinstance(digests[0], str) and digests[0] == digests[1]:
        return Comparison(Grade.IDENTICAL, "digest")
    return compared(there.capsule / log, here.capsule / log, log, tolerance, here.places(there))


def _compared_text(text: str, log: Path, tolerance: Tolerance, places: Places) -> Comparison:
    """Return how a stream compares of which an old capsule holds the text alone, its lines all ending alike."""
    read = safe(exceptions=(OSError,))(log.read_bytes)().value_or(b"")
    lines = read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return compared_contents(text.encode("utf-8", "surrogateescape"), lines, log.name, tolerance, places)


def _values(there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> dict[str, Comparison]:
    """Return how that compares which a call has returned or raised, as far as any side tells."""
    return {
        name: _settled_values([dumps(told(side.result)) for side in (there, *here)], there, here, tolerance)
        for name, told in (("return value", _returned), ("exception", _raised))
        if any(told(side.result) for side in (there, *here))
    }


def _returned(result: Document) -> Document:
    return {"value": result["return_value"]} if "return_value" in result else {}


def _raised(result: Document) -> Document:
    told = _table(result.get("exception_info"))
    return {key: told[key] for key in ("error_type", "error_message") if key in told}


def _settled_values(values: Sequence[bytes], there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> Comparison:
    recorded, first, *others = values
    name = "value.json"
    return settled(
        [
            compared_contents(recorded, value, name, tolerance, side.places(there))
            for value, side in zip((first, *others), here, strict=True)
        ],
        [
            compared_contents(first, value, name, tolerance, side.places(here[0]))
            for value, side in zip(others, here[1:], strict=True)
        ],
    )


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
