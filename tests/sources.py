"""Sources captured into a directory that stands for a capsule, and what was there before and after."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from returns.result import Result

from capsula.collectors.source import collect
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment, graft
from capsula.core.settings import CaptureSettings, GitSettings, Settings, SourceSettings
from capsula.effects.perform import performed
from capsula.effects.restore import Restored, restored
from tests.repositories import git

ISOLATED = {"HOME": os.devnull, "PATH": os.environ["PATH"]}


def config(root: Path, repositories: Mapping[str, str] | None = None, source: SourceSettings | None = None) -> Config:
    """Return a config whose vault is beside the root."""
    capture = CaptureSettings(git=GitSettings(repositories), source=source or SourceSettings())
    settings = Settings()._replace(capture=capture, vault_directory=f"../{root.name}.vault")
    return Config(root, settings, Surroundings(root, ISOLATED, (), "python"))


def captured(config: Config, capsule: Path) -> Fragment:
    """Capture the source, and keep in ``capsule`` what is to be kept of it."""
    capsule.mkdir(parents=True)
    fragment = collect(config).unwrap()
    return graft(fragment, performed(fragment.effects, capsule))


def put_back(
    fragment: Fragment, capsule: Path, root: Path, into: Path, fetch: Mapping[str, str] | None = None
) -> Result[Restored, Fault]:
    """Restore what was captured of ``root``."""
    assert isinstance(fragment.facts, Mapping)
    return restored(capsule, fragment.facts, os.fspath(root), into, fetch=fetch)


def directories(top: Path) -> set[str]:
    """Return the directories below, but for what is git's."""
    found = (Path(folder).relative_to(top) for folder, _, _ in os.walk(top))
    return {path.as_posix() for path in found if ".git" not in path.parts}


def untouched(top: Path) -> dict[str, str]:
    """Return the digest of every file below all git directories of a work tree: refs, index, objects and all."""
    files = (Path(folder, name) for folder, _, names in os.walk(top) for name in names if ".git" in Path(folder).parts)
    return {os.fspath(file.relative_to(top)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def published(origin: Path) -> Path:
    """Give a repository a remote that has its commit."""
    remote = origin.with_name(f"{origin.name}.remote.git")
    git(origin.parent, "init", "--quiet", "--bare", os.fspath(remote))
    git(origin, "remote", "add", "origin", os.fspath(remote))
    git(origin, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    git(origin, "fetch", "--quiet", "origin")
    return remote


def told(fragment: Fragment, *keys: str) -> Json:
    """Return what stands in the facts of the only source under these keys; None if nothing does."""
    assert isinstance(fragment.facts, Mapping)
    (facts,) = fragment.facts.values()
    for key in keys:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts
