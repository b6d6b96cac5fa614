"""The vault: capsules are built aside, and each gets its name by one rename."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, fault_of
from capsula.core.settings import Durability
from capsula.effects.files import all_synchronised, folders, synchronised, written

OWN = ".capsula"


def building(vault: Path, identity: str) -> Result[Path, Fault]:
    """Make the vault if need be, and a private directory in it where a capsule is built aside."""
    aside = vault / OWN / "building" / identity
    try:
        folders(vault)
        _hidden_from_git(vault)
        folders(aside / OWN)
    except OSError as error:
        discarded(aside)
        return Failure(_unusable(vault, error))
    return Success(aside)


def published(aside: Path, vault: Path, template: str, moment: datetime, durability: Durability) -> Result[Path, Fault]:
    """Give a capsule that was built aside its name in the vault, the first that is free, by one rename."""
    name = moment.astimezone().strftime(template)
    try:
        if durability == "full":
            all_synchronised(aside)
        folders((vault / name).parent)
        capsule = next(path for path in _names(vault, name) if _renamed(aside, path))
        if durability == "full":
            for folder in _up_to(vault, capsule.parent):
                synchronised(folder)
    except OSError as error:
        return Failure(_unusable(vault, error))
    return Success(capsule)


def discarded(aside: Path) -> None:
    """Remove what was built aside; what cannot be removed stays, and disturbs nothing."""
    shutil.rmtree(aside, ignore_errors=True)


def _hidden_from_git(vault: Path) -> None:
    if not os.path.lexists(vault / ".gitignore"):
        with suppress(FileExistsError):  # another process was faster
            written(vault / ".gitignore", (b"*\n",))


def _up_to(vault: Path, folder: Path) -> Iterator[Path]:
    """Yield the folders from one below the vault up to it: each may be new, and its name is held by the next."""
    return (each for each in (folder, *folder.parents) if each.is_relative_to(vault))


def _names(vault: Path, name: str) -> Iterator[Path]:
    return (vault / each for each in chain((name,), (f"{name}_{number}" for number in count(2))))


def _renamed(aside: Path, capsule: Path) -> bool:
    # A rename replaces an empty directory silently, and fails on a capsule that another process published first.
    if os.path.lexists(capsule):
        return False
    try:
        aside.rename(capsule)
    except OSError:
        if os.path.lexists(capsule):
            return False
        raise
    return True


def _unusable(vault: Path, error: OSError) -> Fault:
    fault = fault_of(error, f"the vault {vault} cannot be written")
    return Fault(fault.kind, fault.message, "set vault-directory to a place that can be")
