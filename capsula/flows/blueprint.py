"""The blueprint of a reproduction: what must be had again, and the plan to get it. Nothing is done yet."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen
from returns.result import Failure, Result, Success

from capsula.core.config import Config, Surroundings
from capsula.core.document import Document
from capsula.core.fault import Fault, Json
from capsula.core.settings import HashAlgorithm
from capsula.core.step import Phase, Plan, Step, planned
from capsula.core.tree import path_flaw
from capsula.effects.installers import installer
from capsula.effects.key import resealed, vault_of
from capsula.effects.manifest import is_own
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, part
from capsula.flows.run import AFTER, BEFORE
from capsula.restorers import python_packages, variables
from capsula.restorers.python_packages import Recipe
from capsula.restorers.variables import Variables

_ALGORITHMS = (None, "md5", "sha1", "sha256", "sha3")

TREE = "tree"
"""The directory of a workspace that the sources are restored into: what stood beside them has a place beside it."""

UNRECORDED = ("pipe", "file", "socket", "device")
"""Kinds of standard input whose content nobody has kept."""

MOST_TOLD = 20
"""Files that a step lists one by one."""


@frozen
class Wish:
    """What the user asked for."""

    inputs: Mapping[str, Path] = field(factory=dict)
    """A recorded path to the file that is to stand for it."""
    rebuild: bool = True
    """Whether to rebuild the environment; otherwise the one that is here is used."""
    offline: bool = False
    """Whether nothing may be fetched from an index of packages."""
    fetch: bool = False
    """Whether a recorded remote may be asked for a commit that is not here."""
    anyway: bool = False
    """Whether to run although something is missing."""


@frozen
class Input:
    """A file that was declared, and so must be what it was."""

    path: str
    """As declared: relative to the root, or absolute."""
    algorithm: HashAlgorithm | None
    digest: str | None
    kept: Path | None
    """Where the capsule holds it."""


@frozen
class Blueprint:
    """All that a reproduction needs to know of a recorded run."""

    capsule: Path
    vault: Path
    id: str
    documents: Mapping[str, Document]
    root: Path
    """The recorded root directory."""
    argv: tuple[str, ...]
    directory: str
    """Where it ran, relative to the root."""
    function: str | None
    """Of a decorated call: the qualified name; the program that called it is run again."""
    items: tuple[str, ...]
    inputs: tuple[Input, ...]
    moved: tuple[str, ...]
    """Paths that the capture moved away before the run."""
    variables: Variables
    is_own: bool
    """Whether this user made the capsule, here, and nobody changed it since."""

    def recipe(self, place: Path) -> Recipe | None:
        """Return what the environment is built of; what was installed from the source comes from its copy there."""
        answer = python_packages.recipe(self.context.get("python_packages"), {self.outermost: place / TREE})
        return answer.value_or(None)

    @property
    def outermost(self) -> str:
        """The nearest directory around the recorded root and all of its sources; it is restored as ``TREE``."""
        tops = (str(_table(told).get("path", ".")) for told in self.source.values())
        return os.path.commonpath([str(self.root), *(os.path.normpath(self.root / top) for top in tops)])

    @property
    def context(self) -> Document:
        """The recorded context."""
        return self.documents.get(CONTEXT, {})

    @property
    def source(self) -> Mapping[str, Json]:
        """The facts of the facet ``source``."""
        return _table(self.context.get("source"))

    @property
    def result(self) -> Document:
        """How the recorded run ended."""
        return self.documents.get(AFTER, {})


def blueprint(inspected: Inspected, config: Config) -> Result[Blueprint, Fault]:
    """Return the blueprint of a recorded run, or why there is none: no run, or no way to start it again."""
    surroundings, documents = config.surroundings, inspected.documents
    before, context = documents.get(BEFORE), documents.get(CONTEXT, {})
    if before is None:
        return Failure(
            _blocked("nothing was run: it was captured without a command", "capsula checkout, capsula verify")
        )
    argv = _argv(before)
    if not argv:
        return Failure(_blocked("how the program was started was not recorded, as in a notebook or at a prompt"))
    if AFTER not in documents:
        return Failure(_blocked(f"the run is {inspected.state}: there is no end to compare with"))
    if not _table(context.get("source")):
        return Failure(_blocked("its source was not recorded", "record with include-source = true"))
    flaw = _flaw(documents, argv)
    if flaw:
        return Failure(Fault("integrity", flaw, "the capsule was damaged or changed; do not trust what it says"))
    if str(part(before, "command", "directory") or ".").startswith(("..", "/")):
        return Failure(_blocked("it ran in a directory outside of the root, which is not restored"))
    capsule = inspected.entry.directory
    own = is_own(capsule)
    vault = (vault_of(capsule) if own else None) or config.vault
    recorded = _table(context.get("environment"))
    sealed = resealed(surroundings.environ, vault).value_or({}) if own else {}
    return Success(
        Blueprint(
            capsule=capsule,
            vault=vault,
            id=inspected.entry.id or "",
            documents=documents,
            root=Path(str(before.get("root_directory", "/"))),
            argv=argv,
            directory=str(part(before, "command", "directory") or "."),
            function=str(before["qualified_name"]) if "qualified_name" in before else None,
            items=_texts(before.get("items")),
            inputs=tuple(_inputs(context, capsule)),
            moved=tuple(path for path, facts in _entries(context) if facts.get("moved") is True),
            variables=variables.restored(
                recorded, _table(before.get("environment_changes")), surroundings.environ, sealed, own=own
            ),
            is_own=own,
        )
    )


def plan(it: Blueprint, surroundings: Surroundings, wish: Wish, place: Path) -> Plan:
    """Return what will be done, step by step."""
    return planned(
        (
            *_source_steps(it, wish),
            *(_input_step(each, it, wish) for each in it.inputs),
            _environment_step(it.recipe(place) if wish.rebuild else None, surroundings),
            it.variables.step,
            _run_step(it),
            _compare_step(it),
        )
    )


def _source_steps(it: Blueprint, wish: Wish) -> list[Step]:
    steps: list[Step] = []
    for name, told in it.source.items():
        tree = _table(told)
        head = tree.get("head")
        changed, deleted = _rows(tree.get("overlay")), _texts(tree.get("deleted"))
        base = f"commit {str(head)[:7]}" if head else "all files"
        title = f"restore the source {name}: {base}, {len(changed)} kept and {len(deleted)} deleted files"
        files = (*(f"write {row.get('path')}" for row in changed), *(f"remove {path}" for path in deleted))
        steps.append(Step(Phase.SOURCE, title, details=_shortened(files)))
        missed = (*_rows(tree.get("withheld")), *_rows(tree.get("left_out")))
        steps += (_missed_step(row, wish) for row in missed)
        ignored = [str(row.get("path")) for row in _rows(tree.get("ignored"))]
        if ignored:
            why = "what git ignores is no source; declare in [capture.files] what the run reads of it"
            steps.append(
                Step(Phase.SOURCE, f"leave out {len(ignored)} ignored files", "approximate", why, _shortened(ignored))
            )
        made = _texts(tree.get("directories"))
        if made:
            steps.append(Step(Phase.DIRECTORIES, f"make {len(made)} directories", details=_shortened(made)))
    return steps


def _missed_step(row: Mapping[str, Json], wish: Wish) -> Step:
    path = str(row.get("path"))
    if path in wish.inputs:
        return Step(Phase.INPUTS, f"provide {path}", "approximate", f"from {wish.inputs[path]}, as you say")
    why = f"{row.get('reason')}; give it with --input {path}=FILE, or go on without by --anyway"
    return Step(Phase.INPUTS, f"provide {path}", "approximate" if wish.anyway else "needs", why)


def _flaw(documents: Mapping[str, Document], argv: tuple[str, ...]) -> str | None:
    """Return what no capsule of ours says: what would be no path, no variable, no word of a command."""
    context = documents.get(CONTEXT, {})
    values = _table(part(context, "environment", "values"))
    if not all(map(_is_encodable, argv)):
        return "a word of its command cannot be one"
    if not all(
        name and "=" not in name and _is_encodable(name) and _is_encodable(str(values[name])) for name in values
    ):
        return "a variable of its environment cannot be one"
    for path, facts in _entries(context):
        kept = facts.get("kept_as")
        if not path or not _is_encodable(path) or facts.get("hash_algorithm") not in _ALGORITHMS:
            return f"the entry of the file {path!r} cannot be one"
        if kept is not None and (not isinstance(kept, str) or path_flaw(kept)):
            return f"{kept!r} is no place in a capsule"
        if facts.get("moved") is True and path_flaw(path):
            return f"{path!r} was never moved"
    return None


def _is_encodable(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _input_step(each: Input, it: Blueprint, wish: Wish) -> Step:
    title = f"provide the input {each.path}"
    given = wish.inputs.get(each.path)
    if given:
        return Step(Phase.INPUTS, title, "approximate", f"from {given}, as you say")
    if each.kept:
        return Step(Phase.INPUTS, title, details=(f"from {each.kept}",))
    if (it.root / each.path).is_file():
        return Step(Phase.INPUTS, title, details=(f"from the source, or {it.root / each.path}",))
    why = f"it is not here any more, and must be in the source; else give it with --input {each.path}=FILE"
    return Step(Phase.INPUTS, title, "approximate", why)


def _environment_step(recipe: Recipe | None, surroundings: Surroundings) -> Step:
    if recipe is None:
        return Step(
            Phase.ENVIRONMENT, "use the environment that is here", "approximate", "as you say, or none was recorded"
        )
    return python_packages.step(recipe, installer(surroundings).name)


def _run_step(it: Blueprint) -> Step:
    kind = part(it.documents[BEFORE], "command", "stdin")
    lost = kind in UNRECORDED
    why = f"its standard input was a {kind}, which was not recorded; it will be empty" if lost else ""
    words = " ".join(it.argv)
    return Step(
        Phase.RUN, f"run: {words}", "approximate" if lost else "exact", why, (f"in {it.directory} of the root",)
    )


def _compare_step(it: Blueprint) -> Step:
    names = [*_table(it.result.get("files")), *_table(it.result.get("outputs"))]
    ending = f"what {it.function} returned or raised" if it.function else "the exit status, stdout"
    return Step(Phase.COMPARE, f"compare {ending} and {len(names)} files", details=_shortened(names))


def _argv(before: Document) -> tuple[str, ...]:
    if "function_name" in before:
        return _texts(part(before, "command", "argv"))
    return _texts(before.get("args"))


def _inputs(context: Document, capsule: Path) -> list[Input]:
    inputs = []
    for path, facts in _entries(context):
        kept = facts.get("kept_as")
        algorithm, digest = facts.get("hash_algorithm"), facts.get("file_hash")
        if facts.get("moved") is not True:
            inputs.append(Input(path, algorithm, digest, capsule / kept if isinstance(kept, str) else None))  # type: ignore[arg-type]
    return inputs


def _entries(context: Document) -> list[tuple[str, Mapping[str, Json]]]:
    return [(path, _table(facts)) for path, facts in _table(context.get("files")).items()]


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: Json) -> list[Mapping[str, Json]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(part for part in value if isinstance(part, str)) if isinstance(value, list) else ()


def _shortened(names: Sequence[str]) -> tuple[str, ...]:
    more = (f"and {len(names) - MOST_TOLD} more",) if len(names) > MOST_TOLD else ()
    return (*names[:MOST_TOLD], *more)


def _blocked(why: str, remedy: str = "") -> Fault:
    return Fault("blocked", why, remedy)
