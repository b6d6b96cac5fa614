"""The ground: repositories and files to measure on, made alike every time."""

import os
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from time import sleep

from attrs import frozen

MIB = 1024 * 1024
_SEED = 20_000
_PER_FOLDER = 100
_TICK = 1.1
"""Seconds: git reads a file again that is no older than its index."""
_COMMITTER = ("-c", "user.name=A", "-c", "user.email=a@example.org")


@frozen
class Sizes:
    """How much there is of everything."""

    tracked: int = 20_000
    dirty: int = 200
    untracked: int = 50
    big: int = 1024 * MIB
    """Bytes of the big file, and of what is printed."""
    small: int = 10_000
    """Files of 2 KiB."""


QUICK = Sizes(tracked=2_000, dirty=20, untracked=5, big=128 * MIB, small=1_000)


def small_repository(directory: Path, configuration: str = "", extra: Mapping[str, str] | None = None) -> Path:
    """Make a repository of ten files, two of them edited since, and an untracked one."""
    return _repository(directory, 10, 2, 1, {"capsula.toml": configuration, **(extra or {})})


def large_repository(directory: Path, sizes: Sizes, configuration: str = "") -> Path:
    """Make a repository of many files."""
    return _repository(directory, sizes.tracked, sizes.dirty, sizes.untracked, {"capsula.toml": configuration})


def big_file(file: Path, size: int) -> Path:
    """Write a file of random bytes."""
    chance = random.Random(_SEED)
    with file.open("wb") as stream:
        for _ in range(size // MIB):
            stream.write(chance.randbytes(MIB))
        os.fsync(stream.fileno())
    return file


def many_files(folder: Path, count: int) -> Path:
    """Write files of 2 KiB, a hundred to a folder."""
    chance = random.Random(_SEED)
    for number in range(count):
        file = folder / f"{number // _PER_FOLDER:03}" / f"{number:05}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(2048))
    os.sync()
    return folder


def git(directory: Path, *words: str) -> None:
    """Run git quietly, as somebody who has a name."""
    subprocess.run(["git", *_COMMITTER, *words], cwd=directory, check=True, stdout=subprocess.DEVNULL)


def _repository(directory: Path, tracked: int, dirty: int, untracked: int, extra: Mapping[str, str]) -> Path:
    directory.mkdir(parents=True)
    paths = [directory / f"{number // _PER_FOLDER:03}" / f"{number:05}.txt" for number in range(tracked + untracked)]
    for path in paths[:tracked]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"line {line} of {path.name}\n" for line in range(20)))
    for name, text in extra.items():
        (directory / name).write_text(text)
    sleep(_TICK)
    git(directory, "init", "--quiet", "--initial-branch=main")
    git(directory, "config", "user.name", "A")
    git(directory, "config", "user.email", "a@example.org")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message=.")
    for path in paths[:dirty]:
        path.write_text(path.read_text() + "and more\n")
    for path in paths[tracked:]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("new\n")
    return directory
