"""Content: the bytes of a file or link as they stand on the disk, read once, whatever git would make of them."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1, sha256
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.core.content import FILE, LINK, PROGRAM, Content
from capsula.core.fault import Fault, fault_of

_CHUNK = 1024 * 1024
_CAREFULLY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Reading:
    """A file or link while it is read: iterate over its bytes, exactly ``size`` of them, then ask what they were."""

    def __init__(self, mode: int, content: int | bytes, size: int) -> None:
        self.mode = mode
        self.size = size
        self._content = content
        self._sha256 = sha256()
        self._blob = sha1(b"blob %d\0" % size, usedforsecurity=False)
        self._torn = False

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._read(self._content) if isinstance(self._content, int) else [self._content]
        for chunk in chunks:
            self._sha256.update(chunk)
            self._blob.update(chunk)
            yield chunk

    @property
    def content(self) -> Content:
        """What was read; complete once all is."""
        return Content(self.mode, self.size, self._sha256.hexdigest(), self._blob.digest(), self._torn)

    def _read(self, descriptor: int) -> Iterator[bytes]:
        """Yield the bytes of the file; zeros for those that it has lost, once some were read."""
        before = os.fstat(descriptor)
        left = self.size
        while left:
            try:
                chunk = os.read(descriptor, min(left, _CHUNK))
            except OSError:
                if left == self.size:
                    raise
                chunk = b""
                self._torn = True
            left -= len(chunk := chunk or bytes(min(left, _CHUNK)))
            yield chunk
        after = os.fstat(descriptor)
        self._torn |= (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


@contextmanager
def reading(path: bytes) -> Iterator[Reading]:
    """Read a file or link; no link is followed.

    Raises:
        OSError: it cannot be read, or is neither.
    """
    if stat.S_ISLNK(os.lstat(path).st_mode):
        target = os.fsencode(Path(os.fsdecode(path)).readlink())
        yield Reading(LINK, target, len(target))
        return
    descriptor = os.open(path, _CAREFULLY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "is no regular file")
        yield Reading(PROGRAM if status.st_mode & stat.S_IXUSR else FILE, descriptor, status.st_size)
    finally:
        os.close(descriptor)


def tried(path: bytes) -> None:
    """Open a regular file for reading, and read nothing; no link is followed.

    Raises:
        OSError: it cannot be read.
    """
    os.close(os.open(path, _CAREFULLY))


def content(path: bytes) -> Result[Content, Fault]:
    """Return what a file or link holds; one that cannot be read, or is neither, is a fault."""
    try:
        with reading(path) as it:
            for _ in it:
                pass
            return Success(it.content)
    except OSError as error:
        return Failure(fault_of(error, os.fsdecode(path)))
