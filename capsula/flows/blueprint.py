"""The blueprint of a reproduction: what must be had again, and the plan to get it. Nothing is done yet."""

import os
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

import capsula
from capsula.core.config import Config, Surroundings
from capsula.core.document import Document
from capsula.core.fault import Fault, Json
from capsula.core.redaction import Redaction, is_redacted
from capsula.core.remote import is_fetchable
from capsula.core.step import Fidelity, Phase, Plan, Step, planned
from capsula.core.tree import path_flaw
from capsula.core.upgrade import WITHOUT_FORMAT, is_old
from capsula.effects.environments import Order, foreseen, is_as_it_was
from capsula.effects.fetch import fetching
from capsula.effects.key import known_key, resealed, vault_of
from capsula.effects.manifest import is_own
from capsula.effects.restore import holds
from capsula.flows.capture import CONTEXT
from capsula.flows.inputs import Input, declared, inputs
from capsula.flows.inspect import Inspected, keeps_output, part
from capsula.flows.recorded_source import UNRECORDED as UNTRACKED
from capsula.flows.recorded_source import found_again, recorded_source
from capsula.flows.run import AFTER, BEFORE
from capsula.flows.seals import is_unsealed
from capsula.reading.cache import cache
from capsula.reading.content import content
from capsula.restorers import building, command, python_packages, variables
from capsula.restorers.building import Prospect
from capsula.restorers.python_packages import Own, Recipe
from capsula.restorers.variables import Variables

_ALGORITHMS = (None, "md5", "sha1", "sha256", "sha3")

TREE = "tree"
"""The directory of a workspace that the sources are restored into: what stood beside them has a place beside it."""

UNRECORDED = ("pipe", "file", "socket", "device")
"""Kinds of standard input whose content nobody has kept."""

MOST_TOLD = 20
"""Files that a step lists one by one."""


class Wish(NamedTuple):
    """What the user asked for."""

    inputs: Mapping[str, Path] = {}
    """A recorded path to the file that is to stand for it."""
    rebuild: bool = True
    """Whether to rebuild the environment; otherwise the one that is here is used."""
    offline: bool = False
    """Whether nothing may be fetched from an index of packages."""
    fetch: bool = False
    """Whether a recorded remote may be asked for a commit that is not here."""
    anyway: bool = False
    """Whether to run although something is missing."""
    stdin: Path | None = None
    """The file that it is to read as its standard input."""


class Blueprint(NamedTuple):
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
        own = Own(capsula.__version__, Path(capsula.__file__).parent)
        places = {self.outermost: place / TREE}
        return python_packages.recipe(self.context.get("python_packages"), places, own).value_or(None)

    def replay(self, place: Path, environment: Path | None) -> command.Replay:
        """Return the command in a workspace, with the programs of a rebuilt environment, or else of that of here."""
        root = place / TREE / os.path.relpath(self.root, self.outermost)
        programs = self._programs(environment) if environment else {}
        return command.restored(self.argv, self.directory, self.root, Path(os.path.normpath(root)), programs)

    def unmarked(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return words with the secrets in them that are in the variables of the replay as they were in the run's."""
        if not (self.is_own and any(map(is_redacted, words))):
            return words
        redaction = Redaction(key=known_key(self.vault).value_or(None))
        given = redaction.knowing({"environment_variables": {**self.variables.environ}})
        return tuple(map(given.unmarked, words))

    def _programs(self, environment: Path) -> Mapping[Path, Path]:
        """Return the programs of the recorded environment to those of the rebuilt one."""
        told = part(self.context, "python_packages", "interpreter")
        executable, prefix, above = (part(told, key) for key in ("executable", "prefix", "base_prefix"))
        if not isinstance(executable, str):
            return {}
        own = {Path(executable).parent: environment / "bin"} if prefix != above else {}
        return {**own, Path(executable): environment / "bin" / "python"}

    def is_unsealed(self, path: str, sha256: str) -> bool | None:
        """Tell whether a file has the content of the one that was withheld at a path; none if nothing tells."""
        return is_unsealed(path, sha256, self.source, self.vault) if self.is_own else None

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


def blueprint(inspected: Inspected, config: Config, allowed: Collection[str] = ()) -> Result[Blueprint, Fault]:
    """Return the blueprint of a recorded run, or why there is none: no run, or no way to start it again.

    ``allowed`` are variables that even a capsule of somebody else may set.
    """
    surroundings = config.surroundings
    source = found_again(recorded_source(inspected), config.root)
    context = {**inspected.documents.get(CONTEXT, {}), "source": source}
    documents = {**inspected.documents, CONTEXT: context}
    before = documents.get(BEFORE)
    if before is None:
        return Failure(
            _blocked("nothing was run: it was captured without a command", "capsula checkout, capsula verify")
        )
    argv = _argv(before)
    if "note" in before:
        return Failure(
            _blocked("no command was run: it was opened with `capsula start`", "capsula checkout, capsula verify")
        )
    if not argv:
        old = f"Capsula {WITHOUT_FORMAT} did not record how the program was started"
        why = "how the program was started was not recorded, as in a notebook or at a prompt"
        return Failure(_blocked(old if is_old(before) else why))
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
            inputs=inputs(context, capsule),
            moved=tuple(path for path, facts in declared(context) if facts.get("moved") is True),
            variables=variables.restored(
                recorded,
                _table(before.get("environment_changes")),
                surroundings.environ,
                sealed,
                allowed=None if own else allowed,
            )
            if recorded
            else variables.unrecorded(
                _table(context.get("environment_variables")),
                surroundings.environ,
                allowed=None if own else allowed,
            ),
            is_own=own,
        )
    )


def plan(it: Blueprint, surroundings: Surroundings, wish: Wish, place: Path) -> Plan:
    """Return what will be done, step by step; interpreters, and uv, are asked what there is."""
    recipe = sought(it, surroundings, wish, place)
    home = cache(surroundings.environ)
    prospect = foreseen(ordered(recipe, home, surroundings, wish)) if recipe and home else None
    environment = prospect.directory if prospect else None
    return planned(
        (
            *_source_steps(it, wish),
            *(_input_step(each, it, wish) for each in it.inputs),
            _environment_step(recipe or it.recipe(place), prospect, wish, is_built=recipe is not None),
            it.variables.within(environment).step,
            _run_step(it, it.replay(place, environment), wish),
            _compare_step(it),
        )
    )


def sought(it: Blueprint, surroundings: Surroundings, wish: Wish, place: Path) -> Recipe | None:
    """Return what is to be built; none if the environment that is here is used."""
    is_here = not wish.rebuild or is_as_it_was(it.context.get("python_packages"), surroundings)
    return None if is_here else it.recipe(place)


def ordered(recipe: Recipe, home: Path, surroundings: Surroundings, wish: Wish) -> Order:
    """Return the order of an environment, which is built in the cache of the user."""
    return Order(recipe, home / "environments", surroundings, offline=wish.offline)


def _source_steps(it: Blueprint, wish: Wish) -> list[Step]:
    steps: list[Step] = []
    tops = ((name, str(part(tree, "path")), _table(tree)) for name, tree in it.source.items())
    for name, place, tree in (inner for top in tops for inner in _with_nested(*top)):
        steps.append(_source_step(name, tree, wish))
        missed = (*_rows(tree.get("withheld")), *_rows(tree.get("left_out")))
        steps += (_missed_step(row, os.path.normpath(f"{place}/{row.get('path')}"), tree, it, wish) for row in missed)
        ignored = [str(row.get("path")) for row in _rows(tree.get("ignored"))]
        if ignored:
            why = "what git ignores is no source; declare in [capture.files] what the run reads of it"
            steps.append(
                Step(
                    Phase.SOURCE,
                    f"leave out {_counted(len(ignored), 'ignored file')}",
                    "approximate",
                    why,
                    _shortened(ignored),
                )
            )
        made = _texts(tree.get("directories"))
        if made:
            steps.append(
                Step(
                    Phase.DIRECTORIES,
                    f"make {_counted(len(made), 'directory', 'directories')}",
                    details=_shortened(made),
                )
            )
    return steps


def _with_nested(name: str, place: str, tree: Mapping[str, Json]) -> Iterator[tuple[str, str, Mapping[str, Json]]]:
    """Yield a tree and those inside of it: its name, its place as seen from the root, and its facts."""
    yield name, place, tree
    for path, nested in _table(tree.get("nested")).items():
        yield from _with_nested(f"{name}/{path}", f"{place}/{path}", _table(nested))


def _source_step(name: str, tree: Mapping[str, Json], wish: Wish) -> Step:
    head = tree.get("head")
    changed, deleted, patches = _rows(tree.get("overlay")), _texts(tree.get("deleted")), _texts(tree.get("patches"))
    told = _counted(len(changed), "file")
    above = (f"{told} on top" if changed else "", f"{len(deleted)} removed" if deleted else "")
    files = (
        *(f"write {row.get('path')}" for row in changed),
        *(f"remove {path}" for path in deleted),
        *(f"apply {path}" for path in patches),
    )
    is_patched = tree.get("mode") == "patch"
    rest = ("the patch to it",) if is_patched else tuple(filter(None, above))
    title = f"restore the source {name}: {', '.join((f'commit {str(head)[:7]}', *rest)) if head else told}"
    origin: tuple[str, ...] = (f"from {tree.get('repository')}",) if head and not tree.get("objects") else ()
    if origin and not _is_here(tree):
        remotes = [url for url in _texts(tree.get("remotes")) if is_fetchable(url)]
        lacking = f"the commit is not in {tree.get('repository')}"
        if not remotes:
            why = f"{lacking}, and no remote that may be asked for it was recorded"
            return Step(Phase.SOURCE, title, "impossible", why, _shortened(files))
        if not wish.fetch:
            why = f"{lacking}; fetch it from {' or '.join(remotes)} with --fetch"
            return Step(Phase.SOURCE, title, "needs", why, _shortened(files))
        origin = tuple(f"run {shlex.join(fetching(str(head), url))}" for url in remotes)
    details = (*origin, *_shortened(files))
    return Step(Phase.SOURCE, title, "approximate" if is_patched else "exact", UNTRACKED if is_patched else "", details)


def _is_here(tree: Mapping[str, Json]) -> bool:
    return holds(str(tree.get("repository") or ""), str(tree.get("head") or ""))


def _missed_step(row: Mapping[str, Json], path: str, tree: Mapping[str, Json], it: Blueprint, wish: Wish) -> Step:
    given = wish.inputs.get(path)
    if given is not None:
        sums = content(os.fsencode(given.resolve())).map(lambda known: known.sha256)
        if it.is_unsealed(path, sums.value_or("")):
            return Step(Phase.INPUTS, f"provide {path}", details=(f"from {given}, which is what it was",))
        return Step(Phase.INPUTS, f"provide {path}", "approximate", f"from {given}, as you say")
    if row.get("committed") is True:
        commit, remotes = f"the commit {str(tree.get('head'))[:7]}", " or ".join(_texts(tree.get("remotes")))
        if _is_here(tree):
            return Step(Phase.INPUTS, f"provide {path}", details=(f"from {commit} in {tree.get('repository')}",))
        if wish.fetch and remotes:
            return Step(Phase.INPUTS, f"provide {path}", details=(f"from {commit}, fetched from {remotes}",))
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
    for path, facts in declared(context):
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
    if os.path.isfile(it.root / each.path):
        return Step(Phase.INPUTS, title, details=(f"from the source, or {it.root / each.path}",))
    why = f"it is not here any more, and must be in the source; else give it with --input {each.path}=FILE"
    return Step(Phase.INPUTS, title, "approximate", why)


def _environment_step(recipe: Recipe | None, prospect: Prospect | None, wish: Wish, *, is_built: bool) -> Step:
    if recipe is None or not wish.rebuild:
        why = "which Python ran was not recorded" if wish.rebuild else "as you say"
        return Step(Phase.ENVIRONMENT, "use the environment that is here", "approximate", why)
    if not is_built:
        count = len(recipe.pins) + len(recipe.links)
        told = f"Python {recipe.python.version} of this system, with the {_counted(count, 'package')} that it had"
        return Step(Phase.ENVIRONMENT, f"use {told}")
    if prospect is None:
        why = "there is neither HOME nor XDG_CACHE_HOME; use the one that is here by --no-rebuild"
        return Step(Phase.ENVIRONMENT, "build an environment", "needs", why)
    return building.step(recipe, prospect, anyway=wish.anyway)


def _run_step(it: Blueprint, replay: command.Replay, wish: Wish) -> Step:
    kind = part(it.documents[BEFORE], "command", "stdin")
    lost = kind in UNRECORDED or wish.stdin is not None
    given = f"from {wish.stdin}, as you say" if wish.stdin else "it will be empty, unless you give it with --stdin FILE"
    why = f"its standard input was a {kind}, which was not recorded; {given}" if lost else ""
    secret = tuple(word for word, here in zip(it.argv, it.unmarked(it.argv), strict=True) if is_redacted(here))
    if secret:
        told = f"not recorded, and impossible to guess: {', '.join(secret)}"
        why = "; ".join(filter(None, (told, why)))
    fidelity: Fidelity = "needs" if secret else "approximate" if lost else "exact"
    details = (f"in {replay.directory}", *(f"instead of {line}" for line in replay.rewritten))
    return Step(Phase.RUN, f"run: {shlex.join(replay.argv)}", fidelity, why, details)


def _compare_step(it: Blueprint) -> Step:
    names = [*_table(it.result.get("files")), *_table(it.result.get("outputs"))]
    status = "the exit status, stdout" if keeps_output(it.documents) else "the exit status"
    ending = f"what {it.function} returned or raised" if it.function else status
    files = f" and {_counted(len(names), 'file')}" if names else ""
    return Step(Phase.COMPARE, f"compare {ending}{files}", details=_shortened(names))


def _argv(before: Document) -> tuple[str, ...]:
    if "function_name" in before:
        return _texts(part(before, "command", "argv"))
    return _texts(before.get("args"))


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: Json) -> list[Mapping[str, Json]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(part for part in value if isinstance(part, str)) if isinstance(value, list) else ()


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def _shortened(names: Sequence[str]) -> tuple[str, ...]:
    more = (f"and {len(names) - MOST_TOLD} more",) if len(names) > MOST_TOLD else ()
    return (*names[:MOST_TOLD], *more)


def _blocked(why: str, remedy: str = "") -> Fault:
    return Fault("blocked", why, remedy)
