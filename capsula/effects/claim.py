"""A claim: of several processes that would all change one capsule, one does, and the others know at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # networks lock only what may be written


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Claim a file of a capsule for the time being; nobody waits: the answer is whether no other process has it.

    The claim ends with the process, however that ends. Where no file can be claimed, everyone has it.
    """
    try:
        descriptor = os.open(file, _FLAGS)
    except OSError:  # whoever reads the file will tell what is wrong with it
        yield True
        return
    try:
        yield _is_first(descriptor)
    finally:
        with suppress(OSError):  # a full disk may say so here, though nothing was written
            os.close(descriptor)


def _is_first(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this file system knows no locks
        return True
    return True
