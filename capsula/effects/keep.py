"""Keeping a file: copy it into the capsule, and hash the bytes that arrived."""

import os
import stat
from collections.abc import Iterator
from errno import EBADF, EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM, EXDEV
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from returns.result import Failure, Success

from capsula.core.digest import hasher
from capsula.core.effect import Keep, Remove
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.core.settings import HashAlgorithm
from capsula.effects.files import created, folders

_CANNOT_SHARE = {EBADF, EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM, EXDEV}
_CHUNK = 8 * 1024 * 1024
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # opening a FIFO waits for a writer


def kept(effect: Keep, capsule: Path) -> Answer:
    """Copy a file into a capsule; that the origin of a moved one is removed is a further effect, of its fragment."""
    target = capsule / effect.target
    arrived = False
    try:
        source = os.open(effect.origin, os.O_RDONLY | _WITHOUT_WAITING)
        try:
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                return Failure(Fault("not a file", f"{effect.origin} is not a regular file"))
            folders(target.parent)
            destination = created(target)
            arrived = True
            try:
                digest, size = _copied(source, destination, before.st_size, effect.algorithm)
                os.fchmod(destination, before.st_mode & stat.S_IRWXU)
                os.utime(destination, ns=(before.st_atime_ns, before.st_mtime_ns))
            finally:
                os.close(destination)
            changed = identity(os.fstat(source)) != identity(before)
        finally:
            os.close(source)
    except OSError as error:
        if arrived:
            target.unlink(missing_ok=True)
        return Failure(fault_of(error, f"{effect.origin} could not be kept"))
    facts: dict[str, Json] = {
        "hash_algorithm": effect.algorithm,
        "file_hash": digest,
        "size": size,
        "mode": f"{stat.S_IMODE(before.st_mode):04o}",
        "kept_as": effect.target,
    }
    if changed:
        facts["changed_while_read"] = True
    if not effect.move:
        return Success(Fragment(facts))
    if changed:
        stays = Fault("changed", "it was changed while it was read, and stays where it is", path=("moved",))
        return Success(Fragment(facts, faults=(stays,)))
    return Success(Fragment({**facts, "moved": True}, (Remove(effect.origin, identity(before), at=("moved",)),)))


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what tells a file from another, and from itself when it was changed."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _copied(source: int, destination: int, size: int, algorithm: HashAlgorithm | None) -> tuple[str | None, int]:
    """Copy, and hash behind the copy what stands in the destination: what is hashed is what is kept."""
    chunks = _chunks(source, destination, size)
    if algorithm is None:
        return None, sum(chunks)
    digest = hasher(algorithm)
    position = 0
    for length in chunks if size <= _CHUNK else _ahead(chunks):
        digest.update(os.pread(destination, length, position))
        position += length
    return digest.hexdigest(), position


def _chunks(source: int, destination: int, size: int) -> Iterator[int]:
    """Copy chunk by chunk as far as the file was long at first, and tell the length of each."""
    left = size
    while left and (length := _shared(source, destination, min(left, _CHUNK))):
        left -= length
        yield length
    # Without a call of the system that copies, or from a file that does not know its size (below /proc):
    while (left or not size) and (chunk := os.read(source, min(left or _CHUNK, _CHUNK))):
        left -= min(left, len(chunk))
        yield _all_written(destination, chunk)


def _shared(source: int, destination: int, length: int) -> int:
    if not hasattr(os, "copy_file_range"):
        return 0
    try:
        return os.copy_file_range(source, destination, length)
    except OSError as error:
        if error.errno in _CANNOT_SHARE:
            return 0
        raise


def _all_written(destination: int, chunk: bytes) -> int:
    view = memoryview(chunk)
    while view:
        view = view[os.write(destination, view) :]
    return len(chunk)


def _ahead(chunks: Iterator[int]) -> Iterator[int]:
    """Run an iterator ahead in a thread of its own."""
    ready: SimpleQueue[int | OSError] = SimpleQueue()

    def run() -> None:
        try:
            for length in chunks:
                ready.put(length)
            ready.put(0)
        except OSError as error:
            ready.put(error)

    Thread(target=run, name="capsula-copy").start()
    while (item := ready.get()) != 0:
        if isinstance(item, OSError):
            raise item
        yield item
