"""Files of our own: private, never over another, whole or not at all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from capsula.effects.files import all_synchronised, folders, removed, replaced, synchronised, written
from tests.running import files_limited_to


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_are_made_as_far_as_they_are_missing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o755)

    folders(tmp_path / "a/b/c")
    folders(tmp_path / "a/b/c")

    assert [mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")] == [0o755, 0o700, 0o700]


@pytest.mark.parametrize("place", ["file", "file/below", "link", "link/below"])
def test_what_is_in_the_way_of_a_folder_is_told(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")

    with pytest.raises((FileExistsError, NotADirectoryError)):
        folders(tmp_path / place)


def test_a_file_is_private_and_as_long_as_it_says(tmp_path: Path) -> None:
    size = written(tmp_path / "a", iter([b"one", b"", b"two"]))

    assert (size, (tmp_path / "a").read_bytes(), mode(tmp_path / "a")) == (6, b"onetwo", 0o600)


@pytest.mark.parametrize("make", [lambda path: path.write_text("old"), lambda path: path.symlink_to("elsewhere")])
def test_nothing_is_written_over(make: "object", tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "a")

    with pytest.raises(FileExistsError):
        written(tmp_path / "a", [b"new"])

    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("path", ["folder", "file", "link", "dangling", "pipe", "missing"])
def test_what_is_removed_is_gone_with_all_below_it_and_nothing_beside(path: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/stays").touch()
    folders(tmp_path / "folder/d" / ("d/" * 1100 if path == "folder" else ""))
    (tmp_path / "folder/d/link").symlink_to("../../elsewhere")
    (tmp_path / "folder/d/file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    others = {*os.listdir(tmp_path)} - {path}

    removed(tmp_path / path)

    assert {*os.listdir(tmp_path)} == others
    assert os.listdir(tmp_path / "elsewhere") == ["stays"]


def test_what_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        written(tmp_path / "a", chunks())

    assert os.listdir(tmp_path) == []


def test_what_was_held_back_and_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    with files_limited_to(10), pytest.raises(OSError, match="File too large"):
        written(tmp_path / "a", [b"x" * 11])

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_by_one_rename(durable: bool, tmp_path: Path) -> None:
    (tmp_path / "aside").mkdir()
    (tmp_path / "a").write_text("old")
    with (tmp_path / "a").open() as old:
        replaced(tmp_path / "a", b"new", tmp_path / "aside", durable=durable)

        assert old.read() == "old"

    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path / "aside") == []


def test_a_file_that_cannot_be_replaced_leaves_nothing_aside(tmp_path: Path) -> None:
    (tmp_path / "aside").mkdir()
    (tmp_path / "a").mkdir()

    with pytest.raises(IsADirectoryError):
        replaced(tmp_path / "a", b"new", tmp_path / "aside", durable=True)

    assert os.listdir(tmp_path / "aside") == []


@pytest.mark.parametrize("count", [1, 300])
def test_all_there_is_can_be_synchronised(count: int, tmp_path: Path) -> None:
    written_below = tmp_path / "a/b"
    folders(written_below)
    written(written_below / "c", [b"x"])
    for number in range(count):
        written(written_below / str(number), [b"x"])
    (written_below / "link").symlink_to("nowhere")
    os.mkfifo(written_below / "pipe")

    all_synchronised(tmp_path)
    synchronised(written_below / "c")


SYNCHRONISED = """
import sys
from pathlib import Path
from capsula.effects.files import all_synchronised
try:
    all_synchronised(Path(sys.argv[1]))
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
@pytest.mark.parametrize(("call", "count"), [("fsync", 1), ("syncfs", 300)])
@pytest.mark.parametrize(("error", "told"), [("EIO", "Input/output error\n"), ("EINVAL", "")])
def test_a_disk_that_fails_is_told_from_one_that_knows_no_such_call(
    call: str, count: int, error: str, told: str, tmp_path: Path
) -> None:
    for number in range(count):
        (tmp_path / str(number)).touch()
    failing = ("strace", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:error={error}")

    done = subprocess.run(
        [*failing, sys.executable, "-c", SYNCHRONISED, tmp_path], capture_output=True, text=True, check=False
    )

    if "ptrace" in done.stderr.lower():
        pytest.skip("needs: strace")
    assert (done.returncode, done.stdout) == (0, told)


UNDER_A_UMASK = """
import os, sys
from pathlib import Path
from capsula.effects.files import folders, written
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
os.umask(0o777)
folders(Path(sys.argv[1], "a/b"))
written(Path(sys.argv[1], "a/b/c"), [b"x"])
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that any user may come to, as they may not to those of pytest."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_the_umask_takes_nothing_from_the_owner(reachable: Path) -> None:
    reachable.chmod(0o777)

    subprocess.run([sys.executable, "-c", UNDER_A_UMASK, str(reachable)], check=True)

    assert [mode(reachable / path) for path in ("a", "a/b", "a/b/c")] == [0o700, 0o700, 0o600]
