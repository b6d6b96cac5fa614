"""The environment of a monitored command: the caller's, with a few differences that are recorded."""

import os
from collections.abc import Mapping
from pathlib import Path

from capsula.core.config import Config
from capsula.core.fault import Json
from capsula.flows.capsule import Capsule

DIRECTORY = "CAPSULA_CAPSULE_DIR"
NAME = "CAPSULA_CAPSULE_NAME"
ID = "CAPSULA_CAPSULE_ID"

HASH_SEED = "PYTHONHASHSEED"


def environment_changes(config: Config, hash_seed: str | None = None) -> dict[str, str]:
    """Return the variables that are changed for the command, beside those that tell it of its capsule.

    ``hash_seed`` is the one that was drawn for the run which this one repeats.
    """
    seed = _known_hash_seed(config) if hash_seed is None else {HASH_SEED: hash_seed}
    return {**seed, **_without_tool_runner(config)}


def told_of(capsule: Capsule) -> dict[str, str]:
    """Return the variables that tell a command of its capsule."""
    return {DIRECTORY: str(capsule.directory), NAME: capsule.name, ID: capsule.header.id}


def changes_recorded(changes: Mapping[str, str]) -> dict[str, Json]:
    """Return what the record says of the changes; it is written before the capsule has its name."""
    return {DIRECTORY: "the directory of this capsule", NAME: "its name", ID: "its id", **changes}


def _known_hash_seed(config: Config) -> dict[str, str]:
    """Python draws this number itself when it is unset, and tells nobody; then no run can be had again."""
    if HASH_SEED in config.surroundings.environ or not config.settings.monitor.known_hash_seed:
        return {}
    return {HASH_SEED: str(int.from_bytes(os.urandom(4), "big"))}


def _without_tool_runner(config: Config) -> dict[str, str]:
    """A tool runner puts the folder of Capsula's own interpreter first; the command would get that one."""
    path = config.surroundings.environ.get("PATH", "")
    first, _, rest = path.partition(os.pathsep)
    own = Path(config.surroundings.executable).parent
    environment = config.surroundings.environ.get("VIRTUAL_ENV")
    is_runner = ".cache" in own.parts or "archive-v0" in own.parts
    if Path(first) == own and rest and is_runner and environment != str(own.parent):
        return {"PATH": rest}
    return {}
