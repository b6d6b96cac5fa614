"""Hash and copy one file, with all of it on the disk at the end.

keep.py beside|behind ORIGIN TARGET
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Thread

CHUNK = 8 * 1024 * 1024


def main(way: str, origin: str, target: str) -> None:
    """Copy in one of the ways."""
    source = os.open(origin, os.O_RDONLY)
    destination = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    size = os.fstat(source).st_size
    (beside if way == "beside" else behind)(source, destination, size)
    os.fsync(destination)


def beside(source: int, destination: int, size: int) -> None:
    """Copy in a thread, and hash the origin meanwhile."""
    copying = Thread(target=lambda: [*copied(source, destination, size)])
    copying.start()
    digest = hashlib.sha256()
    position = 0
    while block := os.pread(source, CHUNK, position):
        digest.update(block)
        position += len(block)
    copying.join()


def behind(source: int, destination: int, size: int) -> None:
    """Copy in a thread, and hash what has arrived."""
    arrived: SimpleQueue[int] = SimpleQueue()

    def copy() -> None:
        for position in copied(source, destination, size):
            arrived.put(position)

    copying = Thread(target=copy)
    copying.start()
    digest = hashlib.sha256()
    position = 0
    while position < size:
        until = arrived.get()
        while position < until:
            block = os.pread(destination, min(CHUNK, until - position), position)
            digest.update(block)
            position += len(block)
    copying.join()


def copied(source: int, destination: int, size: int) -> Iterator[int]:
    """Copy, and tell each time how far it stands."""
    position = 0
    while position < size:
        position += os.copy_file_range(source, destination, CHUNK, position)
        yield position


if __name__ == "__main__":
    main(*sys.argv[1:])
