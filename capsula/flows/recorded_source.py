"""The recorded source: as a capsule tells it, or, of one of version 0.0.21, a commit and the patch to it."""

import os
from collections.abc import Mapping
from pathlib import Path

from returns.result import Result, Success

from capsula.core.fault import Json
from capsula.core.foreign import safe
from capsula.core.names import patch_paths, repository_flaw
from capsula.core.remote import without_secrets
from capsula.core.tree import Missed, Tree, facts
from capsula.core.upgrade import WITHOUT_FORMAT, is_old
from capsula.effects.patch import pieces, read
from capsula.effects.restore import holds
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, part
from capsula.reading.repository import TROUBLE, holder

UNRECORDED = f"Capsula {WITHOUT_FORMAT} did not record untracked and staged files"


def recorded_source(capsule: Inspected) -> Mapping[str, Json]:
    """Return the facts of ``source``, or those that amount to the commits and patches of an old capsule; else none."""
    context = capsule.documents.get(CONTEXT, {})
    told = context.get("source")
    if isinstance(told, Mapping) and told:
        return told
    checkouts = context.get("git")
    if not is_old(context) or not isinstance(checkouts, Mapping):
        return {}
    root = str(context.get("root_directory"))
    trees = {name: _tree(name, checkout, root, capsule.entry.directory) for name, checkout in checkouts.items()}
    return {name: facts(tree) for name, tree in trees.items() if tree}


def found_again(source: Mapping[str, Json], root: Path) -> Mapping[str, Json]:
    """Return the facts of ``source``, with the repositories below a root for those that are gone, if they can stand in.

    So a work tree that was moved, or cloned on another machine, needs no remote to be asked.
    """
    return {name: _found_again(tree, root) if isinstance(tree, Mapping) else tree for name, tree in source.items()}


def _found_again(tree: Mapping[str, Json], root: Path, top: str = ".") -> Mapping[str, Json]:
    path, head, nested = (tree.get(key) for key in ("path", "head", "nested"))
    place = os.path.join(top, path if isinstance(path, str) else ".")  # noqa: PTH118 - a name in a tree, no file
    told = {**tree}
    if isinstance(nested, Mapping):
        inner = {name: each for name, each in nested.items() if isinstance(each, Mapping)}
        told["nested"] = {**nested, **{name: _found_again(each, root, place) for name, each in inner.items()}}
    if isinstance(head, str) and not holds(str(tree.get("repository") or ""), head):
        here = _objects(root / place)
        told |= {"repository": here} if holds(here, head) else {}
    return told


def is_approximate(tree: Json) -> bool:
    """Tell whether a tree is made of what an old capsule tells, which is not all of it."""
    return part(tree, "mode") == "patch"


def _tree(name: str, checkout: Json, root: str, capsule: Path) -> Tree | None:
    path, sha = part(checkout, "path"), part(checkout, "sha")
    if not isinstance(path, str) or not isinstance(sha, str) or repository_flaw(name):
        return None
    patch, _ = patch_paths(name)
    return Tree(
        path=path,
        head=sha,
        mode="patch",
        digest="",
        files=0,
        size=0,
        left_out=_untold(capsule / patch),
        repository=_objects(Path(root, path)),
        remotes=_remotes(part(checkout, "remotes")),
        patches=(patch,),
    )


def _untold(patch: Path) -> tuple[Missed, ...]:
    """Return the files of which the patch says only that they differ; that it is none, its restoration tells."""
    read_pieces: Result[list[Missed], Exception] = safe(exceptions=(*TROUBLE,))(
        lambda: [piece.missed for piece in pieces(read(patch)) if not piece.has_content]
    )()
    return tuple(read_pieces.value_or([]))


def _objects(place: Path) -> str:
    """Return the directory that git keeps the objects in, of the repository that is at a place now."""
    found = holder(place)
    directory = Path(found.unwrap().path) if isinstance(found, Success) else place / ".git"
    common = safe(exceptions=(OSError, ValueError))((directory / "commondir").read_bytes)().value_or(b"")
    return os.path.normpath(directory / os.fsdecode(common.strip()))


def _remotes(told: Json) -> tuple[str, ...]:
    urls = [part(remote, "url") for remote in told] if isinstance(told, list) else []
    return tuple(without_secrets(url) for url in urls if isinstance(url, str))
