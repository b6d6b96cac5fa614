"""Verifying: the context that a capsule recorded, against the one that is here now. Nothing is written."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from returns.result import Failure, Result, Success

from capsula.core.config import Config, Surroundings
from capsula.core.document import HEADER, Document
from capsula.core.effect import Seal
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.report import Report, silent
from capsula.core.settings import FileSettings, HashAlgorithm
from capsula.effects.key import resealed, vault_of
from capsula.flows.apart import Apart
from capsula.flows.capture import CONTEXT, looked
from capsula.flows.inspect import Inspected, part
from capsula.flows.patched_source import by_patches
from capsula.flows.rebased import rebased
from capsula.flows.run import AFTER, BEFORE
from capsula.flows.seals import is_same
from capsula.reading.digest import file_facts
from capsula.reproduction.assessment import CAUSES, Aspect, Assessment, Context, assessed
from capsula.reproduction.made import told_otherwise, without_made

CAPTURED = tuple(cause for cause in CAUSES if cause != "arguments")
"""What a context tells; the arguments are of the run."""


def verified(
    capsule: Inspected, config: Config, report: Report = silent, apart: Apart | None = None
) -> Result[Assessment, Fault]:
    """Return how the context here compares with the recorded one, for the same command and the files recorded then.

    The fault is a capsule without a context.
    """
    if CONTEXT not in capsule.documents:
        remedy = "it was made without one: set monitor.capture"
        return Failure(Fault("no context", f"{capsule.entry.name} holds no context to compare with", remedy))
    now = _as_then(config, capsule.documents)
    found = looked(now, report, apart=apart)
    contexts = recorded(capsule), _here(found, now, capsule)
    there, here = by_patches(*contexts, capsule.entry.directory, found.effects)
    here = _on_the_same_commit(here, there)
    vault = vault_of(capsule.entry.directory)
    before = without_made(here, there, _made(capsule.documents.get(AFTER, {}), config.root, vault))
    made = told_otherwise(here, before)
    assessment = assessed(_comparable(there), before, CAPTURED)
    return Success(assessment._replace(aspects=tuple(_noted(it, made.get(it.name, ())) for it in assessment.aspects)))


def _on_the_same_commit(here: Context, there: Context) -> Context:
    """Tell the trees here against the commits of then: by which files they differ says more than by which commit."""
    trees, twins = (_table(context.facts.get("source")) for context in (here, there))
    return here._replace(facts={**here.facts, "source": rebased(trees, twins, Path(here.root))}) if trees else here


def _made(result: Document, root: Path, vault: Path | None) -> frozenset[str]:
    """Return the outputs that are still as the run left them, seen from the root."""
    outputs = {**_table(result.get("outputs")), **_table(result.get("files"))}
    return frozenset(
        os.path.normpath(path)
        for path, facts in outputs.items()
        if path and "\0" not in path and _is_as_left(root / path, _table(facts), vault)
    )


def _is_as_left(file: Path, facts: Mapping[str, Json], vault: Path | None) -> bool:
    algorithm = _settings(facts).hash
    if facts.get("change") == "removed" or facts.get("moved") is True:
        return not os.path.lexists(file)
    if "link" in facts:
        return os.path.islink(file) and str(file.readlink()) == facts["link"]
    if "seal" in facts:
        return is_same(file, facts, vault) is True
    if algorithm is None:
        return False
    return part(file_facts(file, algorithm).value_or(Fragment()).facts, "file_hash") == facts.get("file_hash")


def _noted(aspect: Aspect, made: Sequence[str]) -> Aspect:
    if not made:
        return aspect
    more = f" and {len(made) - _MOST_NAMED} more" if len(made) > _MOST_NAMED else ""
    left = "is as the run left it" if len(made) == 1 else "are as the run left them"
    return aspect._replace(notes=(f"{', '.join(made[:_MOST_NAMED])}{more} {left}",))


_MOST_NAMED = 3


def recorded(capsule: Inspected) -> Context:
    """Return the context that a capsule recorded; empty if it has none that can be read."""
    document = capsule.documents.get(CONTEXT, {})
    root = document.get("root_directory")
    return Context(document, _faults(document), root if isinstance(root, str) else "")


def _faults(document: Document) -> tuple[Fault, ...]:
    told = part(document, HEADER, "faults")
    return tuple(fault for facts in told if (fault := _fault(facts))) if isinstance(told, list) else ()


def _fault(facts: Json) -> Fault | None:
    match facts:
        case {"path": list(path), "kind": str(kind), "message": str(message)}:
            return Fault(kind, message, path=tuple(key for key in path if isinstance(key, str)))
    return None


def _comparable(there: Context) -> Context:
    """Leave out what cannot be looked at again: files that were moved into the capsule."""
    files = _table(there.facts.get("files"))
    here = {path: facts for path, facts in files.items() if not part(facts, "moved")}
    untold = {"inputs": "files that were moved into the capsule are not here"} if len(here) < len(files) else {}
    return there._replace(facts={**there.facts, "files": here}, untold=untold) if untold else there


def _as_then(config: Config, documents: Mapping[str, Document]) -> Config:
    """Return the config of the recorded command, under the settings that hold now, for what was named then."""
    context = documents[CONTEXT]
    files = {path: _settings(facts) for path, facts in _table(context.get("files")).items()}
    missing = {path: FileSettings() for path in _not_had(context, "files")}
    names = (*_table(context.get("environment_variables")), *_not_had(context, "environment_variables"))
    capture = config.settings.capture._replace(files=missing | files, environment_variables=names)
    settings = config.settings._replace(capture=capture)
    return config._replace(settings=settings, surroundings=_surroundings(config, documents))


def _settings(facts: Json) -> FileSettings:
    told = part(facts, "hash_algorithm")
    algorithm: HashAlgorithm | None = next((it for it in get_args(HashAlgorithm) if it == told), None)
    return FileSettings(hash=algorithm)


def _not_had(document: Document, facet: str) -> Iterator[str]:
    """Yield what a facet could not have then: if it has come since, it may change a result."""
    return (path[1] for path in (fault.path for fault in _faults(document)) if len(path) == 2 and path[0] == facet)


def _surroundings(config: Config, documents: Mapping[str, Document]) -> Surroundings:
    before = documents.get(BEFORE, documents[CONTEXT])
    root, cwd = part(before, "root_directory"), part(before, "cwd")
    inside = os.path.relpath(cwd, root) if isinstance(root, str) and isinstance(cwd, str) and root and cwd else "."
    place = config.root / inside
    argv = _argv(documents)
    return config.surroundings._replace(cwd=place if os.path.isdir(place) else config.root, argv=argv, is_adrift=False)


def _argv(documents: Mapping[str, Document]) -> tuple[str, ...]:
    """Return the command; of a function that was called, the interpreter that called it."""
    before = documents.get(BEFORE, {})
    if "function_name" in before:
        interpreter = part(documents[CONTEXT], "python_packages", "interpreter", "executable")
        return (interpreter,) if isinstance(interpreter, str) else ()
    words = before.get("args")
    return tuple(word for word in words if isinstance(word, str)) if isinstance(words, list) else ()


def _here(fragment: Fragment, config: Config, capsule: Inspected) -> Context:
    facts = dict(fragment.facts) if isinstance(fragment.facts, Mapping) else {}
    context = Context(facts, fragment.faults, str(config.root))
    seal = next((it for it in fragment.effects if isinstance(it, Seal) and it.at == _DIGESTS), None)
    return context if seal is None else _sealed(context, seal, capsule)


_DIGESTS = ("environment", "digests")


def _sealed(here: Context, seal: Seal, capsule: Inspected) -> Context:
    """Add the digests of the variables, as the key of the capsule's vault makes them.

    Without that key no value can be told from another, but names can: where a name is on both sides, so is its digest.
    """
    vault = vault_of(capsule.entry.directory)
    known = _table(part(capsule.documents[CONTEXT], *_DIGESTS))
    digests = resealed(seal.values, vault) if vault else Failure(Fault("missing", "no vault is around it"))
    untold = (
        {} if isinstance(digests, Success) else {"environment": "the key is not here that values were digested with"}
    )
    names: dict[str, Json] = {name: known.get(name) for name in seal.values}
    whole = {**here.facts, "environment": {**_table(here.facts.get("environment")), "digests": digests.value_or(names)}}
    return here._replace(facts=whole, untold=untold)


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
