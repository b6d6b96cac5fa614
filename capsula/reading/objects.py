"""Objects of a repository: where they are, and whether they are whole.

One that ends too soon, as a power cut or a full disk leaves it, libgit2 would read for ever.
"""

import os
import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pygit2

_CHUNK = 64 * 1024
_FOLDERS = re.compile(rb"40000 [^\0]+\0(.{20})", re.DOTALL)
"""Entries of a tree that are trees; what only looks like one is no object, which harms nobody."""


def common_directory(repository: pygit2.Repository) -> Path:
    """Return the directory that git keeps the objects in: of a linked work tree, the one that it is linked to."""
    return _common(repository.path)


def whole(repository: pygit2.Repository, identities: Iterable[str]) -> None:
    """Look whether objects are whole, as far as each is a file of its own.

    Raises:
        pygit2.GitError: one is not.
    """
    objects = _common(repository.path) / "objects"
    for identity in dict.fromkeys(identities):
        if _is_cut_short(f"{objects}/{identity[:2]}/{identity[2:]}"):
            raise pygit2.GitError(f"the object {identity} is cut short")


def whole_trees(repository: pygit2.Repository, top: str) -> None:
    """Look whether a tree, and all trees below it, are whole, as ``whole`` does."""
    pending = [top]
    known = {top}
    for identity in pending:
        whole(repository, (identity,))
        if identity in repository:
            below = {found.hex() for found in _FOLDERS.findall(repository.read(identity)[1])} - known
            known |= below
            pending += below


@lru_cache(64)
def _common(path: str) -> Path:
    directory = Path(path)
    named = directory / "commondir"
    return (directory / os.fsdecode(named.read_bytes().strip() if named.is_file() else b"")).resolve()


def _is_cut_short(file: str) -> bool:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # it is in a pack, or not here
        return False
    stretching = zlib.decompressobj()
    with open(descriptor, "rb", buffering=0) as stream:
        while compressed := stretching.unconsumed_tail or stream.read(_CHUNK):
            try:
                stretching.decompress(compressed, _CHUNK)
            except zlib.error:  # which libgit2 finds itself
                return False
    return not stretching.eof
