"""The index as git writes it, in each of its versions."""

import os
from pathlib import Path

import pygit2
import pytest

from capsula.reading.index import Index, indexed
from tests.repositories import git, repository, write


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_an_index_is_read_as_libgit2_reads_it(version: str, tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {f"d{n % 3}/{'x' * n}": b"%d" % n for n in range(1, 90)})
    write(top, {"é": b"x", "/".join(["long" * 50] * 11): b"x"})
    (top / "program").write_bytes(b"#!")
    (top / "program").chmod(0o755)
    (top / "link").symlink_to("é")
    git(top, "add", "--all")
    write(top, {"intended": b""})
    git(top, "add", "--intent-to-add", "intended")
    git(top, "update-index", f"--index-version={version}")
    git(top, "update-index", "--skip-worktree", "d1/x")
    git(top, "update-index", "--assume-unchanged", "d2/xx")

    index = indexed((top / ".git" / "index").read_bytes())

    known = {os.fsencode(it.path): (int(it.mode), it.id.raw) for it in pygit2.Repository(os.fspath(top)).index}
    assert {path: entry[:2] for path, entry in index.files.items()} == {
        path: entry for path, entry in known.items() if path != b"intended"
    }
    assert index.files[b"program"][2] == 2
    assert (index.hidden, index.unknown, index.submodules) == ({b"d1/x", b"d2/xx"}, {b"intended"}, set())


def test_no_index_is_an_empty_one() -> None:
    assert indexed(b"") == Index({}, set(), set(), set(), set(), set())


@pytest.mark.parametrize("version", [2, 4])
def test_an_index_with_a_path_that_no_file_can_have_is_not_read(version: int) -> None:
    entry = bytes(60) + (0xFFF).to_bytes(2) + (b"\0" if version == 4 else b"") + b"d/" * 2048 + bytes(8)

    with pytest.raises(ValueError, match="longer than that of any file"):
        indexed(b"DIRC" + version.to_bytes(4) + (1).to_bytes(4) + entry)
