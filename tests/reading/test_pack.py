"""A pack, or an object of it, that is not what git would have written is refused before it costs anything."""

import tracemalloc
import zlib
from hashlib import sha1
from pathlib import Path

import pygit2
import pytest

from capsula.reading.pack import MOST_INFLATED, MalformedError, leaves, pack_index, packed, tree_of
from tests.repositories import commit, git, repository

BLOB, TAG, DELTA = 3, 4, 6
MIB = 1024 * 1024


def pack(*members: bytes, count: int | None = None) -> bytes:
    """Return a pack with its checksum, of so many members as it says."""
    return sealed(b"PACK\0\0\0\2" + (len(members) if count is None else count).to_bytes(4) + b"".join(members))


def sealed(text: bytes) -> bytes:
    return text + sha1(text, usedforsecurity=False).digest()


def member(data: bytes, size: int | None = None, kind: int = BLOB) -> bytes:
    """Return an object that is, by its header, of this kind and size."""
    left = len(data) if size is None else size
    header = [kind << 4 | left & 0xF]
    left >>= 4
    while left:
        header[-1] |= 0x80
        header.append(left & 0x7F)
        left >>= 7
    return bytes(header) + zlib.compress(data, 1)


ENDLESS = b"\xb0\x83\xe3\xb3\x80"
"""A header that goes on through the checksum of its pack, of which each byte has the upper bit."""

WHOLE = pack(member(b"one"), member(b"two"))

DAMAGED = {
    "nothing": (b"", "the pack is damaged"),
    "next to nothing": (WHOLE[:12], "the pack is damaged"),
    "no signature": (sealed(b"PICK\0\0\0\2" + bytes(4)), "the pack is damaged"),
    "another version": (sealed(b"PACK\0\0\0\3" + bytes(4)), "the pack is damaged"),
    "another checksum": (WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]), "the pack is damaged"),
    "flipped": (pack(member(b"one").replace(b"\x78", b"\x79", 1)), "the pack is damaged"),
    "a delta": (pack(member(b"one", kind=DELTA)), "the pack holds what it should not"),
    "a tag": (pack(member(b"one", kind=TAG)), "the pack holds what it should not"),
    "too large": (pack(member(b"one", MOST_INFLATED + 1)), "the pack holds what it should not"),
    "too large together": (pack(member(b"one"), member(b"", MOST_INFLATED - 2)), "the pack holds what it should not"),
    "a size without end": (pack(b"\xbf" + b"\xff" * MIB + b"\1"), "the pack holds what it should not"),
    "a size that never comes": (pack(b"\xb0" + b"\x80" * MIB), "the pack holds what it should not"),
    "a size behind the last byte": (pack(ENDLESS), "the pack holds what it should not"),
    "larger": (pack(member(b"one", 2)), "an object of the pack is larger than it says"),
    "smaller": (pack(member(b"one", 4)), "an object of the pack is smaller than it says"),
    "cut off": (pack(member(b"one")[:-6]), "the pack is cut off"),
    "fewer": (pack(member(b"one"), count=3), "the pack "),
    "more": (pack(member(b"one"), member(b"two"), count=1), "the pack does not end where it should"),
}


@pytest.mark.parametrize(("text", "told"), DAMAGED.values(), ids=DAMAGED)
def test_a_pack_that_is_none_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(MalformedError) as refused:
        pack_index(text)

    assert str(refused.value).startswith(told)


def test_an_object_that_grows_takes_no_room() -> None:
    bomb = pack(member(bytes(32 * MIB), 32 * MIB - 1))

    tracemalloc.start()
    try:
        with pytest.raises(MalformedError, match="larger than it says"):
            pack_index(bomb)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 8 * MIB


def test_the_index_of_a_pack_is_that_of_git(tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"a": b"a\n", "d/b": b"b\n" * 1000, "d/e/c": b""})
    text = b"".join(packed(pygit2.Repository(top), commit(top), lambda leaf: leaf.path == b"a"))
    (tmp_path / "x.pack").write_bytes(text)

    git(tmp_path, "index-pack", "x.pack")

    assert pack_index(text) == ((tmp_path / "x.idx").read_bytes(), text[-20:])


def made(top: Path, kind: str, content: bytes) -> str:
    """Put an object into a repository, whatever it holds."""
    return git(top, *("hash-object", "--literally", "-t", kind, "-w", "--stdin"), stdin=content).decode().strip()


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("commit", b"parent x\n", "a commit has no tree"),
        ("blob", b"tree x\n", "the object {} is no commit"),
        ("tag", b"object x\n", "the object {} is no commit"),
    ],
)
def test_what_is_no_commit_has_no_tree(kind: str, content: bytes, told: str, tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"a": b"a\n"})
    identity = made(top, kind, content)

    with pytest.raises(MalformedError) as refused:
        tree_of(pygit2.Repository(top), identity)

    assert str(refused.value) == told.format(identity)


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("tree", b"100644 a", "a tree is damaged"),
        ("tree", b" a\0" + bytes(20), "a tree is damaged"),
        ("tree", b"100644\0a " + bytes(20), "a tree is damaged"),
        ("blob", b"100644 a\0" + bytes(20), "the object {} is no tree"),
    ],
)
def test_a_tree_that_is_none_is_refused(kind: str, content: bytes, told: str, tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"a": b"a\n"})
    identity = made(top, kind, content)

    with pytest.raises(MalformedError) as refused:
        [*leaves(pygit2.Repository(top), bytes.fromhex(identity))]

    assert str(refused.value) == told.format(identity)


def test_what_a_tree_holds_is_told_up_to_a_number(tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"a": b"a\n", "d/b": b"b\n"})
    read = pygit2.Repository(top)
    tree = tree_of(read, commit(top))

    whole = [leaf.path for leaf in leaves(read, tree, 3)]

    assert whole == [b"a", b"d/b"]
    with pytest.raises(MalformedError, match="holds more than it should"):
        [*leaves(read, tree, 2)]
