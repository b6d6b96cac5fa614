"""What stands in the user's cache is believed only if nobody else could have put it there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from capsula.reading.cache import cache, own

STRANGER = 65_432
LARGEST = 16 * 1024 * 1024


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_text("text")
    return file


def belongs_to_another(file: Path) -> None:
    os.chown(file, STRANGER, -1)


def is_open_to_the_group(file: Path) -> None:
    file.chmod(0o620)


def is_open_to_all(file: Path) -> None:
    file.chmod(0o602)


def is_a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def is_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def is_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def is_missing(file: Path) -> None:
    file.unlink()


def test_what_the_user_alone_could_write_is_read(file: Path) -> None:
    file.chmod(0o644)

    assert own(file) == b"text"


@pytest.mark.parametrize(
    "flaw",
    [
        pytest.param(belongs_to_another, marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")),
        *(is_open_to_the_group, is_open_to_all, is_a_link, is_a_pipe, is_a_folder, is_missing),
    ],
)
def test_what_another_could_have_written_and_what_is_no_file_is_nothing(
    flaw: Callable[[Path], None], file: Path
) -> None:
    flaw(file)

    assert own(file) == b""


def test_of_a_file_without_end_the_beginning_is_read(file: Path) -> None:
    os.truncate(file, 1 << 40)

    assert len(own(file)) == LARGEST


def test_the_cache_is_where_the_user_wants_it_or_below_the_home() -> None:
    places = [
        cache({"XDG_CACHE_HOME": "/chosen", "HOME": "/home/me"}),
        cache({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}),
        cache({"HOME": "/home/me"}),
    ]

    assert places == [Path("/chosen/capsula"), Path("/home/me/.cache/capsula"), Path("/home/me/.cache/capsula")]


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}, {"XDG_CACHE_HOME": "relative"}])
def test_where_nobody_says_where_there_is_no_cache(environ: dict[str, str]) -> None:
    assert cache(environ) is None
