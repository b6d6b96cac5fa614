"""Walks: what is below a directory, without opening any file, and without entering what is not the project's own."""

import os
import stat
from collections import deque
from collections.abc import Collection, Iterable
from typing import NamedTuple

MOST_FILES = 20_000
"""How many files of a directory without a repository are kept."""
MOST_IGNORED = 1000
"""How many ignored files are listed, and how many directories that hold none other."""

_MARKS = frozenset({b"pyvenv.cfg", b"CACHEDIR.TAG"})
"""What holds a file of this name holds what can be made again."""
_BYTECODE = b"__pycache__"
_REMADE = frozenset({b"node_modules"})

_ODD = {stat.S_IFIFO: "is a named pipe", stat.S_IFSOCK: "is a socket"}


class Rest(NamedTuple):
    """What is below the top of a work tree beside the files that are known; paths are relative to the top."""

    directories: list[bytes]
    """Those that hold no known file."""
    ignored: dict[bytes, int]
    """Path to size."""
    caches: list[bytes]
    """Directories that hold what can be made again; they are not entered."""
    odd: dict[bytes, str]
    """What is neither file nor directory, or cannot be listed, and why."""
    beyond: list[bytes]
    """Directories that hold more than is listed."""


class Below(NamedTuple):
    """What is below a directory that is in no repository."""

    files: list[bytes]
    repositories: list[bytes]
    directories: list[bytes]
    """Empty ones."""
    caches: list[bytes]
    odd: dict[bytes, str]


def rest(top: bytes, known: Collection[bytes], without: Collection[bytes]) -> Rest:
    """Return what is below a work tree beside known files; ``without`` are paths that are not looked at."""
    found = Rest([], {}, [], {}, [])
    holding = _directories_of(known)
    pending = [b""]
    while pending:
        prefix = pending.pop()
        listed = _listed(top + prefix, prefix, found.odd)
        for entry in [entry for entry in listed if prefix + entry.name not in known]:  # mostly none
            path = prefix + entry.name
            if path in without or entry.name == b".git":
                continue
            if not entry.is_dir(follow_symlinks=False):
                _file(path, entry, found)
            elif path in holding:
                pending.append(path + b"/")
            elif entry.name != _BYTECODE:
                _ignored_below(top, path, without, found)
    return found


def below(top: bytes, without: Collection[bytes], *, everything: bool = False) -> Below:
    """Return what is below a directory; with ``everything`` also what can be made again, but never what is git's."""
    found = Below([], [], [], [], {})
    pending = [b""]
    while pending:
        prefix = pending.pop()
        entries = [entry for entry in _listed(top + prefix, prefix, found.odd) if prefix + entry.name not in without]
        names = {entry.name for entry in entries}
        if prefix and not everything:
            if b".git" in names:
                found.repositories.append(prefix[:-1])
                continue
            if _is_cache(prefix, names):
                found.caches.append(prefix[:-1])
                continue
        if prefix and not names - {b".git"}:
            found.directories.append(prefix[:-1])
        for entry in entries:
            path = prefix + entry.name
            if entry.name == b".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                if everything or entry.name != _BYTECODE:
                    pending.append(path + b"/")
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                found.files.append(path)
            else:
                found.odd[path] = _oddity(entry)
    return found


def _directories_of(paths: Iterable[bytes]) -> set[bytes]:
    directories: set[bytes] = set()
    level = {path.rpartition(b"/")[0] for path in paths} - {b""}
    while level:
        directories |= level
        level = {path.rpartition(b"/")[0] for path in level} - {b""} - directories
    return directories


def _ignored_below(top: bytes, directory: bytes, without: Collection[bytes], found: Rest) -> None:
    """List a directory without known files, the nearest first, within the budget."""
    pending = deque([directory])
    while pending:
        path = pending.popleft()
        if len(found.directories) >= MOST_IGNORED or len(found.ignored) >= MOST_IGNORED:
            found.beyond.append(directory)
            return
        entries = _listed(top + path, path + b"/", found.odd)
        if _is_cache(path, {entry.name for entry in entries}):
            found.caches.append(path)
            continue
        found.directories.append(path)
        for entry in entries:
            inner = path + b"/" + entry.name
            if inner in without or entry.name == b".git":
                continue
            if not entry.is_dir(follow_symlinks=False):
                if len(found.ignored) < MOST_IGNORED:
                    _file(inner, entry, found)
            elif entry.name != _BYTECODE:
                pending.append(inner)


def _file(path: bytes, entry: "os.DirEntry[bytes]", found: Rest) -> None:
    if entry.is_symlink() or entry.is_file(follow_symlinks=False):
        if len(found.ignored) < MOST_IGNORED:
            found.ignored[path] = _size(entry)
        else:
            found.beyond.append(path)
    else:
        found.odd[path] = _oddity(entry)


def _listed(directory: bytes, prefix: bytes, odd: dict[bytes, str]) -> "list[os.DirEntry[bytes]]":
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError as error:
        odd[prefix.rstrip(b"/") or b"."] = f"cannot be listed: {error.strerror}"
        return []


def _is_cache(path: bytes, names: Collection[bytes]) -> bool:
    name = path.rstrip(b"/").rpartition(b"/")[2]
    return name in _REMADE or not _MARKS.isdisjoint(names)


def _size(entry: "os.DirEntry[bytes]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _oddity(entry: "os.DirEntry[bytes]") -> str:
    try:
        kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return _ODD.get(kind, "is a device")
