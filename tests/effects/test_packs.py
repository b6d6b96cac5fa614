"""Packs of capsules are read beside a repository that is here."""

from pathlib import Path

import pygit2
import pytest

from capsula.effects.packs import unpacked
from tests.repositories import commit, git, repository, write
from tests.sources import captured, config


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    captured(config(repository(tmp_path / "theirs", {"a": b"a\n"})), tmp_path / "capsule")
    return tmp_path / "capsule/.capsula/source/theirs.pack"


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_commit_is_looked_for_in_a_pack_and_in_the_repository_beside_it(
    is_linked: bool, pack: Path, tmp_path: Path
) -> None:
    own = repository(tmp_path / "own", {"b": b"b\n"})
    here = own
    if is_linked:
        here = tmp_path / "linked"
        git(own, "worktree", "add", "--quiet", str(here))
    packed = {*pygit2.Repository(tmp_path / "theirs")}

    with unpacked((pack,), pygit2.Repository(here)) as both:
        assert both is not None
        found = {*both}

    assert found == packed | {*pygit2.Repository(own)}


def test_without_a_pack_there_is_the_repository_itself_or_none(tmp_path: Path) -> None:
    own = pygit2.Repository(repository(tmp_path / "own", {"b": b"b\n"}))

    with unpacked((), own) as same, unpacked((), None) as none:
        assert (same, none) == (own, None)


def test_a_pack_leaves_nothing_behind(pack: Path, tmp_path: Path) -> None:
    own = repository(tmp_path / "own", {"b": b"b\n"})
    write(own, {"b": b"changed\n"})
    commit(own)
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}

    with unpacked((pack,), pygit2.Repository(own)) as both:
        assert both is not None
        place = Path(both.path)

    assert not place.exists()
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*")} == before
