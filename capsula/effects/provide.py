"""Providing inputs: files that a capsule keeps a copy of are put back to where they were below the root."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import frozen
from returns.result import Failure, Result, Success

from capsula.core.digest import hasher
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.settings import HashAlgorithm
from capsula.core.tree import path_flaw

_ALGORITHMS: Mapping[str, HashAlgorithm] = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha3": "sha3"}
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _SAFELY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY
_STEP = 1 << 20


@frozen
class _Copy:
    """A file that a capsule keeps a copy of."""

    path: str
    kept_as: str
    algorithm: HashAlgorithm | None
    hash: str | None
    is_program: bool


def provided(capsule: Path, told: Mapping[str, Json], root: Path) -> dict[str, Result[None, Fault]]:
    """Put back the copies that the facts of ``files`` tell of, where nothing stands yet; path to how it went.

    A file that the capture itself moved away was not there when the command ran, and stays away.
    """
    copies = (_copy(path, facts) for path, facts in told.items() if isinstance(facts, Mapping))
    return {
        copy.path: _put(capsule, copy, root)
        for copy in copies
        if copy is not None and not os.path.lexists(root / copy.path)
    }


def _copy(path: str, facts: Mapping[str, Json]) -> _Copy | None:
    kept_as, mode = facts.get("kept_as"), facts.get("mode")
    if not isinstance(kept_as, str) or facts.get("moved") or path_flaw(path) or path_flaw(kept_as):
        return None
    algorithm, digest = facts.get("hash_algorithm"), facts.get("file_hash")
    is_program = isinstance(mode, str) and mode[-3:-2] in {"1", "3", "5", "7"}
    known = _ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    return _Copy(path, kept_as, known, digest if isinstance(digest, str) else None, is_program)


def _put(capsule: Path, copy: _Copy, root: Path) -> Result[None, Fault]:
    *folders, name = copy.path.split("/")
    try:
        folder = _folder(root, folders)
        try:
            digest = _copied(capsule / copy.kept_as, name, folder, copy)
            if digest == copy.hash:
                return Success(None)
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        return Failure(fault_of(error, copy.path))
    return Failure(Fault("integrity", f"{copy.kept_as} is not what was recorded"))


def _folder(root: Path, folders: list[str]) -> int:
    """Open a folder below the root, making what is missing; a link on the way is an error, wherever it leads."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for name in folders:
        outer = descriptor
        try:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=outer)
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _SAFELY, dir_fd=outer)
        finally:
            os.close(outer)
    return descriptor


def _copied(kept: Path, name: str, folder: int, copy: _Copy) -> str | None:
    digest = hasher(copy.algorithm) if copy.algorithm else None
    with (
        open(os.open(kept, _READING), "rb") as source,
        open(os.open(name, _NEW, 0o777 if copy.is_program else 0o666, dir_fd=folder), "wb") as target,
    ):
        while chunk := source.read(_STEP):
            target.write(chunk)
            if digest:
                digest.update(chunk)
    return digest.hexdigest() if digest else copy.hash
