"""Remembered hashes, of real files whose time of change is as it is, and of which the clock of now is told."""

import os
from pathlib import Path

import pytest

from capsula.collectors.files import collect
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Remember
from capsula.core.fault import Json
from capsula.core.fragment import Fragment
from capsula.core.settings import CaptureSettings, FileSettings, Settings
from capsula.reading.digest import file_facts
from capsula.reading.hashes import recalled, remembering

MIB = 1024 * 1024
MINUTE = 60 * 10**9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(bytes(MIB))
    return file


def changed(file: Path) -> int:
    return file.stat().st_ctime_ns


def remembered(cache: Path, file: Path) -> tuple[Remember, ...]:
    """Remember a hash of a file that has been as it is for a minute."""
    wishes = remembering(cache, file.stat(), "sha256", "ab12", changed(file) + MINUTE)
    for wish in wishes:
        wish.file.parent.mkdir(exist_ok=True)
        wish.file.write_bytes(wish.content)
    return wishes


def test_the_hash_of_a_file_that_is_as_it_was_is_recalled(file: Path, tmp_path: Path) -> None:
    remembered(tmp_path, file)

    assert recalled(tmp_path, file.stat(), "sha256") == "ab12"
    assert recalled(tmp_path, file.stat(), "sha1") is None


def test_a_file_whose_hash_is_recalled_is_not_read(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "capsula"
    cache.mkdir(parents=True)
    remembered(cache, file)
    settings = Settings(capture=CaptureSettings(files={"file": FileSettings(hash="sha256")}))
    environ = {"XDG_CACHE_HOME": str(cache.parent)}

    answer = collect(Config(tmp_path, settings, Surroundings(tmp_path, environ, (), "python")))

    facts: Json = {"file": {"hash_algorithm": "sha256", "file_hash": "ab12", "size": MIB}}
    assert answer.unwrap() == Fragment(facts)


def test_of_a_file_that_was_changed_just_now_no_hash_is_to_be_remembered(file: Path, tmp_path: Path) -> None:
    assert file_facts(file, "sha256", tmp_path).unwrap().effects == ()


@pytest.mark.parametrize("kept", [False, True])
def test_a_file_of_which_anything_was_changed_is_not_known(kept: bool, file: Path, tmp_path: Path) -> None:
    remembered(tmp_path, file)
    before = file.stat()

    with file.open("r+b") as stream:
        stream.write(b"x")
    while changed(file) == before.st_ctime_ns:
        os.utime(file)
    if kept:  # who sets the time of change back still leaves the time of that
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert recalled(tmp_path, file.stat(), "sha256") is None


def test_another_file_of_the_same_size_and_time_is_not_known(file: Path, tmp_path: Path) -> None:
    remembered(tmp_path, file)
    other = tmp_path / "other"
    other.write_bytes(bytes(MIB))
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))

    assert recalled(tmp_path, other.stat(), "sha256") is None


def test_what_was_changed_a_moment_ago_is_not_remembered(file: Path, tmp_path: Path) -> None:
    assert remembering(tmp_path, file.stat(), "sha256", "ab12", changed(file) + MINUTE - 1) == ()
    assert remembering(tmp_path, file.stat(), "sha256", "ab12", changed(file) - MINUTE) == ()


def test_a_small_file_is_not_remembered(file: Path, tmp_path: Path) -> None:
    os.truncate(file, MIB - 1)

    assert remembered(tmp_path, file) == ()


@pytest.mark.parametrize("content", [b"", b"ab12", b"\xff\xfe", b"1 2 3 ab12", b"{}"])
def test_what_is_broken_is_not_believed(content: bytes, file: Path, tmp_path: Path) -> None:
    (wish,) = remembered(tmp_path, file)
    wish.file.write_bytes(content)

    assert recalled(tmp_path, file.stat(), "sha256") is None


def test_what_others_could_have_written_is_not_believed(file: Path, tmp_path: Path) -> None:
    (wish,) = remembered(tmp_path, file)
    wish.file.chmod(0o666)

    assert recalled(tmp_path, file.stat(), "sha256") is None
