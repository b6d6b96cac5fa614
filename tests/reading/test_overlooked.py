"""Large directories of a work tree that libgit2 does not look into."""

from pathlib import Path

import pygit2
import pytest
from pygit2.enums import DiffOption

from capsula.reading.overlooked import overlook
from tests.repositories import repository, write

UNTRACKED = DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS


@pytest.mark.parametrize("name", ["vault", "a/b/vault", "va*ult", "v [a]u?lt \\", "v\udcffult", " vault "])
def test_a_large_directory_is_passed_by_and_no_other(name: str, tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {f"{name}/tracked": b"", "vault-2/tracked": b""})
    fill(root / name)
    write(root, {"a/new": b"", f"b/{name}/new": b"", f"{name}/tracked": b"edited", "vault-2/new": b""})
    opened = pygit2.Repository(root)

    overlook(opened, root / name)

    assert changes(opened) == sorted(["a/new", f"b/{name}/new", f"{name}/tracked", "vault-2/new"])
    assert (root / ".git/info/exclude").read_bytes() == pristine(tmp_path)


def test_a_name_that_no_rule_can_tell_is_looked_into(tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {"tracked": b""})
    fill(root / "a\nb")
    write(root, {"b/new": b""})
    opened = pygit2.Repository(root)

    overlook(opened, root / "a\nb")

    assert changes(opened) == [*sorted(f"a\nb/{number}/file" for number in range(130)), "b/new"]


@pytest.mark.parametrize("place", ["", "..", "../elsewhere", "missing"])
def test_what_is_not_inside_is_nothing_to_pass_by(place: str, tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {"tracked": b""})
    fill(tmp_path / "elsewhere")
    write(root, {"new": b""})
    opened = pygit2.Repository(root)

    overlook(opened, (root / place).resolve())

    assert changes(opened) == ["new"]


def fill(directory: Path) -> None:
    for number in range(130):
        (directory / str(number)).mkdir(parents=True)
        (directory / str(number) / "file").touch()


def changes(opened: pygit2.Repository) -> list[str]:
    return [delta.new_file.raw_path.decode("utf-8", "surrogateescape") for delta in opened.diff(flags=UNTRACKED).deltas]


def pristine(tmp_path: Path) -> bytes:
    return (repository(tmp_path / "other", {}) / ".git/info/exclude").read_bytes()
