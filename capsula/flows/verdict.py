"""Judging replays: each output of the recorded run, and of the replays, by what their capsules hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from capsula.core.document import dumps
from capsula.core.fault import Json
from capsula.flows.blueprint import Blueprint
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, part
from capsula.flows.monitor import STDERR, STDOUT, Monitored
from capsula.flows.run import AFTER, BEFORE
from capsula.reproduction.assessment import Context, assessed
from capsula.reproduction.compare import Digest, Recorded, compared, compared_contents, settled
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, different
from capsula.reproduction.telling import sentences
from capsula.reproduction.verdict import Ending, Suspect, Verdict, blocked, judged

_OF_THE_MACHINE = ("determinism", "system")


@frozen
class Replay:
    """A repeated run, where its root was, and how far its numbers may differ."""

    monitored: Monitored
    root: Path
    tolerance: Tolerance
    calls: tuple[Inspected, ...] = ()
    """The capsules of the decorated calls that the program has made, in their order."""


def judgement(it: Blueprint, replays: Sequence[Replay], suspects: Sequence[Suspect]) -> Verdict:
    """Return the verdict over replays of a run: the exit status, the streams, and every file that any of them wrote."""
    lost = [str(fault) for replay in replays if replay.monitored.capsule is None for fault in replay.monitored.faults]
    if lost or not replays:
        return blocked(lost or ["it was not run"], suspects)
    return _judged_calls(it, replays, suspects) if it.function else _judged_runs(it, replays, suspects)


def _judged_runs(it: Blueprint, replays: Sequence[Replay], suspects: Sequence[Suspect]) -> Verdict:
    there = _Side(it.capsule, _outputs(it.result))
    here = [_replayed(replay) for replay in replays]
    names = dict.fromkeys(name for side in (there, *here) for name in side.outputs)
    exit_code = it.result.get("exit_code")
    statuses = tuple(replay.monitored.outcome.exit_code for replay in replays if replay.monitored.outcome)
    return judged(
        {name: _settled(name, there, here, replays[0].tolerance) for name in names},
        ending=Ending(exit_code, statuses) if isinstance(exit_code, int) else None,
        stdout=_stream(STDOUT, there, here, replays[0].tolerance),
        stderr=_stream(STDERR, there, here, replays[0].tolerance),
        suspects=suspects,
    )


def _judged_calls(it: Blueprint, replays: Sequence[Replay], suspects: Sequence[Suspect]) -> Verdict:
    """Return the verdict over a decorated call: what it returned or raised, and the files that were kept after it."""
    calls = [next((call for call in replay.calls if _is_of(it, call)), None) for replay in replays]
    made = [call for call in calls if call]
    if len(made) < len(calls):
        return blocked([_uncalled(it, replays)], suspects)
    results = [call.documents.get(AFTER, {}) for call in made]
    there = _Side(it.capsule, _outputs(it.result))
    here = [_Side(call.entry.directory, _outputs(result)) for call, result in zip(made, results, strict=True)]
    names = dict.fromkeys(name for side in (there, *here) for name in side.outputs)
    outputs = {name: _settled(name, there, here, replays[0].tolerance) for name in names}
    if "return_value" in it.result:
        values = [dumps({"value": result.get("return_value")}) for result in (it.result, *results)]
        outputs["return value"] = _settled_values(values, replays[0].tolerance)
    raised = [int(result.get("exception_info") is not None) for result in (it.result, *results)]
    return judged(outputs, ending=Ending(raised[0], tuple(raised[1:])), suspects=suspects)


def context_suspects(it: Blueprint, replay: Replay) -> tuple[Suspect, ...]:
    """Return in what the machine of the replay is not as the recorded one, as far as both capsules tell."""
    capsule = replay.monitored.capsule
    here = capsule.documents.get(CONTEXT, {}) if capsule else {}
    if not here:
        return ()
    assessment = assessed(Context(it.context, (), str(it.root)), Context(here, (), str(replay.root)), _OF_THE_MACHINE)
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


def _settled_values(values: Sequence[bytes], tolerance: Tolerance) -> Comparison:
    recorded, first, *others = values
    name = "value.json"
    with_record = [compared_contents(recorded, value, name, tolerance) for value in (first, *others)]
    return settled(with_record, [compared_contents(first, value, name, tolerance) for value in others])


@frozen
class _Side:
    """What a capsule says its run has written, and where that is."""

    capsule: Path
    outputs: Mapping[str, Mapping[str, Json]]
    root: Path | None = None
    """Where the files that were not kept still are."""

    def mark(self, name: str) -> str:
        """Return what it is if it is no file: removed, a link, or (empty) a file or not known."""
        facts = self.outputs.get(name, {})
        link = facts.get("link")
        return f"a link to {link}" if isinstance(link, str) else "removed" if facts.get("change") == "removed" else ""

    def recorded(self, name: str) -> Recorded:
        """Return the file, or its digest if it was not kept, or None if it was not written."""
        if name not in self.outputs:
            return None
        facts = self.outputs[name]
        kept, algorithm, digest = (facts.get(key) for key in ("kept_as", "hash_algorithm", "file_hash"))
        if not isinstance(kept, str) and isinstance(digest, str) and algorithm in ("md5", "sha1", "sha256", "sha3"):
            return Digest(algorithm, digest)
        return self.file(name)

    def file(self, name: str) -> Path | None:
        """Return where the file is, or None if it was not written; it may be gone since."""
        if name not in self.outputs:
            return None
        kept = self.outputs[name].get("kept_as")
        return self.capsule / kept if isinstance(kept, str) else (self.root or self.capsule) / name


def _replayed(replay: Replay) -> _Side:
    capsule = replay.monitored.capsule
    directory = capsule.directory if capsule else replay.root
    return _Side(directory, _outputs(capsule.documents.get(AFTER, {}) if capsule else {}), replay.root)


def _outputs(result: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    entries = {**_table(result.get("outputs")), **_table(result.get("files"))}
    return {name: _table(facts) for name, facts in entries.items()}


def _settled(name: str, there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> Comparison:
    marks = [side.mark(name) for side in (there, *here)]
    if any(marks):
        same = len(set(marks)) == 1
        told = (
            f"then {marks[0] or 'a file'}, now {next((mark for mark in marks[1:] if mark != marks[0]), '') or 'a file'}"
        )
        return Comparison(Grade.IDENTICAL, "absence") if same else different("absence", told)
    first, *others = (side.file(name) for side in here)
    with_record = [compared(there.recorded(name), replayed, name, tolerance) for replayed in (first, *others)]
    return settled(with_record, [compared(first, replayed, name, tolerance) for replayed in others])


def _stream(name: str, there: _Side, here: Sequence[_Side], tolerance: Tolerance) -> Comparison:
    first, *others = (side.capsule / name for side in here)
    with_record = [compared(there.capsule / name, log, name, tolerance) for log in (first, *others)]
    return settled(with_record, [compared(first, log, name, tolerance) for log in others])


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
