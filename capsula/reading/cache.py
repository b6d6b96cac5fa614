"""The user's cache: what may be lost at any time, and is only ever made again."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

_LARGEST = 16 * 1024 * 1024


def cache(environ: Mapping[str, str]) -> Path | None:
    """Return our directory in the cache of the user whose environment this is; none if there is no telling where."""
    chosen, home = (Path(environ.get(name, "")) for name in ("XDG_CACHE_HOME", "HOME"))
    if chosen.is_absolute():
        return chosen / "capsula"
    return home / ".cache" / "capsula" if home.is_absolute() else None


def own(file: Path) -> bytes:
    """Return the content of a file that nobody else could have written, or nothing."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        with open(os.open(file, flags), "rb") as stream:
            status = os.fstat(stream.fileno())
            is_own = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            size = min(status.st_size, _LARGEST)  # of a pipe none; to ask for more costs more than all the rest
            return stream.read(size) if is_own else b""
    except OSError:
        return b""
