"""The source: all that must be kept so that every file of the project can be put back, byte for byte.

What git has committed is named by its commit, and packed where no remote is known to have it; of all else the raw bytes
are kept. No patch is made, no configuration of git has a say, and nothing is written to a repository.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import DescribeStrategy, DiffOption
from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.effect import Archive, Effect, Remember, Seal, Share, Source
from capsula.core.fault import Fault
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment, gather, joined
from capsula.core.remote import without_secrets
from capsula.core.tree import WORKSPACE, Entries, Ignored, Tree, facts
from capsula.core.withholding import WITHHELD, Withholding
from capsula.reading.archived import as_archived, with_files
from capsula.reading.cache import cache, own
from capsula.reading.cleared import Cleared
from capsula.reading.content import content
from capsula.reading.conversion import attribute_files, is_attributes, may_convert
from capsula.reading.found import Found, embeddable, looked_at
from capsula.reading.index import Index, indexed
from capsula.reading.objects import common_directory, whole
from capsula.reading.pack import Leaf, blob, packed
from capsula.reading.repository import (
    TROUBLE,
    compared,
    holder,
    is_inside,
    opened,
    sound_index,
    top_directory,
    trouble,
)
from capsula.reading.walk import MOST_FILES, below, rest
from capsula.reading.worktree import WorkTree, head_to_index, head_tree, work_tree

FOLDER = ".capsula/source"
"""Where in a capsule the archives stand."""


def collect(config: Config) -> Answer:
    """Return name to facts of each repository that is captured, or of the root directory where it is in none."""
    chosen = config.settings.capture.git.repositories
    if not chosen:
        return Success(gather(_of_the_root(config)))
    return Success(gather({name: _configured(name, path, config) for name, path in chosen.items()}))


class _Place(NamedTuple):
    """Where a tree is, and where in the capsule its files go."""

    top: Path
    path: str
    """As the facts have it."""
    target: str
    config: Config

    @property
    def withholding(self) -> Withholding:
        return Withholding(self.config.settings.discretion, self.config.settings.capture.source)

    @property
    def memory(self) -> Path | None:
        """The file that tells which contents were cleared."""
        directory = cache(self.config.surroundings.environ)
        return directory and directory / "cleared" / sha256(os.fsencode(self.top)).hexdigest()[:32]

    @property
    def cleared(self) -> Cleared:
        return Cleared(self.withholding, own(self.memory) if self.memory else b"")

    @property
    def without(self) -> set[bytes]:
        """What below the top is Capsula's own."""
        vault = self.config.vault.resolve()
        return {os.fsencode(vault.relative_to(self.top))} if vault.is_relative_to(self.top) else set()

    def below(self, path: bytes) -> Path:
        return self.top / os.fsdecode(path)


def _of_the_root(config: Config) -> dict[str, Answer]:
    root = config.root.resolve()
    found = holder(root)
    if isinstance(found, Success):
        repository = found.unwrap()
        top = top_directory(repository) or Path(repository.path)
        if not _ignores(repository, top, root):
            name = _file_name(top.name)
            return {name: _captured(repository, _Place(top, os.path.relpath(top, root), f"{FOLDER}/{name}", config))}
    name = _file_name(root.name)
    if isinstance(found, Failure) and found.failure().kind not in {"not a repository", "nothing there"}:
        return {name: Failure(found.failure())}
    return {name: _of_directory(_Place(root, ".", f"{FOLDER}/{name}", config))}


def _configured(name: str, path: str, config: Config) -> Answer:
    if name.startswith("/") or not {*name.split("/")}.isdisjoint({"", ".", ".."}):
        return Failure(Fault("invalid name", f"{name!r} does not name a file in the capsule"))
    return holder(config.root / path).bind(
        lambda repository: _captured(
            repository, _Place(top_directory(repository) or Path(repository.path), path, f"{FOLDER}/{name}", config)
        )
    )


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name) or "root"


def _ignores(repository: pygit2.Repository, top: Path, directory: Path) -> bool:
    inside = directory != top and directory.is_relative_to(top)
    return inside and repository.path_is_ignored(os.fspath(directory.relative_to(top)))


def _captured(repository: pygit2.Repository, place: _Place) -> Answer:
    if top_directory(repository) is None:
        return Failure(Fault("no work tree", f"{repository.path} has no work tree"))
    walked = work_tree(repository, place.config).map(_seen).lash(lambda _: _without_submodules(repository))
    return walked.bind(partial(_understood, repository, place))


class _Seen(NamedTuple):
    """What git says of a work tree."""

    index_file: bytes
    staged: frozenset[bytes]
    """The paths that differ from HEAD to index."""
    walked: frozenset[bytes]
    """Those that differ from there, cannot be read or are not tracked; a repository ends with a slash."""


def _seen(tree: WorkTree) -> _Seen:
    return _Seen(tree.index_file, _paths(tree.staged), _paths(tree.unstaged) | tree.closed.keys())


def _without_submodules(repository: pygit2.Repository) -> Result[_Seen, Fault]:
    """Look past the submodules, one of which may be broken: each is a tree of its own."""
    flags = DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS | DiffOption.IGNORE_SUBMODULES

    def seen(index: bytes) -> _Seen:
        walked, closed = compared(repository, flags)
        return _Seen(index, _paths(head_to_index(repository)), _paths(walked) | closed.keys())

    read = safe(exceptions=TROUBLE)(seen)
    return sound_index(repository).bind(
        lambda index: read(index).alt(lambda error: trouble(error, Path(repository.path)))
    )


def _understood(repository: pygit2.Repository, place: _Place, seen: _Seen) -> Answer:
    read: Result[Fragment, Exception] = safe(exceptions=TROUBLE)(_of_repository)(repository, seen, place)
    return read.alt(lambda error: trouble(error, Path(repository.path)))


def _of_repository(repository: pygit2.Repository, seen: _Seen, place: _Place) -> Fragment:
    tree = None if repository.head_is_unborn else head_tree(repository)
    head = None if tree is None else str(repository.head.target)
    index = indexed(seen.index_file)
    repositories, own = _inside(seen.walked, index, place)
    without = place.without | repositories | own
    named = _attributes((*index.files, *seen.walked))
    converted = may_convert(
        repository, attribute_files(repository, place.top, named, place.config.surroundings.environ)
    )
    differing = seen.walked | seen.staged | index.hidden | index.unknown | (index.files.keys() if converted else set())
    suspects = {path for path in differing if not _is_in(without, path)}
    clean = dict(index.files)
    for path in suspects:
        clean.pop(path, None)

    def in_head(path: bytes) -> tuple[int, bytes] | None:
        # What is staged of a hidden file, libgit2 does not tell.
        known = None if path in seen.staged or path in index.hidden else index.files.get(path)
        return known[:2] if known else _entry(tree, path)

    cleared = place.cleared
    found = looked_at(clean, suspects, in_head, place.top, cleared)
    published = head is not None and _is_published(repository)
    if head and not published:
        found = embeddable(found, cleared, partial(_committed, repository))
    entries = found.entries
    gone = {path for path in suspects if path not in entries} - found.missed
    known = entries.keys() | found.missed if found.missed else entries
    others = rest(os.fsencode(place.top) + b"/", known, without)
    found = found.without(others.odd)
    deleted = {path for path in gone if in_head(path)}
    is_dirty = bool(found.changed or deleted - index.hidden)
    state = Tree(
        path=place.path,
        head=head,
        mode="overlay" if published else "tree",
        digest="",
        files=0,
        size=0,
        deleted=_texts(deleted),
        directories=_texts({*others.directories, *_parents(found.missed, entries)}),
        ignored=tuple(Ignored(os.fsdecode(path), others.ignored[path]) for path in sorted(others.ignored)),
        ignored_beyond=bool(others.beyond),
        caches=_texts(others.caches),
        repository=os.fspath(common_directory(repository)),
        published=published,
        describe=_described(repository, is_dirty=is_dirty) if head else None,
        remotes=tuple(without_secrets(remote.url) for remote in repository.remotes if remote.url),
        hidden=_texts(index.hidden),
        converted=converted,
    )
    base = _base(repository, head, found, place) if head and not published else Fragment({})
    told = joined(base, _told(state, found, place, cleared))
    return joined(told, _nested(sorted(repositories), place))


def _of_directory(place: _Place) -> Answer:
    """Return the facts of a directory that is in no repository."""
    home = place.config.surroundings.environ.get("HOME")
    if place.top == Path(place.top.anchor) or (home and place.top == Path(home).resolve()):
        message = f"{place.top} is too wide a place to be kept"
        return Failure(Fault("too wide", message, "work in a directory of its own, or set include-source = false"))
    there = below(os.fsencode(place.top) + b"/", place.without)
    if len(there.files) > MOST_FILES:
        message = f"{place.top} holds more than {MOST_FILES} files, and no repository tells which ones matter"
        return Failure(Fault("too wide", message, "make it a repository, or set include-source = false"))
    cleared = place.cleared
    found = looked_at({}, there.files, lambda _: None, place.top, cleared).without(there.odd)
    state = Tree(
        path=place.path,
        head=None,
        mode="tree",
        digest="",
        files=0,
        size=0,
        directories=_texts({*there.directories, *_parents(found.missed, found.entries)}),
        caches=_texts(there.caches),
    )
    return Success(joined(_told(state, found, place, cleared), _nested(sorted(there.repositories), place)))


def _told(state: Tree, found: Found, place: _Place, cleared: Cleared) -> Fragment:
    """Return the facts of a tree, and the wish to keep what they tell of."""
    effects: tuple[Effect, ...] = ()
    if found.changed:
        target = f"{place.target}.tar.gz"
        told = partial(as_archived, state, found, target)
        store = place.config.vault / ".capsula" / "archives"
        contents = {path: found.contents[path] for path in found.changed}
        effects += (Archive(target, place.top, contents, cleared.withholding.why_content, told, store),)
    if found.withheld:
        seals = {os.fsdecode(path): content(os.fsencode(place.below(path))) for path in found.withheld}
        known = {path: it.unwrap().sha256 for path, it in seals.items() if isinstance(it, Success)}
        effects += (Seal(place.config.vault, known, at=("seals",)),)
    news = cleared.news
    if place.memory and news is not None:
        effects += (Remember(place.memory, news),)
    return Fragment(facts(with_files(state, found)), effects)


def _nested(paths: Iterable[bytes], place: _Place) -> Fragment:
    """Return the facts of the repositories inside, each a tree of its own."""
    answers = {
        os.fsdecode(path): opened(place.below(path)).bind(
            partial(
                _captured,
                place=place._replace(
                    top=place.below(path), path=os.fsdecode(path), target=f"{place.target}.nested/{number}"
                ),
            )
        )
        for number, path in enumerate(paths, 1)
    }
    return gather({"nested": Success(gather(answers))}) if answers else Fragment({})


def _base(repository: pygit2.Repository, head: str, found: Found, place: _Place) -> Fragment:
    """Wish for the pack of a commit that no remote is known to have; capsules of one commit share it."""
    withholding, missed = place.withholding, found.missed
    message = _committed(repository, bytes.fromhex(head))
    why = message and withholding.why_content(b"", (message,))
    if why:
        told = f"the commit is not kept, its message holds a secret ({why})"
        return Fragment({}, faults=(Fault(WITHHELD, told, "keep the repository", ("objects",)),))

    def is_left_out(leaf: Leaf) -> bool:
        if leaf.path in missed or leaf.path in found.clean:
            return leaf.path in missed
        if withholding.named((leaf.path,)) or _size(repository, leaf.id) > withholding.source.file_limit:
            return True
        return withholding.why_content(leaf.path, (blob(repository, leaf.id),)) is not None

    def chunks() -> Iterator[bytes]:
        try:
            yield from packed(repository, head, is_left_out)
        except TROUBLE as error:
            raise OSError(None, f"{repository.path}: {error}") from error

    left_out = sha256(b"\0".join(sorted(missed)) + withholding.fingerprint).hexdigest()[:16]
    name = f"{head}-{left_out}"
    store = place.config.vault / ".capsula" / "commits" / f"{name}.pack"
    return Fragment({}, (Share(f"{place.target}.pack", Source(f"commit {name}", chunks), store, at=("objects",)),))


def _committed(repository: pygit2.Repository, identity: bytes) -> bytes | None:
    """Return the content of an object; none if it is not to be had.

    Raises:
        pygit2.GitError: it is cut short.
    """
    whole(repository, (identity.hex(),))
    try:
        return bytes(repository.odb.read(pygit2.Oid(identity))[1])
    except TROUBLE:
        return None


def _size(repository: pygit2.Repository, identity: bytes) -> int:
    return int(repository.odb.read_header(pygit2.Oid(identity))[1])


def _paths(diff: pygit2.Diff) -> frozenset[bytes]:
    return frozenset(file.raw_path for delta in diff.deltas for file in (delta.old_file, delta.new_file))


def _inside(walked: frozenset[bytes], index: Index, place: _Place) -> tuple[set[bytes], set[bytes]]:
    """Return the repositories inside a work tree, and those of them that are Capsula's own workspaces."""
    directories = {path.rstrip(b"/") for path in walked if path.endswith(b"/")} | index.submodules
    found = {path for path in directories if is_inside(place.top, path)}
    own = {path for path in found if (place.below(path) / ".git" / WORKSPACE).exists()}
    return found - own, own


def _attributes(paths: Collection[bytes]) -> list[bytes]:
    if b".gitattributes" not in b"\0".join(paths):  # of many names, most have none
        return []
    return [path for path in paths if is_attributes(path)]


def _is_in(directories: set[bytes], path: bytes) -> bool:
    if path.endswith(b"/"):
        return True
    return any(path == directory or path.startswith(directory + b"/") for directory in directories)


def _entry(tree: pygit2.Tree | None, path: bytes) -> tuple[int, bytes] | None:
    name = os.fsdecode(path)
    if tree is None or name not in tree:
        return None
    entry = tree[name]
    return (entry.filemode, entry.id.raw) if isinstance(entry, pygit2.Blob) else None


def _parents(missed: Iterable[bytes], entries: Entries) -> set[bytes]:
    """Return the directories that hold nothing but files that are not put back."""
    parents = {path.rpartition(b"/")[0] for path in missed} - {b""}
    return {parent for parent in parents if parents and not any(path.startswith(parent + b"/") for path in entries)}


def _texts(paths: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(map(os.fsdecode, sorted(paths)))


def _is_published(repository: pygit2.Repository) -> bool:
    """Tell whether a remote is known to have the commit that is checked out."""
    tips = [
        repository.references[name].resolve().target
        for name in repository.references
        if name.startswith("refs/remotes/")
    ]
    head = repository.head.target
    if head in tips:
        return True
    walker = repository.walk(head)
    for tip in tips:
        if tip in repository:
            walker.hide(tip)
    return bool(tips) and next(iter(walker), None) is None


def _described(repository: pygit2.Repository, *, is_dirty: bool) -> str | None:
    told: Result[str, Exception] = safe(exceptions=TROUBLE)(
        lambda: repository.describe(describe_strategy=DescribeStrategy.TAGS, always_use_long_format=True)
    )()
    return told.map(lambda text: f"{text}-dirty" if is_dirty else text).value_or(None)  # there may be no tag
