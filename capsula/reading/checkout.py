"""Checkouts: the repositories that packages which are installed as links stand in."""

import os
from pathlib import Path

import pygit2
from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.fault import Fault, Json
from capsula.reading.repository import TROUBLE, holder, trouble


def checkout(directory: Path, config: Config) -> Result[dict[str, Json], Fault]:
    """Return ``repository``: where the top of the one that holds the directory is, its HEAD, and whether it is dirty.

    Of a repository that is captured anyway, the rest stands there. There is none in the answer where none holds it.
    """
    if not directory.is_absolute() or not os.path.isdir(directory):
        return Success({})
    found = holder(directory)
    if isinstance(found, Failure):
        return Success({}) if found.failure().kind == "not a repository" else found
    captured = config.settings.capture.git.repositories
    paths = ["."] if captured is None else captured.values()
    others = [holder(config.root / path).map(lambda other: other.path).value_or("") for path in paths]
    repository = found.unwrap()
    return _state(repository, is_captured=repository.path in others)


def _state(repository: pygit2.Repository, *, is_captured: bool) -> Result[dict[str, Json], Fault]:
    place = Path(repository.workdir or repository.path)
    try:
        sha = None if repository.head_is_unborn else str(repository.head.target)
        dirty = {} if is_captured else {"dirty": bool(repository.status(untracked_files="normal"))}
    except TROUBLE as error:
        return Failure(trouble(error, place))
    return Success({"repository": {"path": str(place), "sha": sha, **dirty}})
