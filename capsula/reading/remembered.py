"""What holds until the machine is started again is asked once, and remembered that long in the user's cache."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from capsula import __version__
from capsula.core.config import Config
from capsula.core.effect import Remember
from capsula.core.fault import Json
from capsula.reading.cache import cache, own


class Memory(NamedTuple):
    """Where an answer is remembered, and what tells it from those that do not hold."""

    file: Path
    key: str


def memory(config: Config, name: str, *circumstances: object) -> Memory | None:
    """Return where the answer is that holds since the machine was started, under these circumstances.

    There is none where that cannot be told, as off Linux, or where nobody has a cache.
    """
    place = cache(config.surroundings.environ)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8")
    except OSError:
        return None
    key = repr((__version__, boot, *circumstances)).encode("utf-8", "backslashreplace")
    return Memory(place / f"{name}.json", sha256(key).hexdigest()) if place else None


def recalled(memory: Memory | None) -> Mapping[str, Json] | None:
    """Return the answer that is remembered, if there is one."""
    if memory is None:
        return None
    try:
        known: Json = json.loads(own(memory.file))
    except (ValueError, RecursionError):
        return None
    match known:
        case {"key": memory.key, "facts": dict(facts)} if facts:
            return facts
    return None


def remembering(memory: Memory | None, facts: Mapping[str, Json]) -> tuple[Remember, ...]:
    """Wish for an answer to be remembered."""
    if memory is None:
        return ()
    return (Remember(memory.file, json.dumps({"key": memory.key, "facts": facts}).encode("ascii")),)
