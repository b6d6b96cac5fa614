"""Rebasing: what is told of a tree against one commit, told against another, so that files can be compared by name."""

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pygit2
from returns.result import Success

from capsula.core.content import KINDS
from capsula.core.fault import Json
from capsula.core.foreign import safe
from capsula.core.tree import Kept, Tree, facts, understood
from capsula.reading.repository import GITLINK, TROUBLE, holder


def rebased(here: Mapping[str, Json], there: Mapping[str, Json], root: Path) -> dict[str, Json]:
    """Return the facts of ``source`` here, each tree told against the commit that its twin there is told against.

    A tree stays as it is if there is no such commit here, or git may keep other bytes than those of the work tree.
    """
    return {name: _tree(told, there.get(name), root) for name, told in here.items()}


def _tree(told: Json, twin: Json, root: Path) -> Json:
    here, there = (understood(it).value_or(None) for it in (told, twin))
    if here is None or there is None or not here.head or not there.head or here.converted or here.head == there.head:
        return told
    found = holder(root / here.path)
    if not isinstance(found, Success):
        return told
    tell = safe(exceptions=TROUBLE)(_told_against)
    return tell(here, there.head, found.unwrap()).map(facts).value_or(told)


def _told_against(tree: Tree, head: str, repository: pygit2.Repository) -> Tree:
    old, new = (repository[commit].peel(pygit2.Tree) for commit in (head, tree.head or ""))
    overlay = {kept.path: kept for kept in tree.overlay}
    deleted = {*tree.deleted}
    missed = {it.path for it in tree.missed}
    for path in set(_differing(old, new)) - missed:
        before = _kept(old, path)
        now = None if path in deleted else overlay.get(path) or _kept(new, path)
        overlay.pop(path, None)
        deleted.discard(path)
        if now is None and before is not None:
            deleted.add(path)
        elif now is not None and now != before:
            overlay[path] = now
    kept = tuple(overlay[path] for path in sorted(overlay))
    return tree._replace(head=head, overlay=kept, deleted=tuple(sorted(deleted)))


def _differing(old: pygit2.Tree, new: pygit2.Tree) -> Iterator[str]:
    for delta in old.diff_to_tree(new).deltas:
        for file in (delta.old_file, delta.new_file):
            if file.mode not in {0, GITLINK}:
                yield os.fsdecode(file.raw_path)


def _kept(tree: pygit2.Tree, path: str) -> Kept | None:
    if path not in tree:
        return None
    entry = tree[path]
    if not isinstance(entry, pygit2.Blob) or entry.filemode not in KINDS:
        return None
    data = entry.data
    return Kept(path, KINDS[entry.filemode], len(data), sha256(data).hexdigest())
