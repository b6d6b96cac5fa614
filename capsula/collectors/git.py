"""Repositories: the commit that is checked out, and how the work tree differs from it, as patches that apply.

Two patches, one after the other, lead from the commit to the work tree: HEAD to index, and index to work tree.
What git shows of a change depends on the user's configuration; what is kept here does not.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import DeltaStatus
from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.effect import Source, Write
from capsula.core.facts import facts_of
from capsula.core.fault import Fault
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment, gather
from capsula.core.remote import without_secrets
from capsula.core.withholding import Withholding
from capsula.reading.change import Change, changes_of, is_dirty, past_the_index
from capsula.reading.conversion import attribute_files, conversion_caveats, is_attributes
from capsula.reading.index import Index, remarkable
from capsula.reading.patches import Patches
from capsula.reading.repository import (
    GITLINK,
    TROUBLE,
    holder,
    is_inside,
    opened,
    top_directory,
    trouble,
    unreadable,
)
from capsula.reading.worktree import WorkTree, head_tree, work_tree

MOST_UNTRACKED = 10_000
"""How many untracked paths a document lists."""


def collect(config: Config) -> Answer:
    """Return name to facts of each configured repository, or else of the one that holds the root, if any does."""
    chosen = config.settings.capture.git.repositories
    if chosen is None:
        return Success(gather(_of_the_root(config)))
    return Success(gather({name: _configured(name, path, config) for name, path in chosen.items()}))


class Remote(NamedTuple):
    """A remote, without the secrets of its URL."""

    name: str
    url: str | None


class Changes(NamedTuple):
    """How many paths changed from HEAD to index, from there to the work tree, and are not tracked."""

    staged: int
    unstaged: int
    untracked: int
    conflicted: int = 0
    """How many of the unstaged are in a conflict."""


class Submodule(NamedTuple):
    """A submodule: the commit that HEAD records, and the one that is checked out, if any."""

    path: str
    recorded: str | None
    actual: str | None
    dirty: bool = False


class Checkout(NamedTuple):
    """The facts of one repository; a field that has its default is left out."""

    path: str
    """As configured, or relative to the root."""
    sha: str | None
    """None before the first commit."""
    branch: str | None
    """None where HEAD is detached."""
    remotes: tuple[Remote, ...]
    dirty: bool
    """Whether anything is staged, unstaged or untracked."""
    changes: Changes
    untracked: tuple[str, ...]
    """Sorted; a repository inside the work tree ends with a slash. Ignored files and the vault are left out."""
    untracked_left_out: int = 0
    submodules: tuple[Submodule, ...] = ()
    bare: bool = False
    worktree: str | None = None
    """The name of the linked work tree."""
    caveats: tuple[str, ...] = ()
    """Why the patches may not give back every tracked file byte for byte."""


def _of_the_root(config: Config) -> Mapping[str, Answer]:
    found = holder(config.root)
    if isinstance(found, Success):
        repository = found.unwrap()
        top = top_directory(repository) or Path(repository.path)
        path = "." if top == config.root else os.path.relpath(top, config.root.resolve())
        name = _file_name(top.name)
        return {name: _captured(repository, name, path, config)}
    fault = found.failure()
    return {} if fault.kind == "not a repository" else {_file_name(config.root.name): Failure(fault)}


def _configured(name: str, path: str, config: Config) -> Answer:
    if name.startswith("/") or not {*name.split("/")}.isdisjoint({"", ".", ".."}):
        return Failure(Fault("invalid name", f"{name!r} does not name a file in the capsule"))
    return holder(config.root / path).bind(lambda repository: _captured(repository, name, path, config))


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name) or "root"


def _captured(repository: pygit2.Repository, name: str, path: str, config: Config) -> Answer:
    top = top_directory(repository)
    if top is None:
        return _sound(repository, lambda: _bare(repository, path))
    return work_tree(repository, config).bind(
        lambda tree: _sound(repository, lambda: _fragment(tree, top, name, path, config))
    )


def _sound(repository: pygit2.Repository, read: Callable[[], Fragment]) -> Answer:
    answer: Result[Fragment, Exception] = safe(exceptions=TROUBLE)(read)()
    return answer.alt(lambda error: trouble(error, Path(repository.path)))


def _bare(repository: pygit2.Repository, path: str) -> Fragment:
    sha, branch = _head(repository)
    return Fragment(facts_of(Checkout(path, sha, branch, _remotes(repository), False, Changes(0, 0, 0), (), bare=True)))


def _fragment(tree: WorkTree, top: Path, name: str, path: str, config: Config) -> Fragment:
    repository = tree.repository
    sha, branch = _head(repository)
    index = remarkable(tree.index_file)
    others = tuple(attribute_files(repository, top, (), config.surroundings.environ))
    work = _work(tree, top, index, others)
    vault = config.vault.resolve()
    untracked = sorted(os.fsdecode(path) for path in work.untracked if not _is_in(vault, top, top / os.fsdecode(path)))
    submodules = _submodules(repository, top, index, work.dirty_submodules)
    named = [path for path in (*index.files, *index.unknown, *work.untracked) if is_attributes(path)]
    attributes = attribute_files(repository, top, named, config.surroundings.environ) if named else others
    conversions = conversion_caveats(repository, top, attributes)
    unstaged = len({*_paths(work.unstaged), *work.unreadable})
    changes = Changes(len(_paths(work.staged)), unstaged, len(untracked), len(work.conflicts))
    checkout = Checkout(
        path,
        sha,
        branch,
        _remotes(repository),
        dirty=changes != Changes(0, 0, 0),
        changes=changes,
        untracked=tuple(untracked[:MOST_UNTRACKED]),
        untracked_left_out=len(untracked[MOST_UNTRACKED:]),
        submodules=tuple(found.unwrap() for found in submodules.values() if isinstance(found, Success)),
        worktree=_linked_worktree(repository),
        caveats=(
            *conversions,
            *_hidden(index, work.absent),
            *_closed(work.unreadable),
            *_inside(work.dirty_submodules),
        ),
    )
    faults = [
        found.failure().under("submodules", place) for place, found in submodules.items() if isinstance(found, Failure)
    ]
    faults += (fault.under("unreadable", os.fsdecode(path)) for path, fault in work.unreadable.items())
    return Fragment(facts_of(checkout), (_patches(name, top, work, tree, config),), tuple(faults))


def _paths(changes: Iterable["Change"]) -> set[bytes]:
    return {change.path for change in changes}


class _Work(NamedTuple):
    """How the work tree differs from HEAD."""

    staged: tuple[Change, ...]
    unstaged: tuple[Change, ...]
    untracked: tuple[bytes, ...]
    conflicts: frozenset[bytes]
    dirty_submodules: frozenset[bytes]
    absent: frozenset[bytes]
    """The files that git was told not to have, and that are not there."""
    unreadable: Mapping[bytes, Fault]
    """The files of which no change is told, because they cannot be read; sorted."""


def _work(tree: WorkTree, top: Path, index: Index, attributes: Iterable[Path]) -> _Work:
    staged, found = (changes_of(diff, tree.repository) for diff in (tree.staged, tree.unstaged))
    closed = dict(tree.closed)
    absent = {change.path for change in found if change.kind is DeltaStatus.DELETED and change.path in index.sparse}
    untracked = tuple(
        change.path for change in found if change.kind is DeltaStatus.UNTRACKED and change.path not in closed
    )
    conflicts = {change.path for change in (*staged, *found) if change.kind is DeltaStatus.CONFLICTED}
    without_content = conflicts | index.intended
    tracked = [change for change in found if change.kind is not DeltaStatus.UNTRACKED and change.path not in absent]
    closed |= unreadable(top, _paths(tracked) | without_content)
    unstaged = [change for change in tracked if change.path not in without_content and change.path not in closed]
    # To ask libgit2 for the attributes of each path takes longer than to know that there is no file with any.
    named = any(map(is_attributes, (*index.files, *index.unknown, *_paths(found))))
    if named or any(map(os.path.lexists, attributes)):
        unstaged = [change for change in unstaged if not _is_kept_elsewhere(tree.repository, top, change)]
    unstaged += (
        change
        for path in sorted(without_content - closed.keys())
        for change in past_the_index(tree.repository, top, path)
    )
    return _Work(
        tuple(change for change in staged if change.path not in without_content),
        tuple(unstaged),
        untracked,
        frozenset(conflicts),
        frozenset(change.path for change in unstaged if change.is_submodule and is_dirty(change.patch())),
        frozenset(absent),
        {path: closed[path] for path in sorted(closed)},
    )


_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]{1,19})\n")


def _is_kept_elsewhere(repository: pygit2.Repository, top: Path, change: Change) -> bool:
    """Return whether the index has a pointer to just these bytes, which git, running the filter, calls unchanged."""
    if change.old_mode != change.new_mode or repository.get_attr(change.path, "filter") != "lfs":
        return False
    pointer = _POINTER.match(repository[change.old_id].read_raw())
    path = top / os.fsdecode(change.path)
    if not pointer or path.lstat().st_size != int(pointer[2]):
        return False
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest().encode() == pointer[1]


def _head(repository: pygit2.Repository) -> tuple[str | None, str | None]:
    head = repository.lookup_reference("HEAD")
    symbol, born = head.raw_target, _resolved(head)
    sha = str(born.unwrap().target) if isinstance(born, Success) else None
    branch = os.fsdecode(symbol).removeprefix("refs/heads/") if isinstance(symbol, bytes) else None
    return sha, branch


_resolved = safe(exceptions=(KeyError,))(pygit2.Reference.resolve)
"""What a reference leads to; before the first commit, ``HEAD`` leads nowhere."""


def _remotes(repository: pygit2.Repository) -> tuple[Remote, ...]:
    return tuple(
        Remote(remote.name or "", without_secrets(remote.url) if remote.url else remote.url)
        for remote in repository.remotes
    )


def _linked_worktree(repository: pygit2.Repository) -> str | None:
    directory = Path(repository.path)
    return directory.name if (directory / "commondir").exists() else None


def _is_in(directory: Path, top: Path, path: Path) -> bool:
    return path.is_relative_to(directory) and directory != top


def _submodules(
    repository: pygit2.Repository, top: Path, index: Index, dirty: frozenset[bytes]
) -> dict[str, Result[Submodule, Fault]]:
    if not index.submodules:
        return {}
    tree = head_tree(repository)
    paths = {os.fsdecode(path): path in dirty for path in sorted(index.submodules)}
    return {
        path: _checked_out(top, path).map(partial(_submodule, path, _recorded(tree, path), dirty=is_dirty))
        for path, is_dirty in paths.items()
    }


def _submodule(path: str, recorded: str | None, actual: str | None, *, dirty: bool) -> Submodule:
    return Submodule(path, recorded, actual, dirty)


def _recorded(tree: pygit2.Tree, path: str) -> str | None:
    return str(tree[path].id) if path in tree and tree[path].filemode == GITLINK else None


def _checked_out(top: Path, path: str) -> Result[str | None, Fault]:
    if not is_inside(top, os.fsencode(path)):
        return Success(None)
    return opened(top / path).map(lambda repository: _head(repository)[0])


def _hidden(index: Index, absent: frozenset[bytes]) -> tuple[str, ...]:
    hidden = [os.fsdecode(path) for path in sorted(index.hidden - absent)]
    return (f"git was told not to look at {_some(hidden)}: changes there are not in the patches",) if hidden else ()


def _closed(unreadable: Iterable[bytes]) -> tuple[str, ...]:
    paths = [os.fsdecode(path) for path in unreadable]
    return (f"{_some(paths)} cannot be read: changes there are not in the patches",) if paths else ()


def _inside(dirty_submodules: frozenset[bytes]) -> tuple[str, ...]:
    paths = sorted(map(os.fsdecode, dirty_submodules))
    return (f"changes inside the submodules {_some(paths)} are not in the patches",) if paths else ()


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(paths[:5]) + more


def _patches(name: str, top: Path, work: _Work, tree: WorkTree, config: Config) -> Write:
    withholding = Withholding(config.settings.discretion, config.settings.capture.source)
    patches = Patches(tree.repository, top, withholding, (work.staged, work.unstaged))

    def source(told: str, changes: tuple[Change, ...]) -> Source:
        return Source(f"{told} of {top}", partial(patches.chunks, changes), partial(patches.withheld, changes))

    first = ((f"{name}.staged.diff", source("HEAD to index", work.staged)),) if work.staged else ()
    return Write((*first, (f"{name}.diff", source("index to work tree", work.unstaged))), at=("patches",))
