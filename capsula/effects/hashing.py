"""Hashing beside: what is written is hashed on another processor, where there is enough of it to be worth the way."""

from hashlib import sha256
from queue import SimpleQueue
from threading import Thread

WORTH = 128 * 1024
"""Bytes of a part that is worth the way."""


class Hashing:
    """The SHA-256 of what comes in parts; each part must stay as it is until the next one has come."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._given: SimpleQueue[bytes | memoryview | None] = SimpleQueue()
        self._taken: SimpleQueue[None] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_waited_for = False

    def update(self, part: bytes | memoryview) -> None:
        """Begin to hash a part, once the one before it is hashed."""
        self._settle()
        if len(part) < WORTH or not self._has_help():
            self._hash.update(part)
        else:
            self._given.put(part)
            self._is_waited_for = True

    def hexdigest(self) -> str:
        """Return the hash of all parts that came so far."""
        self._settle()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread; no part may come any more."""
        if self._thread is not None:
            self._given.put(None)
            self._thread.join()

    def _settle(self) -> None:
        if self._is_waited_for:
            self._taken.get()
            self._is_waited_for = False

    def _has_help(self) -> bool:
        """Start the thread, if it is not there; tell whether it is."""
        if self._thread is None:
            thread = Thread(target=self._help, name="capsula-hash", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the memory, or the number of threads, is limited
                return False
            self._thread = thread
        return True

    def _help(self) -> None:
        while (part := self._given.get()) is not None:
            self._hash.update(part)
            self._taken.put(None)
