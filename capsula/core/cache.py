"""The user's cache: what may be lost at any time, and is only ever made again."""

from collections.abc import Mapping
from pathlib import Path


def cache(environ: Mapping[str, str]) -> Path | None:
    """Return our directory in the cache of the user whose environment this is; none if there is no telling where."""
    chosen, home = (Path(environ.get(name, "")) for name in ("XDG_CACHE_HOME", "HOME"))
    if chosen.is_absolute():
        return chosen / "capsula"
    return home / ".cache" / "capsula" if home.is_absolute() else None
