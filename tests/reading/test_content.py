"""What a file holds is read once, whatever becomes of it meanwhile."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha1, sha256
from pathlib import Path

import pytest
from returns.result import Success

from capsula.core.content import FILE, LINK, PROGRAM, Content
from capsula.reading.content import content, reading, tried
from tests.running import PATIENCE, environment
from tests.tracing import traced

MIB = 1024 * 1024

SWAPPED = """
import os, sys
from capsula.reading.content import content
path, aside = map(os.fsencode, sys.argv[1:])
def swap(event, arguments):
    if event == "open" and arguments[0] == path:
        os.rename(aside, path)
sys.addaudithook(swap)
print(content(path).failure())
"""
"""What is aside takes the place of the file once that was looked at, and before it is opened."""

READ = """
import os, sys
from capsula.reading.content import content
with open(sys.argv[2], "w") as told:
    print(*content(os.fsencode(sys.argv[1])).unwrap(), file=told)
"""


def known(mode: int, data: bytes, *, torn: bool = False) -> Content:
    blob = sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()
    return Content(mode, len(data), sha256(data).hexdigest(), blob, torn)


def is_a_link(path: Path) -> None:
    path.with_name("private").write_text("private words")
    path.symlink_to("private")


def is_a_pipe(path: Path) -> None:
    os.mkfifo(path)


def is_a_folder(path: Path) -> None:
    path.mkdir()


def test_a_file_a_program_and_a_link_are_what_git_takes_them_for(tmp_path: Path) -> None:
    for name, mode in (("file", 0o644), ("program", 0o744)):
        (tmp_path / name).write_bytes(b"x\r\n")
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to(os.fsdecode(b"no\xffwhere"))

    read = [content(os.fsencode(tmp_path / name)) for name in ("file", "program", "link")]

    assert read == [
        Success(known(FILE, b"x\r\n")),
        Success(known(PROGRAM, b"x\r\n")),
        Success(known(LINK, b"no\xffwhere")),
    ]


@pytest.mark.parametrize("odd", [is_a_pipe, is_a_folder])
def test_what_is_neither_file_nor_link_is_told_at_once(odd: Callable[[Path], None], tmp_path: Path) -> None:
    odd(tmp_path / "odd")

    assert "is no regular file" in content(os.fsencode(tmp_path / "odd")).failure().message


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (is_a_link, "Too many levels of symbolic links"),
        (is_a_pipe, "is no regular file"),
    ],
)
def test_what_takes_the_place_of_a_file_is_neither_followed_nor_waited_for(
    odd: Callable[[Path], None], told: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    odd(tmp_path / "aside")

    done = subprocess.run(
        [sys.executable, "-P", "-c", SWAPPED, str(tmp_path / "file"), str(tmp_path / "aside")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout


def test_opening_on_trial_follows_no_link_and_waits_for_nobody(tmp_path: Path) -> None:
    is_a_link(tmp_path / "link")
    is_a_pipe(tmp_path / "pipe")

    tried(os.fsencode(tmp_path / "pipe"))
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        tried(os.fsencode(tmp_path / "link"))


def test_of_a_file_that_is_cut_off_meanwhile_the_rest_is_zeros(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (3 * MIB))

    with reading(os.fsencode(file)) as it:
        chunks = iter(it)
        first = next(chunks)
        os.truncate(file, MIB + 1)
        rest = b"".join(chunks)

    assert it.content == known(FILE, b"x" * (MIB + 1) + bytes(2 * MIB - 1), torn=True)
    assert first + rest == b"x" * (MIB + 1) + bytes(2 * MIB - 1)


def test_of_a_file_that_grows_meanwhile_what_was_there_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * MIB)

    with reading(os.fsencode(file)) as it, file.open("ab") as stream:
        stream.write(b"y")
        stream.flush()
        read = b"".join(it)

    assert (read, it.content.size) == (b"x" * MIB, MIB)


def test_a_file_that_is_written_to_while_it_is_read_is_torn(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (2 * MIB))
    os.utime(file, (1, 1))

    with reading(os.fsencode(file)) as it:
        chunks = iter(it)
        next(chunks)
        with file.open("r+b") as stream:
            stream.write(b"y")
        list(chunks)

    assert it.content == known(FILE, b"x" * (2 * MIB), torn=True)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_of_a_file_that_the_disk_loses_meanwhile_the_rest_is_zeros(tmp_path: Path) -> None:
    file, told = tmp_path / "file", tmp_path / "told"
    file.write_bytes(b"x" * (2 * MIB))
    words = (sys.executable, "-P", "-c", READ, str(file), str(told))

    options = ("-P", str(file), "-e", "inject=read:error=EIO:when=2")
    traced(*words, options=options, cwd=tmp_path, environ=environment())

    assert told.read_text().split() == [*map(str, known(FILE, b"x" * MIB + bytes(MIB), torn=True))]
