"""Hashes of files, by the names that settings give to the algorithms."""

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen
from returns.result import Failure, Success

from capsula.core.fault import Fault, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.core.settings import HashAlgorithm

if TYPE_CHECKING:
    from hashlib import _Hash

_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@frozen
class FileFacts:
    """The facts of a file that is not kept."""

    hash_algorithm: HashAlgorithm | None
    file_hash: str | None
    size: int
    """In bytes."""


def hasher(algorithm: HashAlgorithm) -> "_Hash":
    """Return a new hash object; ``sha3`` is SHA3-256."""
    return hashlib.new("sha3_256" if algorithm == "sha3" else algorithm, usedforsecurity=False)


def file_facts(path: Path, algorithm: HashAlgorithm | None) -> Answer:
    """Return the facts of a regular file: its size, and its hash if there is an algorithm."""
    try:
        with open(os.open(path, _WITHOUT_WAITING), "rb", buffering=0) as stream:  # a FIFO would wait for a writer
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return Failure(Fault("not a file", f"{path} is not a regular file"))
            digest = hashlib.file_digest(stream, lambda: hasher(algorithm)).hexdigest() if algorithm else None
    except OSError as error:
        return Failure(fault_of(error, str(path)))
    facts = FileFacts(algorithm, digest, status.st_size)
    return Success(Fragment({"hash_algorithm": facts.hash_algorithm, "file_hash": facts.file_hash, "size": facts.size}))
