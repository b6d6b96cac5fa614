"""A file is put to where a run looks for it, and nowhere else."""

import os
from pathlib import Path

import pytest
from returns.result import Success

from capsula.effects.provide import cleared, provided

SHA256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
"""Of an x."""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    (tmp_path / "origin").write_text("x")
    return tmp_path / "origin"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place with a file, and links that lead out of it and nowhere."""
    place = tmp_path / "place"
    (place / "d").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/private").write_text("private words")
    (place / "d/old").write_text("old")
    (place / "link").symlink_to("../outside/private")
    (place / "way").symlink_to("../outside")
    return place


@pytest.mark.parametrize("name", ["new", "n/e/w", "d/old", "d/../d/old", "link"])
def test_a_file_takes_the_place_of_what_stands_there(name: str, origin: Path, place: Path, tmp_path: Path) -> None:
    answer = provided(origin, place / name, place, "sha256")

    assert answer == Success(SHA256)
    assert ((place / name).read_text(), (place / name).is_symlink()) == ("x", False)
    assert (tmp_path / "outside/private").read_text() == "private words"


@pytest.mark.parametrize("name", ["../out", "way/private", "way/new", "/out", ".", "d/.."])
def test_nothing_is_put_or_taken_away_outside(name: str, origin: Path, place: Path, tmp_path: Path) -> None:
    told = f"{os.path.normpath(place / name)} leads out of {place}, by a link or by its name; it is not touched"

    refused = [provided(origin, place / name, place).failure(), cleared(place / name, place).failure()]

    if name in (".", "d/.."):
        told = f"{place} is no place for a file of a project; it is not touched"
    assert [(it.kind, it.message) for it in refused] == [("refused", told)] * 2
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["private"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".git/hooks/post-checkout", "d/.GIT/config", "git~1/config"])
def test_nothing_is_put_where_git_keeps_its_own(name: str, origin: Path, place: Path) -> None:
    refused = provided(origin, place / name, place).failure()

    told = f"{place / name} is no place for a file of a project; it is not touched"
    assert (refused.kind, refused.message) == ("refused", told)


def test_a_place_behind_a_link_is_a_place(origin: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to("place")

    assert provided(origin, tmp_path / "way/new", tmp_path / "way") == Success("")
    assert (place / "new").read_text() == "x"


def test_a_folder_is_not_taken_away(origin: Path, place: Path) -> None:
    refused = provided(origin, place / "d", place).failure()

    assert (refused.kind, (place / "d/old").read_text()) == ("failed", "old")


def test_what_is_no_file_is_missing(place: Path, tmp_path: Path) -> None:
    refused = [
        provided(origin, place / "d/old", place).failure() for origin in (tmp_path / "gone", tmp_path / "outside")
    ]

    assert [it.kind for it in refused] == ["missing", "missing"]
    assert (place / "d/old").read_text() == "old"
