"""Packs: a commit, its trees and its files, without the history, in the format that git itself reads."""

import zlib
from binascii import crc32
from collections.abc import Callable, Iterator
from hashlib import sha1
from itertools import accumulate
from typing import NamedTuple

import pygit2
from pygit2.enums import ObjectType

from capsula.reading.objects import whole
from capsula.reading.repository import GITLINK

TREE = 0o040000
"""The mode of a directory."""

MOST_INFLATED = 1 << 32
"""Bytes that a pack may hold; more is no pack of ours."""

LARGEST_PACK = 1 << 31
"""Bytes of a pack, more than which its index does not tell."""

_SIGNATURE = b"PACK\0\0\0\2"
_DIGEST = 20
_HEADER = 10
"""Bytes that tell a size are no more than these, whatever it is."""
_LEVEL = 1
_STEP = 1 << 20
_NAMES = {int(ObjectType.COMMIT): b"commit", int(ObjectType.TREE): b"tree", int(ObjectType.BLOB): b"blob"}


class Leaf(NamedTuple):
    """A file, link or submodule of a tree."""

    path: bytes
    mode: int
    id: bytes


class MalformedError(ValueError):
    """A pack or an object of it is not what it should be."""


def leaves(repository: pygit2.Repository, tree: bytes, most: int | None = None) -> Iterator[Leaf]:
    """Yield all that a tree holds, at any depth.

    Raises:
        MalformedError: there are more than ``most`` trees and leaves.
    """
    pending = [(b"", tree)]
    count = 0
    while pending:
        prefix, identity = pending.pop()
        for name, mode, entry in reversed(_entries(_data(repository, identity, ObjectType.TREE))):
            count += 1
            if most is not None and count > most:
                raise MalformedError("the tree holds more than it should")
            if mode == TREE:
                pending.append((prefix + name + b"/", entry))
            else:
                yield Leaf(prefix + name, mode, entry)


def tree_of(repository: pygit2.Repository, commit: str) -> bytes:
    """Return the id of the tree of a commit."""
    data = _data(repository, bytes.fromhex(commit), ObjectType.COMMIT)
    if not data.startswith(b"tree "):
        raise MalformedError("a commit has no tree")
    return bytes.fromhex(data[5:45].decode("ascii"))


def blob(repository: pygit2.Repository, identity: bytes) -> bytes:
    """Return the bytes of a file."""
    return _data(repository, identity, ObjectType.BLOB)


def packed(repository: pygit2.Repository, commit: str, is_left_out: Callable[[Leaf], bool]) -> Iterator[bytes]:
    """Yield the pack of a commit; ``is_left_out`` says which of its files not to hold."""
    tree = tree_of(repository, commit)
    trees = dict.fromkeys(_trees(repository, tree))
    blobs = dict.fromkeys(
        leaf.id for leaf in leaves(repository, tree) if leaf.mode != GITLINK and not is_left_out(leaf)
    )
    ids = [bytes.fromhex(commit), *trees, *blobs]
    digest = sha1(usedforsecurity=False)
    header = _SIGNATURE + len(ids).to_bytes(4)
    digest.update(header)
    yield header
    for identity in ids:
        kind, data = _read(repository, identity)
        member = _member_header(int(kind), len(data)) + zlib.compress(data, _LEVEL)
        digest.update(member)
        yield member
    yield digest.digest()


def pack_index(pack: bytes | memoryview) -> tuple[bytes, bytes]:
    """Return the index that git wants beside a pack, and the checksum that both are named by.

    Raises:
        MalformedError: it is no pack as ``packed`` makes them.
    """
    view = memoryview(pack)
    end = len(view) - _DIGEST
    checksum = bytes(view[end:])
    if view[:8] != _SIGNATURE or sha1(view[:end], usedforsecurity=False).digest() != checksum:
        raise MalformedError("the pack is damaged")
    position, inflated = 12, 0
    rows: list[tuple[bytes, int, int]] = []
    for _ in range(int.from_bytes(view[8:12])):
        start = position
        identity, size, position = _member(view, start, end, MOST_INFLATED - inflated)
        inflated += size
        rows.append((identity, crc32(view[start:position]), start))
    if position != end or end >= LARGEST_PACK:
        raise MalformedError("the pack does not end where it should")
    rows.sort()
    counts = [0] * 256
    for identity, _, _ in rows:
        counts[identity[0]] += 1
    parts = [b"\xfftOc\0\0\0\2", *(total.to_bytes(4) for total in accumulate(counts))]
    parts += [identity for identity, _, _ in rows]
    parts += [check.to_bytes(4) for _, check, _ in rows]
    parts += [offset.to_bytes(4) for _, _, offset in rows]
    index = b"".join(parts) + checksum
    return index + sha1(index, usedforsecurity=False).digest(), checksum


def _data(repository: pygit2.Repository, identity: bytes, wanted: ObjectType) -> bytes:
    kind, data = _read(repository, identity)
    if kind != wanted:
        raise MalformedError(f"the object {identity.hex()} is no {wanted.name.lower()}")
    return bytes(data)


def _read(repository: pygit2.Repository, identity: bytes) -> tuple[int, bytes]:
    whole(repository, (identity.hex(),))
    return repository.odb.read(pygit2.Oid(identity))


def _entries(tree: bytes) -> list[tuple[bytes, int, bytes]]:
    entries = []
    position = 0
    while position < len(tree):
        space, end = tree.find(b" ", position), tree.find(b"\0", position)
        if not position < space < end:
            raise MalformedError("a tree is damaged")
        identity = tree[end + 1 : end + 1 + _DIGEST]
        entries.append((tree[space + 1 : end], int(tree[position:space], 8), identity))
        position = end + 1 + _DIGEST
    return entries


def _trees(repository: pygit2.Repository, tree: bytes) -> Iterator[bytes]:
    pending, seen = [tree], {tree}
    while pending:
        identity = pending.pop()
        yield identity
        entries = _entries(_data(repository, identity, ObjectType.TREE))
        found = [entry for _, mode, entry in entries if mode == TREE and entry not in seen]
        seen.update(found)
        pending += found


def _member_header(kind: int, size: int) -> bytes:
    header = bytearray([kind << 4 | size & 0xF])
    size >>= 4
    while size:
        header[-1] |= 0x80
        header.append(size & 0x7F)
        size >>= 7
    return bytes(header)


def _member(pack: memoryview, start: int, end: int, most: int) -> tuple[bytes, int, int]:
    """Return the id and the size of the object at ``start``, and where the next one starts."""
    position = start + 1
    kind, size, shift = pack[start] >> 4 & 7, pack[start] & 0xF, 4
    while (is_more := bool(pack[position - 1] & 0x80)) and position < min(start + _HEADER, end):
        size |= (pack[position] & 0x7F) << shift
        shift += 7
        position += 1
    if kind not in _NAMES or size > most or is_more:
        raise MalformedError("the pack holds what it should not")
    digest = sha1(b"%b %d\0" % (_NAMES[kind], size), usedforsecurity=False)
    inflater = zlib.decompressobj()
    left = size
    while not inflater.eof:
        given = inflater.unconsumed_tail or bytes(pack[position : min(position + _STEP, end)])
        if not inflater.unconsumed_tail:
            position += len(given)
        if not given:
            raise MalformedError("the pack is cut off")
        try:
            chunk = inflater.decompress(given, _STEP)
        except zlib.error as error:
            raise MalformedError("the pack is damaged") from error
        left -= len(chunk)
        if left < 0:
            raise MalformedError("an object of the pack is larger than it says")
        digest.update(chunk)
    if left:
        raise MalformedError("an object of the pack is smaller than it says")
    return digest.digest(), size, position - len(inflater.unused_data)
