"""Hashes of files, by the names that settings give to the algorithms."""

import hashlib
import os
import stat
from errno import EAGAIN, EFBIG
from io import FileIO
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

from returns.result import Failure, Success

from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.core.settings import HashAlgorithm
from capsula.reading.hashes import recalled, remembering

if TYPE_CHECKING:
    from hashlib import _Hash

MOST_UNTOLD = 64 * 1024 * 1024
"""Bytes that are read of a file that does not know its size, as below /proc: some there have no end."""

_CHUNK = 256 * 1024
_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class FileFacts(NamedTuple):
    """The facts of a file that is not kept."""

    hash_algorithm: HashAlgorithm | None
    file_hash: str | None
    size: int
    """In bytes."""


def hasher(algorithm: HashAlgorithm) -> "_Hash":
    """Return a new hash object; ``sha3`` is SHA3-256."""
    return hashlib.new("sha3_256" if algorithm == "sha3" else algorithm, usedforsecurity=False)


def file_facts(path: Path, algorithm: HashAlgorithm | None, cache: Path | None = None) -> Answer:
    """Return the facts of a regular file: its size, and its hash if there is an algorithm.

    ``changed_while_read`` is told of a file that was. With our directory of the user's cache, a hash that is remembered
    there is taken for the file's, and one that is not is wished to be.
    """
    try:
        with open(os.open(path, _WITHOUT_WAITING), "rb", buffering=0) as stream:  # a FIFO would wait for a writer
            moment = time_ns()
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                return Failure(Fault("not a file", f"{path} is not a regular file"))
            known = recalled(cache, before, algorithm) if cache and algorithm else None
            digest = known or (_digest(stream, algorithm, before.st_size) if algorithm else None)
            after = os.fstat(stream.fileno())
            size = stream.tell() if digest and not known else after.st_size
    except OSError as error:
        return Failure(fault_of(error, str(path)))
    facts = FileFacts(algorithm, digest, size)
    told: dict[str, Json] = {"hash_algorithm": facts.hash_algorithm, "file_hash": facts.file_hash, "size": facts.size}
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return Success(Fragment({**told, "changed_while_read": True}))
    if cache and algorithm and digest and not known:
        return Success(Fragment(told, remembering(cache, before, algorithm, digest, moment)))
    return Success(Fragment(told))


def endless() -> OSError:
    """Return what is wrong with a file that holds more than ``MOST_UNTOLD`` and tells no size."""
    return OSError(EFBIG, f"it tells no size, and holds more than {MOST_UNTOLD} bytes")


def _digest(stream: FileIO, algorithm: HashAlgorithm, size: int) -> str:
    """Return the hash of so many bytes, lest it run after one that grows; of a file that tells none, of all."""
    digest = hasher(algorithm)
    buffer = memoryview(bytearray(_CHUNK))
    left = size or MOST_UNTOLD + _CHUNK
    while left and (length := stream.readinto(buffer[:left])):
        digest.update(buffer[:length])
        left -= length
    if not left and not size:
        raise endless()
    if left and length is None:  # some files below /proc would wait for ever for what comes next
        raise BlockingIOError(EAGAIN, "it has no end that could be waited for")
    return digest.hexdigest()
