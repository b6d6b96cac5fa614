"""Keeping a file: copy it into the capsule, and hash the bytes that arrived."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from errno import EBADF, EINVAL, ENOSYS, ENOTSUP, ENXIO, EOPNOTSUPP, EPERM, EXDEV
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

from returns.result import Failure, Success

from capsula.core.effect import Keep, Remove
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.core.settings import HashAlgorithm
from capsula.effects.files import created, folders, removed_unless_whole
from capsula.reading.digest import MOST_UNTOLD, endless, hasher

_CANNOT_SHARE = {EBADF, EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM, EXDEV}
_CHUNK = 8 * 1024 * 1024
_SMALL = 64 * 1024
"""Bytes that are read at once sooner than the system is asked to copy them."""
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # opening a FIFO waits for a writer
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_STAT_BLOCK = 512


def kept(effect: Keep, capsule: Path, *, durable: bool = False) -> Answer:
    """Copy a file into a capsule; that the origin of a moved one is removed is a further effect, of its fragment.

    If it is to be ``durable``, the disk begins to take it while it is copied; whoever needs it there, waits for that.
    """
    try:
        source = os.open(effect.origin, os.O_RDONLY | _WITHOUT_WAITING | (_NO_LINK if effect.plain else 0))
        try:
            return _kept(effect, capsule / effect.target, source, durable=durable)
        finally:
            os.close(source)
    except OSError as error:
        return Failure(fault_of(error, f"{effect.origin} could not be kept"))


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what tells a file from another, and from itself when it was changed."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _kept(effect: Keep, target: Path, source: int, *, durable: bool) -> Answer:
    before = os.fstat(source)
    if not stat.S_ISREG(before.st_mode):
        return Failure(Fault("not a file", f"{effect.origin} is not a regular file"))
    folders(target.parent)
    destination = created(target)
    with removed_unless_whole(target):
        try:
            digest, size = _copied(source, destination, before, effect.algorithm, durable=durable)
            # Its owner reads it, whoever was to read the origin: the capsule is synchronised, compared, shown.
            os.fchmod(destination, before.st_mode & stat.S_IRWXU | stat.S_IRUSR)
            os.utime(destination, ns=(before.st_atime_ns, before.st_mtime_ns))
        finally:
            os.close(destination)
    facts: dict[str, Json] = {
        "hash_algorithm": effect.algorithm,
        "file_hash": digest,
        "size": size,
        "mode": f"{stat.S_IMODE(before.st_mode):04o}",
        "kept_as": effect.target,
    }
    changed = identity(os.fstat(source)) != identity(before)
    if changed:
        facts["changed_while_read"] = True
    if not effect.move:
        return Success(Fragment(facts))
    if changed:
        stays = Fault("changed", "it was changed while it was read, and stays where it is", path=("moved",))
        return Success(Fragment(facts, faults=(stays,)))
    return Success(Fragment({**facts, "moved": True}, (Remove(effect.origin, identity(before), at=("moved",)),)))


def _copied(
    source: int, destination: int, before: os.stat_result, algorithm: HashAlgorithm | None, *, durable: bool
) -> tuple[str | None, int]:
    """Copy, and hash behind the copy what stands in the destination: what is hashed is what is kept.

    Of a small file the bytes that are hashed are those that are written.
    """
    digest = hasher(algorithm) if algorithm else None
    content = os.pread(source, before.st_size, 0) if before.st_size <= _SMALL and not _has_holes(before) else b""
    if content and len(content) == before.st_size:
        if digest:
            digest.update(content)
        return digest.hexdigest() if digest else None, _all_written(destination, content)
    position = 0
    copied = _positions(source, destination, before)
    if before.st_size > _CHUNK:
        copied = _ahead(_set_off(copied, destination) if durable else copied)
    for arrived in copied:
        while digest and (block := os.pread(destination, min(arrived - position, _CHUNK), position)):
            digest.update(block)
            position += len(block)
        position = arrived
    return digest.hexdigest() if digest else None, position


def _positions(source: int, destination: int, before: os.stat_result) -> Iterator[int]:
    """Copy chunk by chunk as far as the file was long at first, and tell each time how far it stands."""
    size = before.st_size
    position = 0
    if _has_holes(before):
        os.ftruncate(destination, size)
    while position < size:
        start, end = _data(source, position, before)
        if start > position:  # a hole stays one
            os.lseek(destination, start, os.SEEK_SET)
            yield (position := start)
            continue
        length = _moved_on(source, destination, min(end - position, _CHUNK))
        if length == 0:  # it was cut off meanwhile
            break
        yield (position := position + length)
    while not size and (chunk := os.read(source, _CHUNK)):  # below /proc a file does not know its size
        yield (position := position + _all_written(destination, chunk))
        if position > MOST_UNTOLD:
            raise endless()
    os.ftruncate(destination, position)


def _set_off(positions: Iterator[int], destination: int) -> Iterator[int]:
    """Have the disk begin to take each part once it is copied: it is done sooner, and nothing waits for it here."""
    begun = 0
    for position in positions:
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):  # it is advice: to need no longer what is not on the disk is to begin to write it
                os.posix_fadvise(destination, begun, position - begun, os.POSIX_FADV_DONTNEED)
        begun = position
        yield position


def _has_holes(status: os.stat_result) -> bool:
    return status.st_blocks * _STAT_BLOCK < status.st_size


def _data(source: int, position: int, before: os.stat_result) -> tuple[int, int]:
    """Return from where to where the next data of a file stand; its offset is then there, or where it was."""
    if not _has_holes(before):
        return position, before.st_size
    try:
        start = os.lseek(source, position, os.SEEK_DATA)
        end = os.lseek(source, start, os.SEEK_HOLE)
        os.lseek(source, start, os.SEEK_SET)
    except OSError as error:
        if error.errno == ENXIO:  # nothing but a hole is left
            return before.st_size, before.st_size
        if error.errno in _CANNOT_SHARE:
            return position, before.st_size
        raise
    return min(start, before.st_size), min(end, before.st_size)


def _moved_on(source: int, destination: int, length: int) -> int:
    """Copy at most so many bytes from where both files stand, and return how many they were."""
    return _shared(source, destination, length) or _all_written(destination, os.read(source, length))


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


def _ahead(positions: Iterator[int]) -> Iterator[int]:
    """Run an iterator ahead in a thread of its own, which is over when this is."""
    ready: SimpleQueue[int | BaseException | None] = SimpleQueue()
    enough = Event()

    def run() -> None:
        try:
            for position in positions:
                ready.put(position)
                if enough.is_set():
                    return
        except BaseException as error:  # whatever it is, it is raised where it is waited for
            ready.put(error)
        else:
            ready.put(None)

    thread = Thread(target=run, name="capsula-copy")
    try:
        thread.start()
    except RuntimeError:  # no thread can be started, as while the interpreter ends
        yield from positions
        return
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        enough.set()
        thread.join()
