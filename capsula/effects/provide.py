"""Providing inputs: files are put to where a run looks for them, below a place that nothing leads out of."""

import os
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.core.effect import Keep
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Fragment
from capsula.core.settings import HashAlgorithm
from capsula.core.tree import path_flaw
from capsula.effects.keep import kept


def provided(origin: Path, target: Path, place: Path, algorithm: HashAlgorithm | None = None) -> Result[str, Fault]:
    """Copy a file in place of what stands at the target, and return the digest of its bytes; none is empty.

    Faults: those of ``cleared``, ``missing``, those of the disk.
    """
    if not os.path.isfile(origin):
        return Failure(Fault("missing", f"{origin} is not there"))
    root = Path(os.path.realpath(place))
    return cleared(target, place).bind(
        lambda path: kept(Keep(origin, os.fspath(path.relative_to(root)), algorithm), root).map(_digest)
    )


def cleared(target: Path, place: Path) -> Result[Path, Fault]:
    """Remove the file at a target, if there is one, and return its real path.

    Faults: ``refused``, for what is outside of the place, by its name or by a link, or is git's; those of the disk.
    """
    named = Path(os.path.normpath(target))
    path = Path(os.path.realpath(named.parent)) / named.name
    root = os.path.realpath(place)
    if not path.is_relative_to(root):
        return Failure(Fault("refused", f"{named} leads out of {place}, by a link or by its name; it is not touched"))
    if path_flaw(os.path.relpath(path, root)):
        return Failure(Fault("refused", f"{named} is no place for a file of a project; it is not touched"))
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return Failure(fault_of(error, str(named)))
    return Success(path)


def _digest(fragment: Fragment) -> str:
    facts: Json = fragment.facts
    digest = facts.get("file_hash") if isinstance(facts, dict) else None
    return digest if isinstance(digest, str) else ""
