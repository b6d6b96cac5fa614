"""The index of a repository: which content git believes the work tree to hold, read in one pass over its bytes."""

import re
from struct import Struct
from typing import NamedTuple

from capsula.core.once import latest
from capsula.reading.repository import GITLINK

_ENTRY = Struct(">24xL8xL20sH")
_MORE = Struct(">H")
_VERSION_AND_COUNT = Struct(">4xLL")
_NAME = 62
"""Bytes of an entry before its name."""
_PREFIX_COMPRESSED = 4
_LONGEST = 0xFFF
"""A longer name has this length in the flags."""
_ASSUME_UNCHANGED, _EXTENDED, _STAGE = 0x8000, 0x4000, 0x3000
_SKIP_WORKTREE, _INTENT_TO_ADD = 0x4000, 0x2000


class Index(NamedTuple):
    """The entries of an index, by what is known of their files without a look at them."""

    files: dict[bytes, tuple[int, bytes, int]]
    """Path to mode, blob id and size in the work tree (modulo 4 GiB), in the order of the paths."""
    hidden: set[bytes]
    """Those of the files that git was told not to look at: assume-unchanged or skip-worktree."""
    sparse: set[bytes]
    """Those of the hidden that git was told not to have: skip-worktree."""
    unknown: set[bytes]
    """Paths without content: in a conflict, or only intended to be added."""
    intended: set[bytes]
    """Those of the unknown that are only intended to be added."""
    submodules: set[bytes]


def indexed(data: bytes) -> Index:
    """Return what an index file holds; empty bytes are an empty index."""
    index = Index({}, set(), set(), set(), set(), set())
    if not data:
        return index
    files, unpack = index.files, _ENTRY.unpack_from
    version, count = _VERSION_AND_COUNT.unpack_from(data)
    is_compressed = version >= _PREFIX_COMPRESSED
    start, path = _VERSION_AND_COUNT.size, b""
    for _ in range(count):
        mode, size, identity, flags = unpack(data, start)
        length = flags & _LONGEST
        if not is_compressed and mode != GITLINK and flags == length < _LONGEST:  # as most are
            name = start + _NAME
            files[data[name : name + length]] = mode, identity, size
            start += _NAME + length + 8 & ~7
            continue
        more, name = (_MORE.unpack_from(data, start + _NAME)[0], 2) if flags & _EXTENDED else (0, 0)
        name += start + _NAME
        kept = 0
        if is_compressed:
            cut, name = _varint(data, name)
            kept = len(path) - cut
        end = data.index(b"\0", name)
        path = path[:kept] + data[name:end]
        if len(path) > _LONGEST:  # nor is there room for the name of every folder on the way to it
            raise ValueError("the index holds a path that is longer than that of any file")
        start = end + 1 if is_compressed else start + (end - start + 8 & ~7)
        if mode == GITLINK:
            index.submodules.add(path)
        elif flags & _STAGE or more & _INTENT_TO_ADD:
            index.unknown.add(path)
            if more & _INTENT_TO_ADD:
                index.intended.add(path)
        else:
            files[path] = mode, identity, size
            if flags & _ASSUME_UNCHANGED or more & _SKIP_WORKTREE:
                index.hidden.add(path)
            if more & _SKIP_WORKTREE:
                index.sparse.add(path)
    return index


@latest
def remarkable(data: bytes) -> Index:
    """Return what an index file holds that a diff does not tell all about: submodules, attributes, flagged files.

    Most indexes have none of it, and then nothing is returned; a search of the bytes tells that ten times faster than
    reading each entry.
    """
    is_remarkable = data.startswith(_COMPRESSED) or any(pattern.search(data) for pattern in _REMARKABLE)
    return indexed(data if is_remarkable else b"")


_COMPRESSED = b"DIRC\0\0\0\4"
_FLAGGED = rb".{32}[\x40-\xff]"  # from the mode on: 32 bytes, and flags with one of the upper two set
_REMARKABLE = [  # apart, because a search for alternatives is four times slower
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"\.gitattributes\0",
        rb"\0\0\xe0\0",  # the mode of a submodule
        rb"\0\0\x81\xa4" + _FLAGGED,
        rb"\0\0\x81\xed" + _FLAGGED,
        rb"\0\0\xa0\0" + _FLAGGED,
    )
]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = (value + 1 << 7) | (data[at] & 0x7F)
    return value, at + 1
