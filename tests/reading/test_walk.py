"""A walk stays below its top, whatever links there are."""

import os
from pathlib import Path

import pytest

from capsula.reading.walk import below, rest


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory with links to a file, a directory in it and one outside, itself, and nothing."""
    top = tmp_path / "top"
    (top / "d").mkdir(parents=True)
    (top / "d/a").write_text("a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/private").write_text("private words")
    for name, target in {"file": "d/a", "inside": "d", "out": "../outside", "loop": ".", "none": "nowhere"}.items():
        (top / name).symlink_to(target)
    return top


LINKS = {b"file", b"inside", b"out", b"loop", b"none"}


@pytest.mark.parametrize("everything", [False, True])
def test_a_directory_is_walked_and_no_link_is_followed(everything: bool, top: Path) -> None:
    found = below(os.fsencode(top) + b"/", (), everything=everything)

    assert ({*found.files}, found.directories, found.odd) == ({b"d/a", *LINKS}, [], {})


def test_what_is_not_known_of_a_work_tree_is_listed_and_no_link_is_followed(top: Path) -> None:
    found = rest(os.fsencode(top) + b"/", (), ())

    assert ({*found.ignored}, found.directories, found.odd) == ({b"d/a", *LINKS}, [b"d"], {})
