"""Hashes that are remembered: those of large files that are, by all that a change leaves, as they were when hashed."""

import os
from pathlib import Path

from capsula.core.effect import Remember
from capsula.core.settings import HashAlgorithm
from capsula.reading.cache import own

_LARGE = 1024 * 1024
"""In bytes; what is smaller is hashed sooner than remembered."""
_LONG_AGO = 60 * 10**9
"""In ns; a file system's clock may tick in seconds, and what is written through a mapping may be told half a minute
later: what was changed more recently may be changed again without a trace."""


def recalled(cache: Path, status: os.stat_result, algorithm: HashAlgorithm) -> str | None:
    """Return the hash of a file of this status, if it is remembered in our directory of the user's cache."""
    if status.st_size < _LARGE:
        return None
    state, _, digest = own(_place(cache, status, algorithm)).decode("ascii", "replace").rpartition(" ")
    return digest if state == _state(status) else None


def remembering(
    cache: Path, status: os.stat_result, algorithm: HashAlgorithm, digest: str, moment: int
) -> tuple[Remember, ...]:
    """Return the wish to remember the hash of a file whose status was this at a moment (ns since 1970), and stayed so.

    There is none if it may be changed again without a trace, or is small.
    """
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    if status.st_size < _LARGE or moment - changed < _LONG_AGO:
        return ()
    return (Remember(_place(cache, status, algorithm), f"{_state(status)} {digest}".encode("ascii")),)


def _place(cache: Path, status: os.stat_result, algorithm: HashAlgorithm) -> Path:
    """Return where the hash of a file stands: a file that is changed has one hash, the last."""
    return cache / "hashes" / f"{algorithm}-{status.st_dev:x}-{status.st_ino:x}"


def _state(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
