"""Checking out: the source that a capsule holds, and the inputs it keeps, in a fresh directory."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.document import HEADER
from capsula.core.fault import Fault, Json
from capsula.effects.provide import cleared, provided
from capsula.effects.restore import restored
from capsula.flows.capture import CONTEXT
from capsula.flows.inputs import Input, inputs
from capsula.flows.inspect import Inspected, part
from capsula.flows.recorded_source import UNRECORDED, found_again, is_approximate, recorded_source

SOURCE = "source"


class Checkout(NamedTuple):
    """What was put back, and what was not."""

    directory: Path
    root: Path
    """Where the root directory is now."""
    commits: Mapping[str, str]
    """Name of a source to the commit that is checked out there."""
    inputs: tuple[str, ...]
    """Kept files that were put back, relative to the root."""
    fetched: tuple[str, ...]
    """URLs of the remotes that were asked for a commit."""
    needs: tuple[Fault, ...]
    """What the capsule does not hold; each path is where it would stand, relative to the directory."""


def checkout(
    capsule: Inspected, into: Path, here: Path, *, fetch: Mapping[str, str] | None = None
) -> Result[Checkout, Fault]:
    """Restore the source of a capsule into a directory that is empty or does not exist.

    Nothing of the capsule is run. Faults: ``occupied``, ``no source``, ``missing``, ``integrity``, those of the disk.

    Args:
        capsule: Whose it is does not matter.
        into: The directory.
        here: The root directory at which a repository is looked for, if the recorded one is gone.
        fetch: The environment for git, if it may fetch a commit that is not to be had otherwise.
    """
    told = found_again(recorded_source(capsule), here)
    root = part(capsule.documents, CONTEXT, "root_directory")
    if not told or not isinstance(root, str):
        return Failure(_sourceless(capsule))
    if into.resolve().is_relative_to(capsule.entry.directory.resolve()):
        return Failure(Fault("occupied", f"{into} is inside the capsule", "name a directory elsewhere"))
    answer = restored(capsule.entry.directory, told, root, into, fetch=fetch)
    if not isinstance(answer, Success):
        return Failure(answer.failure())
    done = answer.unwrap()
    answers = {
        each.path: _put_back(each, each.kept, done.root, into)
        for each in inputs(capsule.documents[CONTEXT], capsule.entry.directory)
        if each.kept and not os.path.lexists(done.root / each.path)
    }
    refused = [answer.failure().under(path) for path, answer in answers.items() if isinstance(answer, Failure)]
    given = {path for path, answer in answers.items() if isinstance(answer, Success)}
    back = {(done.root / path).relative_to(into).as_posix() for path in given}
    missed = (Fault("left out", it.reason, path=(it.path,)) for it in done.needs if it.path not in back)
    return Success(
        Checkout(
            directory=into,
            root=done.root,
            commits={name: head for name, tree in told.items() if isinstance(head := part(tree, "head"), str)},
            inputs=tuple(sorted(given)),
            fetched=done.fetched,
            needs=(*missed, *refused, *_faults(capsule), *_unknown(told)),
        )
    )


def _put_back(each: Input, kept: Path, root: Path, into: Path) -> Result[None, Fault]:
    target = root / each.path
    digest = provided(kept, target, into, each.algorithm)
    if not isinstance(digest, Success):
        return Failure(digest.failure())
    if each.algorithm and digest.unwrap() != each.digest:
        return cleared(target, into).bind(lambda _: Failure(Fault("integrity", f"{kept} is not what was recorded")))
    return Success(None)


def _sourceless(capsule: Inspected) -> Fault:
    faults = _faults(capsule)
    why = f": {faults[0].message}" if faults else ""
    return Fault("no source", f"{capsule.entry.name} does not hold the source{why}")


def _unknown(told: Mapping[str, Json]) -> Iterator[Fault]:
    """Yield what may be missing, of the trees of an old capsule."""
    return (Fault("unknown", UNRECORDED, path=(name,)) for name, tree in told.items() if is_approximate(tree))


def _faults(capsule: Inspected) -> tuple[Fault, ...]:
    """Return why some of the source was not captured."""
    told = part(capsule.documents, CONTEXT, HEADER, "faults")
    faults = (_fault(fault) for fault in told) if isinstance(told, list) else ()
    return tuple(
        fault._replace(path=fault.path[1:])
        for fault in faults
        if fault and fault.path[:1] == (SOURCE,) and "changing" not in fault.path
    )


def _fault(told: Json) -> Fault | None:
    path, kind, message = (part(told, key) for key in ("path", "kind", "message"))
    if not isinstance(path, list) or not isinstance(kind, str) or not isinstance(message, str):
        return None
    return Fault(kind, message, path=tuple(map(str, path)))
