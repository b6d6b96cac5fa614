"""What changed in the source between two capsules, file by file, as a diff that people read.

The files that differ from a commit are in the capsules, and the commit too if it was on no remote; else a repository
that is here may have it. Nothing is checked out.
"""

import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import pygit2
from returns.result import Success

from capsula.core.fault import Json
from capsula.core.foreign import safe
from capsula.core.names import patch_paths, repository_flaw
from capsula.core.tree import Tree, understood
from capsula.effects.packs import unpacked
from capsula.reading.repository import GITLINK, TROUBLE, holder, opened

LARGEST = 1024 * 1024
"""Bytes of a file whose change is shown."""

_TROUBLE = (*TROUBLE, tarfile.TarError, zlib.error, EOFError, OverflowError)
_PATCH_LARGEST = 16 * LARGEST


class SourceChange(NamedTuple):
    """A file that changed, and how."""

    path: str
    """With the name of its tree before it, where there are several."""
    change: Literal["added", "removed", "changed"]
    patch: str = ""
    """A unified diff; empty where the content is not to be had, or too large."""
    why: str = ""
    """Why there is no patch."""


class Side(NamedTuple):
    """A capsule whose source is compared."""

    directory: Path
    facts: Mapping[str, Json]
    """Its context."""


def source_changes(there: Side, here: Side, root: Path) -> tuple[SourceChange, ...]:
    """Return how the source of two capsules differs; ``root`` is where a repository is looked for.

    Without the facet ``source`` on both sides, what git has of it, and what the kept patches say.
    """
    trees = [_by_path(_table(side.facts.get("source"))) for side in (there, here)]
    if all(trees):
        paths = sorted({*trees[0], *trees[1]})
        labels = paths if len(paths) > 1 else [""]
        return tuple(
            change
            for path, label in zip(paths, labels, strict=True)
            for change in _of_trees(label, (there, trees[0].get(path)), (here, trees[1].get(path)), root)
        )
    names = sorted({name for side in (there, here) for name in _table(side.facts.get("git"))})
    return tuple(change for name in names for change in _of_repositories(name, there, here, root))


_Told: TypeAlias = tuple[Side, Json]
_Content: TypeAlias = bytes | str | None
"""The bytes of a file, why they are not to be had, or none if there is no such file."""
_UNKEPT = "its content was not kept"


class _State(NamedTuple):
    """One side of a tree: what is in the archive, and where the rest is."""

    tree: Tree
    archived: Mapping[str, _Content]
    commit: pygit2.Tree | None

    def content(self, path: str) -> _Content:
        """Return what a file held."""
        if path in self.tree.deleted:
            return None
        if any(missed.path == path and not (missed.committed and self.commit) for missed in self.tree.missed):
            return _UNKEPT
        if any(kept.path == path for kept in self.tree.overlay):
            return self.archived.get(path, "the archive does not hold it")
        if self.commit is None:
            return None if self.tree.head is None else "no repository here has the commit"
        return _committed(self.commit, path)


def _of_trees(name: str, one: _Told, other: _Told, root: Path) -> Iterator[SourceChange]:
    trees = [understood(told).value_or(None) for _, told in (one, other)]
    match trees:
        case [Tree() as before, Tree() as after]:
            yield from _of_tree(name, (one[0], before), (other[0], after), root)
        case [_, Tree()]:
            yield SourceChange(name or ".", "added", why="the other capsule has no such tree")
        case [Tree(), _]:
            yield SourceChange(name or ".", "removed", why="the other capsule has no such tree")


def _of_tree(name: str, one: tuple[Side, Tree], other: tuple[Side, Tree], root: Path) -> Iterator[SourceChange]:
    (_, before), (_, after) = one, other
    if before.digest != after.digest:
        packs = [side.directory / tree.objects.file for side, tree in (one, other) if tree.objects]
        with unpacked(packs, _repository(root, (after, before))) as repository:
            paths = {path for _, tree in (one, other) for path in _touched(tree)}
            states = [_state(side, tree, repository, paths) for side, tree in (one, other)]
            paths |= _committed_changes(*(state.commit for state in states))
            yield from _changes(name, states[0], states[1], sorted(paths))
    for path in sorted({*before.nested, *after.nested}):
        nested = before.nested.get(path), after.nested.get(path)
        below = os.path.join(name, path)  # noqa: PTH118 - a name in a tree, no file
        if nested[0] and nested[1]:
            yield from _of_tree(below, (one[0], nested[0]), (other[0], nested[1]), root / path)
        else:
            yield SourceChange(below, "removed" if nested[0] else "added", why="it is a repository of its own")


def _changes(name: str, before: _State, after: _State, paths: Iterable[str]) -> Iterator[SourceChange]:
    for path in paths:
        old, new = before.content(path), after.content(path)
        shown = os.path.join(name, path)  # noqa: PTH118 - a name in a tree, no file
        if isinstance(old, str) or isinstance(new, str):
            if _known_sum(before.tree, path) is None or _known_sum(before.tree, path) != _known_sum(after.tree, path):
                yield SourceChange(shown, "changed", why=old if isinstance(old, str) else str(new))
        elif old != new:
            yield SourceChange(shown, _kind(old, new), _patch(old, new, shown))


def _known_sum(tree: Tree, path: str) -> str | None:
    return next((kept.sha256 for kept in tree.overlay if kept.path == path), None)


def _kind(old: bytes | None, new: bytes | None) -> Literal["added", "removed", "changed"]:
    if old is None:
        return "added"
    return "removed" if new is None else "changed"


def _patch(old: bytes | None, new: bytes | None, path: str) -> str:
    shown = path.encode("utf-8", "backslashreplace").decode()
    patch = pygit2.Patch.create_from(old, new, old_as_path=shown, new_as_path=shown)
    return (patch.data or b"").decode("utf-8", "backslashreplace")


def _touched(tree: Tree) -> Iterator[str]:
    yield from (kept.path for kept in tree.overlay)
    yield from tree.deleted
    yield from (missed.path for missed in tree.missed if not missed.committed)


def _state(side: Side, tree: Tree, repository: pygit2.Repository | None, paths: Iterable[str]) -> _State:
    wanted = {kept.path for kept in tree.overlay} & set(paths)
    archive = side.directory / tree.archive.file if tree.archive else None
    archived = (
        safe(exceptions=_TROUBLE)(_members)(archive, wanted).value_or({}) if archive and os.path.isfile(archive) else {}
    )
    return _State(tree, archived, _commit(repository, tree.head) if repository else None)


def _members(archive: Path, wanted: set[str]) -> dict[str, _Content]:
    """Read those files of an archive that are wanted, in one pass."""
    with tarfile.open(archive, "r|gz", encoding="utf-8", errors="surrogateescape") as members:
        return {member.name: _member(members, member) for member in members if member.name in wanted}


def _member(members: tarfile.TarFile, member: tarfile.TarInfo) -> _Content:
    if member.issym():
        return os.fsencode(member.linkname)
    stream = members.extractfile(member) if member.isreg() and member.size <= LARGEST else None
    return stream.read() if stream else "it is too large to show"


def _repository(root: Path, trees: Iterable[Tree]) -> pygit2.Repository | None:
    """Return a repository here that has the commits: the one where the tree is now, or where it was."""
    trees = tuple(trees)
    heads = [tree.head for tree in trees if tree.head]
    found = [
        *(holder(root / tree.path) for tree in trees),
        *(opened(Path(tree.repository)) for tree in trees if tree.repository),
    ]
    repositories = [it.unwrap() for it in found if isinstance(it, Success)]
    counted = [(sum(_commit(it, head) is not None for head in heads), it) for it in repositories]
    best = max(counted, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] else None


def _commit(repository: pygit2.Repository, head: str | None) -> pygit2.Tree | None:
    def peeled() -> pygit2.Tree:
        return repository[head or ""].peel(pygit2.Tree)

    found: pygit2.Tree | None = safe(exceptions=TROUBLE)(peeled)().value_or(None)
    return found


def _committed(commit: pygit2.Tree, path: str) -> _Content:
    def blob() -> _Content:
        found = commit[path]
        if not isinstance(found, pygit2.Blob):
            return None
        return found.data if found.size <= LARGEST else "it is too large to show"

    return safe(exceptions=TROUBLE)(blob)().value_or(_UNKEPT if path in commit else None)


def _committed_changes(one: pygit2.Tree | None, other: pygit2.Tree | None) -> set[str]:
    """Return the paths that differ between two commits."""
    if one is None or other is None or one.id == other.id:
        return set()
    deltas = one.diff_to_tree(other).deltas
    files = [file for delta in deltas for file in (delta.old_file, delta.new_file) if file.mode not in {0, GITLINK}]
    return {os.fsdecode(file.raw_path) for file in files}


def _of_repositories(name: str, there: Side, here: Side, root: Path) -> Iterator[SourceChange]:
    """Yield what git has of the changes: the files that differ between the commits, and how the patches differ."""
    checkouts = [_table(_table(side.facts.get("git")).get(name)) for side in (there, here)]
    shas = [sha if isinstance(sha := checkout.get("sha"), str) else None for checkout in checkouts]
    found = holder(root / str(checkouts[1].get("path", ".")))
    if shas[0] != shas[1]:
        commits = [_commit(found.unwrap(), sha) if isinstance(found, Success) else None for sha in shas]
        if commits[0] is None or commits[1] is None:
            yield SourceChange(name, "changed", why="no repository here has both commits")
        else:
            for path in sorted(_committed_changes(commits[0], commits[1])):
                old, new = _committed(commits[0], path), _committed(commits[1], path)
                if isinstance(old, str) or isinstance(new, str):
                    yield SourceChange(path, "changed", why="it is too large to show")
                elif old != new:
                    yield SourceChange(path, _kind(old, new), _patch(old, new, path))
    if repository_flaw(name) is None:
        for file in patch_paths(name):
            yield from _of_patches(file, there.directory, here.directory, is_based_alike=shas[0] == shas[1])


def _of_patches(name: str, one: Path, other: Path, *, is_based_alike: bool) -> Iterator[SourceChange]:
    """Yield how that differs which was not committed: where it was nothing, all of it; else as a diff of diffs."""
    old, new = (_text(directory / name) for directory in (one, other))
    if old == new:
        return
    lines = unified_diff(old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    yield SourceChange(name, "changed", new if is_based_alike and not old else "\n".join(lines) + "\n")


def _text(file: Path) -> str:
    if not os.path.isfile(file):  # opening a named pipe would wait
        return ""
    try:
        with file.open("rb") as stream:
            return stream.read(_PATCH_LARGEST).decode("utf-8", "backslashreplace")
    except OSError:
        return ""


def _by_path(trees: Mapping[str, Json]) -> dict[str, Json]:
    """Return trees by their paths: the names may come from directories, which may have been moved."""
    return {str(_table(tree).get("path")): tree for tree in trees.values()}


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
