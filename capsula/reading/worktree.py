"""Work trees: how one differs from its commit, as one walk of its files tells whoever asks."""

from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import DiffOption
from returns.result import Result

from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.foreign import safe
from capsula.reading.objects import whole, whole_trees
from capsula.reading.overlooked import overlook
from capsula.reading.repository import TROUBLE, compared, sound_index, trouble

CONTEXT_LINES = 3
TEXT_AND_BINARY = DiffOption.SHOW_BINARY

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class WorkTree(NamedTuple):
    """A work tree, its index, and the diffs from HEAD to the one and on to the other."""

    repository: pygit2.Repository
    index_file: bytes
    """Its bytes; empty where there is none."""
    staged: pygit2.Diff
    unstaged: pygit2.Diff
    """What is not tracked is among it; a repository inside ends with a slash."""
    closed: Mapping[bytes, Fault]
    """Why files that are tracked cannot be read; the diff says nothing of them."""


def work_tree(repository: pygit2.Repository, config: Config) -> Result[WorkTree, Fault]:
    """Return how the work tree of a repository, which is not bare, differs from its commit."""
    return config.reader(("work tree", repository.path), partial(_walked, repository, config.vault))


def head_tree(repository: pygit2.Repository) -> pygit2.Tree:
    """Return the tree of the commit that is checked out; the empty one before the first."""
    identity = _head_tree_id(repository)
    whole(repository, (identity,))
    return repository[identity].peel(pygit2.Tree)


def head_to_index(repository: pygit2.Repository) -> pygit2.Diff:
    """Return the diff from HEAD to the index."""
    if not repository.head_is_unborn:
        whole_trees(repository, _head_tree_id(repository))
    return head_tree(repository).diff_to_index(repository.index, TEXT_AND_BINARY, CONTEXT_LINES, 0)


def _head_tree_id(repository: pygit2.Repository) -> str:
    return _EMPTY_TREE if repository.head_is_unborn else str(repository.head.peel(pygit2.Commit).tree_id)


def _walked(repository: pygit2.Repository, vault: Path) -> Result[WorkTree, Fault]:
    overlook(repository, vault.resolve())
    read = safe(exceptions=TROUBLE)(_compared)
    return sound_index(repository).bind(
        lambda index: read(repository, index).alt(lambda error: trouble(error, Path(repository.path)))
    )


def _compared(repository: pygit2.Repository, index: bytes) -> WorkTree:
    staged = head_to_index(repository)
    flags = TEXT_AND_BINARY | DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS
    unstaged, closed = compared(repository, flags)
    deltas = chain(staged.deltas, unstaged.deltas)
    whole(repository, (str(file.id) for delta in deltas for file in (delta.old_file, delta.new_file)))
    return WorkTree(repository, index, staged, unstaged, closed)
