"""Laws of keeping: whatever a file holds, what is kept is it, and the hash is of that."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from returns.result import Success

from capsula.core.effect import Keep
from capsula.core.fragment import Fragment
from capsula.effects.keep import identity, kept
from capsula.effects.perform import performed

BLOCK = 4096

pieces = st.lists(
    st.tuples(st.integers(0, 40).map(lambda number: number * BLOCK), st.binary(min_size=1, max_size=50)), max_size=6
)
lengths = st.integers(0, 50 * BLOCK)
names = st.binary(min_size=1, max_size=20).map(
    lambda name: os.fsdecode(name.replace(b"\0", b"0").replace(b"/", b"1").replace(b".", b"2"))
)


@settings(deadline=None)
@given(pieces, lengths, names, st.booleans(), st.integers(0, 0o7777).map(lambda mode: mode | 0o400))
def test_what_is_kept_is_what_was_there(
    contents: list[tuple[int, bytes]], length: int, name: str, move: bool, mode: int
) -> None:
    with TemporaryDirectory() as directory:
        origin = Path(directory, name)
        filled(origin, contents, length)
        origin.chmod(mode)
        content, before = origin.read_bytes(), origin.stat()

        fragment = kept(Keep(origin, f"capsule/{name}", "sha256", move=move), Path(directory)).unwrap()

        target = Path(directory, "capsule", name)
        after = target.stat()
        assert fragment.facts == {
            "hash_algorithm": "sha256",
            "file_hash": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "mode": f"{before.st_mode & 0o7777:04o}",
            "kept_as": f"capsule/{name}",
        } | ({"moved": True} if move else {})
        assert target.read_bytes() == content
        assert (after.st_mode & 0o7777, after.st_mtime_ns) == (before.st_mode & 0o700, before.st_mtime_ns)
        assert (origin.read_bytes(), identity(origin.stat())) == (content, identity(before))


@settings(deadline=None)
@given(pieces, lengths, st.sampled_from(["nothing", "write", "replace", "remove"]))
def test_a_moved_file_is_removed_only_as_it_was_kept(
    contents: list[tuple[int, bytes]], length: int, meanwhile: str
) -> None:
    with TemporaryDirectory() as directory:
        origin = Path(directory, "origin")
        filled(origin, contents, length)
        content = origin.read_bytes()
        fragment = kept(Keep(origin, "kept", move=True), Path(directory)).unwrap()
        match meanwhile:
            case "write":
                origin.write_bytes(content + b"more")
            case "replace":
                Path(directory, "other").write_bytes(content)
                Path(directory, "other").replace(origin)
            case "remove":
                origin.unlink()

        ((_, answer),) = performed(fragment.effects, Path(directory))

        assert (answer == Success(Fragment())) is (meanwhile == "nothing")
        assert origin.exists() is (meanwhile in {"write", "replace"})
        assert Path(directory, "kept").read_bytes() == content


def filled(file: Path, contents: list[tuple[int, bytes]], length: int) -> None:
    """Make a file of this length, with holes between its contents."""
    with file.open("wb") as stream:
        for place, content in contents:
            stream.seek(place)
            stream.write(content)
        stream.truncate(length)
