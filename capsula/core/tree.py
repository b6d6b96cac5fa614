"""Trees: what the files of a project were, as facts that suffice to put them back byte for byte."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple, TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.content import KINDS, Kind
from capsula.core.facts import facts_of
from capsula.core.fault import Fault, Json

WORKSPACE = "capsula-workspace"
"""A file of this name in the directory of a repository says that Capsula itself made it."""

Entries: TypeAlias = Mapping[bytes, tuple[int, bytes, int]]
"""Path to git's mode, the id of the blob that git would make of the raw bytes, and their number."""


class Kept(NamedTuple):
    """A file or link that the archive holds: it differs from the commit, or there is none."""

    path: str
    """Relative to the top of the tree, as is every path here; bytes that are not UTF-8 are lone surrogates."""
    kind: Kind
    size: int
    """In bytes; of a link, those of its target."""
    sha256: str


class Missed(NamedTuple):
    """A file of the tree that is listed only: whoever puts the tree back has to bring it."""

    path: str
    reason: str
    size: int | None = None
    """In bytes; none if it could not even be looked at."""
    mode: str | None = None
    """The permissions, octal."""
    committed: bool = False
    """Whether it is as the commit has it, and so to be had wherever that is."""


class Ignored(NamedTuple):
    """A file that git ignores, and so no part of the tree."""

    path: str
    size: int


class Stored(NamedTuple):
    """A file of the capsule."""

    file: str
    """Relative to the capsule."""
    size: int
    """In bytes."""


class Tree(NamedTuple):
    """The state of one work tree or directory; a field that has its default is left out of the facts."""

    path: str
    """As configured, or relative to the root; of a nested one, relative to the tree around it."""
    head: str | None
    """The commit that all else is told against; none without a repository, or before the first commit."""
    mode: Literal["overlay", "tree", "patch"]
    """Whether the archive holds what differs from a commit to be had elsewhere, or all that is needed.

    ``patch``: there is no archive, and all that is known are the patches to the commit.
    """
    digest: str
    """Of the whole tree but for what is withheld or left out: see ``digest``; under ``patch`` it is not known."""
    files: int
    """How many files and links the tree has, without those; under ``patch``, as ``size``, it is not known."""
    size: int
    """In bytes."""
    overlay: tuple[Kept, ...] = ()
    deleted: tuple[str, ...] = ()
    """Files of the commit that the tree does not have."""
    directories: tuple[str, ...] = ()
    """Directories that hold no file of the tree."""
    ignored: tuple[Ignored, ...] = ()
    ignored_beyond: bool = False
    """Whether there are more ignored files than are listed."""
    caches: tuple[str, ...] = ()
    """Directories that hold what can be made again, of which nothing is listed."""
    withheld: tuple[Missed, ...] = ()
    """Files that look like secrets."""
    seals: Mapping[str, str] = {}
    """Path of a withheld file to what tells its content from another."""
    left_out: tuple[Missed, ...] = ()
    """Files over the limits, of odd kinds, or that could not be read."""
    repository: str | None = None
    """The directory that git keeps the objects in; none without a repository."""
    published: bool = False
    """Whether the commit is known to be on a remote."""
    describe: str | None = None
    """What ``git describe --tags --long --dirty`` says."""
    remotes: tuple[str, ...] = ()
    """URLs, without secrets."""
    hidden: tuple[str, ...] = ()
    """Files that git was told not to look at; they were looked at nevertheless."""
    converted: bool = False
    """Whether git may be told to keep other bytes than those of the work tree; all files were read then."""
    archive: Stored | None = None
    """A compressed tar of the overlay."""
    objects: Stored | None = None
    """A pack of the commit, its trees and its files, without the history."""
    patches: tuple[str, ...] = ()
    """Under ``patch``, files of the capsule, in the order to apply."""
    nested: Mapping[str, "Tree"] = {}
    """Repositories inside, submodules or not, by their path."""

    @property
    def missed(self) -> tuple[Missed, ...]:
        """All files of the tree that are listed only."""
        return self.withheld + self.left_out


def facts(tree: Tree) -> dict[str, Json]:
    """Return the facts of a tree as they stand in a document."""
    return facts_of(tree)


def understood(told: Json) -> Result[Tree, Fault]:
    """Return the tree that facts tell of, from whomever they are; what can lead outside of it is refused.

    Fault: ``integrity``.
    """
    try:
        return Success(_tree(told))
    except (TypeError, ValueError, KeyError) as error:
        return Failure(Fault("integrity", f"the facts of the source are not sound: {error}"))


def digest(entries: Entries) -> str:
    """Return what tells a tree from every other: SHA-256 over its files as git writes a tree, but with whole paths."""
    lines = [b"%o %b\0%b" % (mode, path, identity) for path, (mode, identity, _) in sorted(entries.items())]
    return sha256(b"".join(lines)).hexdigest()


def path_flaw(path: str) -> str | None:
    """Judge a path that must stay in the directory it is joined to, and out of what is git's own.

    >>> path_flaw("a/../b"), path_flaw("a/.GIT/config"), path_flaw("a b/.gitignore")
    ("has the component '..'", "has the component '.GIT'", None)
    """
    if "\0" in path:
        return "holds a NUL character"
    refused = next((part for part in path.split("/") if part in {"", ".", ".."} or _is_gits_own(part)), None)
    return None if refused is None else f"has the component {refused!r}"


# What file systems take for .git: without case, as a short name, with a stream, or with characters that they ignore.
_GITS_OWN = r"(?is)(\.git|git~\d+)[ .]*(:.*)?"
_IGNORABLE = "[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]"


def _is_gits_own(component: str) -> bool:
    return any(re.fullmatch(_GITS_OWN, part) for part in re.sub(_IGNORABLE, "", component).split("\\"))


_MODES: tuple[Literal["overlay", "tree", "patch"], ...] = ("overlay", "tree", "patch")


def _tree(told: Json) -> Tree:
    table = _table(told)
    unknown = set(table) - {*Tree._fields}
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")
    head, mode = table["head"], table["mode"]
    if head is not None and not re.fullmatch("[0-9a-f]{40}", _text(head)):
        raise ValueError("the head is no commit")
    known = next((known for known in _MODES if known == mode), None)
    if known is None:
        raise ValueError(f"the mode {mode!r} is unknown")
    tree = Tree(
        path=_text(table["path"]),
        head=head if head is None else _text(head),
        mode=known,
        digest=_text(table["digest"]),
        files=_count(table["files"]),
        size=_count(table["size"]),
        overlay=tuple(_kept(_table(part)) for part in _list(table, "overlay")),
        deleted=_paths(table, "deleted"),
        directories=_paths(table, "directories"),
        ignored=tuple(
            Ignored(_path(_table(part)["path"]), _count(_table(part)["size"])) for part in _list(table, "ignored")
        ),
        ignored_beyond=table.get("ignored_beyond") is True,
        caches=_paths(table, "caches"),
        seals={path: _text(seal) for path, seal in _table(table.get("seals", {})).items()},
        withheld=tuple(_missed(_table(part)) for part in _list(table, "withheld")),
        left_out=tuple(_missed(_table(part)) for part in _list(table, "left_out")),
        repository=None if table.get("repository") is None else _text(table["repository"]),
        published=table.get("published") is True,
        describe=None if table.get("describe") is None else _text(table["describe"]),
        remotes=tuple(map(_text, _list(table, "remotes"))),
        hidden=_paths(table, "hidden"),
        converted=table.get("converted") is True,
        archive=_stored(table.get("archive")),
        objects=_stored(table.get("objects")),
        patches=_paths(table, "patches"),
        nested={_path(path): _tree(part) for path, part in _table(table.get("nested", {})).items()},
    )
    places = [kept.path for kept in tree.overlay]
    if len(set(places)) < len(places):
        raise ValueError("a path stands twice in the overlay")
    return tree


def _kept(table: Mapping[str, Json]) -> Kept:
    kind = next((kind for kind in KINDS.values() if kind == table["kind"]), None)
    if kind is None:
        raise ValueError(f"the kind {table['kind']!r} is unknown")
    return Kept(_path(table["path"]), kind, _count(table["size"]), _text(table["sha256"]))


def _missed(table: Mapping[str, Json]) -> Missed:
    size, mode = table.get("size"), table.get("mode")
    return Missed(
        _path(table["path"], or_top=True),
        _text(table["reason"]),
        None if size is None else _count(size),
        None if mode is None else _text(mode),
        table.get("committed") is True,
    )


def _stored(told: Json) -> Stored | None:
    if told is None:
        return None
    table = _table(told)
    return Stored(_path(table["file"]), _count(table["size"]))


def _paths(table: Mapping[str, Json], key: str) -> tuple[str, ...]:
    return tuple(map(_path, _list(table, key)))


def _path(value: Json, *, or_top: bool = False) -> str:
    path = _text(value)
    flaw = None if or_top and path == "." else path_flaw(path)
    if flaw:
        raise ValueError(f"the path {path!r} {flaw}")
    return path


def _table(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r:.60} is no table")
    return value


def _list(table: Mapping[str, Json], key: str) -> Sequence[Json]:
    value = table.get(key, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{key} is no list")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def _count(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r:.60} is no size")
    return value
