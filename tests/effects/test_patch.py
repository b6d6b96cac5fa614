"""A source of which only a commit and a patch are known."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from returns.result import Result

from capsula.core.fault import Fault
from capsula.core.tree import Missed, Tree, facts
from capsula.effects.patch import read
from capsula.effects.restore import Restored, restored
from capsula.reading.pack import MalformedError
from tests.repositories import commit, git, head, repository, tree, write
from tests.sources import untouched

FILES = {
    "a": b"1\n2\n3",
    "crlf": b"1\r\n2\r\n",
    "sp ä": b"x\n",
    "d/x": b"1\n",
    "f": b"f\n",
    "bin": b"\0\1",
    "latin": b"\xe9\n",
    "gone": b"x\n",
    "prog": b"x\n",
}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = repository(tmp_path / "project", FILES)
    (top / "link").symlink_to("a")
    commit(top)
    return top


def put_back(top: Path, patch: bytes, tmp_path: Path) -> Result[Restored, Fault]:
    """Restore the commit and a patch that stands in a capsule."""
    (tmp_path / "capsule").mkdir()
    (tmp_path / "capsule/project.diff").write_bytes(patch)
    told = Tree(*(".", head(top), "patch", "", 0, 0), repository=os.fspath(top / ".git"), patches=("project.diff",))
    return restored(tmp_path / "capsule", {"project": facts(told)}, os.fspath(top), tmp_path / "fresh")


def added(path: str) -> bytes:
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n".encode()
    )


def test_changes_of_every_kind_are_applied_byte_for_byte(top: Path, tmp_path: Path) -> None:
    write(top, {"a": b"1\n2\n3\n\n", "crlf": b"1\r\n3\r\n", "latin": b"\xe8\n"})
    for gone in ("gone", "d/x", "link", "f"):
        (top / gone).unlink()
    (top / "d").rmdir()
    (top / "link").symlink_to("../elsewhere")
    (top / "f").symlink_to("a")
    (top / "prog").chmod(0o755)
    patch = git(top, "diff")

    done = put_back(top, patch.removesuffix(b"\n"), tmp_path).unwrap()

    assert done.needs == ()
    assert tree(tmp_path / "fresh") == tree(top)
    assert head(tmp_path / "fresh") == head(top)


def test_a_binary_change_that_was_not_recorded_is_needed(top: Path, tmp_path: Path) -> None:
    write(top, {"a": b"new\n", "bin": b"\0\2"})

    done = put_back(top, git(top, "diff"), tmp_path).unwrap()

    assert done.needs == (Missed("bin", "its change is binary, and was not recorded"),)
    assert (tmp_path / "fresh/a").read_bytes() == b"new\n"
    assert not (tmp_path / "fresh/bin").exists()


def test_a_change_on_top_of_what_was_staged_is_needed(top: Path, tmp_path: Path) -> None:
    write(top, {"a": b"staged\n", "gone": b"new\n"})
    git(top, "add", "a")
    write(top, {"a": b"staged, then edited\n"})

    done = put_back(top, git(top, "diff"), tmp_path).unwrap()

    why = "its change was made to other content than the commit has, which was not recorded"
    assert done.needs == (Missed("a", why),)
    assert (tmp_path / "fresh/gone").read_bytes() == b"new\n"


LEADING_OUT = [
    "../out",
    ".git/hooks/post-checkout",
    ".GIT/config",
    "d/../../out",
    "git~1/x",
    "link/x",
    "f/x",
    "d/.git/x",
]


@pytest.mark.parametrize("path", LEADING_OUT)
def test_no_patch_leads_outside_through_a_link_or_into_what_is_gits(path: str, top: Path, tmp_path: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to(tmp_path)
    commit(top)
    before = {file for file in tree(tmp_path) if not file.startswith("capsule")}

    fault = put_back(top, added(path), tmp_path).failure()

    assert fault.kind == "integrity"
    assert list((tmp_path / "fresh").iterdir()) == []
    assert {file for file in tree(tmp_path) if not file.startswith("capsule")} == before


def renamed(patch: bytes) -> bytes:
    return b"diff --git a/a b/b\nsimilarity index 100%\nrename from a\nrename to b\n"


def with_another_outcome(patch: bytes) -> bytes:
    return patch.replace(b"+new", b"+odd")


def without_a_sense(patch: bytes) -> bytes:
    return b"what is this?"


def cut_off(patch: bytes) -> bytes:
    return re.sub(rb"(?s)@@.*", b"@@ -1,9", patch)


@pytest.mark.parametrize("damage", [renamed, with_another_outcome, without_a_sense, cut_off])
def test_a_damaged_patch_is_refused(damage: Callable[[bytes], bytes], top: Path, tmp_path: Path) -> None:
    write(top, {"a": b"new\n"})

    assert put_back(top, damage(git(top, "diff")), tmp_path).failure().kind == "integrity"


def is_a_pipe(file: Path) -> None:
    os.mkfifo(file)


def is_a_link(file: Path) -> None:
    file.with_name("private").write_bytes(added("x"))
    file.symlink_to("private")


def is_a_folder(file: Path) -> None:
    file.mkdir()


def is_a_hole_of_two_gigabytes(file: Path) -> None:
    file.touch()
    os.truncate(file, 1 << 31)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        *((it, "the patch project.diff is not there") for it in (is_a_pipe, is_a_link, is_a_folder)),
        (is_a_hole_of_two_gigabytes, "the patch project.diff is too large"),
    ],
)
def test_a_patch_that_is_none_of_the_capsules_files_is_not_read(
    odd: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    odd(tmp_path / "project.diff")

    with pytest.raises(MalformedError) as refused:
        read(tmp_path / "project.diff")

    assert str(refused.value) == told


def test_the_repository_stays_as_it_is(top: Path, tmp_path: Path) -> None:
    write(top, {"a": b"new\n"})
    patch = git(top, "diff")
    before = untouched(top)

    assert put_back(top, patch, tmp_path).unwrap().needs == ()
    assert untouched(top) == before
