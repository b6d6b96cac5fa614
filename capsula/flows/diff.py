"""Comparing two capsules: what went in, what came out, and which of the first most likely explains the second."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from capsula.core.config import Config
from capsula.core.document import Document
from capsula.core.fault import Json
from capsula.effects.key import vault_of
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, keeps_output, kept, part
from capsula.flows.monitor import STDERR, STDOUT
from capsula.flows.run import AFTER, BEFORE
from capsula.flows.source_changes import Side, SourceChange, source_changes
from capsula.flows.verdict import tolerance
from capsula.flows.verify import recorded
from capsula.reproduction.assessment import Assessment, Context, assessed
from capsula.reproduction.compare import compared
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, different, unjudged
from capsula.reproduction.moments import Span, span
from capsula.reproduction.places import Places, places

EXIT = "exit status"
OUT = "stdout"
ERR = "stderr"


class Diff(NamedTuple):
    """How two capsules compare, ``there`` the first and ``here`` the second."""

    assessment: Assessment
    """What went in."""
    results: Mapping[str, Comparison]
    """What came out, by name: the exit status, the streams, and each file; empty without a run on both sides."""
    unkept: tuple[str, ...]
    """The streams that cannot be compared: not both runs kept them."""
    source: tuple[SourceChange, ...]
    """The files of the source that changed."""

    @property
    def differing(self) -> tuple[str, ...]:
        """The results that are not the same; what is written to standard error is for information."""
        return tuple(name for name, it in self.results.items() if it.grade > Grade.CLOSE and name != ERR)

    @property
    def is_same(self) -> bool:
        """Whether nothing differs that could change a result, and no result does."""
        return not (self.differing or self.assessment.drifted or self.source)


def diff(one: Inspected, other: Inspected, config: Config) -> Diff:
    """Return how two capsules compare; ``config`` tells where a repository with their commits may be.

    A hash seed that Capsula drew differs from run to run, and so counts only where results do.
    """
    results = _results(one, other, _Terms(_tolerance(one, other, config), _places(one, other)))
    is_seed_of_note = any(it.grade > Grade.EQUIVALENT for it in results.values())
    there, here = (_whole(capsule, with_seed=is_seed_of_note) for capsule in (one, other))
    changes = source_changes(
        Side(one.entry.directory, there.facts), Side(other.entry.directory, here.facts), config.root
    )
    is_kept = keeps_output(one.documents) and keeps_output(other.documents)
    return Diff(assessed(there, here), results, () if is_kept or not results else (OUT, ERR), changes)


_STARTED = ("args", "kwargs", "function_name", "items", "command")


def _whole(capsule: Inspected, *, with_seed: bool) -> Context:
    """Return the context of a capsule together with how its run was started."""
    context = recorded(capsule)
    before = capsule.documents.get(BEFORE, {})
    start: dict[str, Json] = {key: before[key] for key in _STARTED if key in before}
    seed = part(before, "environment_changes", "PYTHONHASHSEED")
    drawn: dict[str, Json] = {"environment_changes": {"PYTHONHASHSEED": seed}} if with_seed and seed else {}
    root = before.get("root_directory")
    return context._replace(
        facts={**context.facts, **start, **drawn}, root=context.root or (root if isinstance(root, str) else "")
    )


class _Terms(NamedTuple):
    """On what terms results compare: as those of a replay do."""

    tolerance: Tolerance
    places: Places


def _tolerance(one: Inspected, other: Inspected, config: Config) -> Tolerance:
    listed = [part(capsule.documents, BEFORE, "items") for capsule in (one, other)]
    items = {item for items in listed if isinstance(items, list) for item in items if isinstance(item, str)}
    return tolerance(config.settings, items)


def _places(one: Inspected, other: Inspected) -> Places:
    spans = (_span(capsule.documents.get(AFTER, {})) for capsule in (one, other))
    return places(_directories(one), _directories(other), spans)


def _span(after: Document) -> Span | None:
    return span(after.get("started"), after.get("timestamp")).value_or(None)


def _directories(capsule: Inspected) -> tuple[Path | None, ...]:
    """Return the root of a run, its virtual environment, and its capsule."""
    root = part(capsule.documents, BEFORE, "root_directory")
    told = part(capsule.documents, CONTEXT, "python_packages", "interpreter")
    prefix, above = (part(told, key) for key in ("prefix", "base_prefix"))
    return (_directory(root), _directory(prefix) if prefix != above else None, capsule.entry.directory)


def _directory(told: Json) -> Path | None:
    return Path(told) if isinstance(told, str) else None


def _results(one: Inspected, other: Inspected, terms: _Terms) -> dict[str, Comparison]:
    endings = [capsule.documents.get(AFTER) for capsule in (one, other)]
    if endings[0] is None or endings[1] is None:
        return {}
    return {
        **_values(endings[0], endings[1]),
        **_streams(one, other, terms),
        **_outputs(one, other, endings[0], endings[1], terms),
    }


def _values(one: Document, other: Document) -> dict[str, Comparison]:
    """Return how the values compare that a run ends with."""
    return {
        name: Comparison(Grade.IDENTICAL, "value") if pair[0] == pair[1] else different("value", _change(*pair))
        for name, value in _ENDINGS.items()
        if (pair := (value(one), value(other))) != (None, None)
    }


def _exit(after: Document) -> Json:
    return after.get("signal") or after.get("exit_code")


def _raised(after: Document) -> Json:
    told = [part(after, "exception_info", key) for key in ("error_type", "error_message")]
    return ": ".join(text for text in told if isinstance(text, str)) or None


def _value(key: str, after: Document) -> Json:
    return after.get(key) or None


_ENDINGS: Mapping[str, Callable[[Document], Json]] = {
    EXIT: _exit,
    "exception": _raised,
    "return value": partial(_value, "return_value"),
    "records": partial(_value, "records"),
}


def _change(one: Json, other: Json) -> str:
    told = ["none" if value is None else str(value) for value in (one, other)]
    return f"{told[0]} → {told[1]}" if all(len(text) <= 60 for text in told) else "other than there"


def _streams(one: Inspected, other: Inspected, terms: _Terms) -> dict[str, Comparison]:
    """Return how the streams compare, by their logs, or else by the text in the records."""
    found: dict[str, Comparison] = {}
    if not (keeps_output(one.documents) and keeps_output(other.documents)):
        return found
    for name, log in ((OUT, STDOUT), (ERR, STDERR)):
        logs = [capsule.entry.directory / log for capsule in (one, other)]
        texts = [part(capsule.documents[AFTER], name) for capsule in (one, other)]
        if all(file.is_file() and not file.is_symlink() for file in logs):
            found[name] = compared(logs[0], logs[1], log, terms.tolerance, terms.places)
        elif texts != [None, None]:
            found[name] = Comparison(Grade.IDENTICAL, "text") if texts[0] == texts[1] else different("text", "")
    return found


class _Output(NamedTuple):
    """A file that a run left: what is known of it, and where it is kept."""

    facts: Json
    kept: Path | None
    vault: Path | None
    """Whose key has sealed it, if it was withheld."""

    @property
    def hash(self) -> tuple[Json, Json]:
        """How its content was made into what tells it from another, and that."""
        if seal := part(self.facts, "seal", "sha256"):
            return f"key of {self.vault}", seal
        return part(self.facts, "hash_algorithm"), part(self.facts, "file_hash")


def _outputs(
    one: Inspected, other: Inspected, before: Document, after: Document, terms: _Terms
) -> dict[str, Comparison]:
    there, here = _files(one.entry.directory, before), _files(other.entry.directory, after)
    return {name: _judged(name, there.get(name), here.get(name), terms) for name in sorted({*there, *here})}


def _files(directory: Path, after: Document) -> dict[str, _Output]:
    """Return the files that are declared or were found; of those that were removed, nothing is left."""
    listed = [facts for key in ("outputs", "files") if isinstance(facts := after.get(key), Mapping)]
    return {
        name: _Output(facts, kept(directory, facts), vault_of(directory))
        for files in listed
        for name, facts in files.items()
        if part(facts, "change") != "removed"
    }


def _judged(name: str, there: _Output | None, here: _Output | None, terms: _Terms) -> Comparison:
    if there is None or here is None:
        grade = Grade.EXTRA if there is None else Grade.MISSING
        return Comparison(grade, "file", f"only the {'second' if there is None else 'first'} has it")
    hashes = [it.hash for it in (there, here)]
    if hashes[0] == hashes[1] and hashes[0][1]:
        return Comparison(Grade.IDENTICAL, "hash")
    if there.kept and here.kept:
        return compared(there.kept, here.kept, name, terms.tolerance, terms.places)
    sizes = [part(it.facts, "size") for it in (there, here)]
    if (hashes[0][0] == hashes[1][0] and all(digest for _, digest in hashes)) or sizes[0] != sizes[1]:
        return different("hash", "other content, of which not both were kept")
    return unjudged("size", "neither kept nor hashed by one algorithm on both sides")
