"""Running the command line as a person does, and reading what it left."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60
"""Seconds after which something hangs."""

PLAIN = """
[capture]
include-cpu = false
include-python-packages = false
include-source = false
include-system = false
include-environment = false
"""
"""A configuration that captures only what costs nothing."""


def configure(project: Path, text: str = "") -> None:
    """Write a configuration that captures little, and has more in it."""
    (project / "capsula.toml").write_text(PLAIN + text)


def capsula(*words: str, cwd: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a directory; ``changes`` are set in its environment, or removed."""
    return behind((), *words, cwd=cwd, **changes)


def behind(front: Sequence[str], *words: str, cwd: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run the command line as ``capsula`` does, by another program: the words of ``front`` come before its own."""
    return subprocess.run(
        [*front, sys.executable, "-P", "-m", "capsula", *words],
        cwd=cwd,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def python(program: str, cwd: Path | None = None, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run the text of a Python program; ``changes`` are set in its environment, or removed."""
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=cwd,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def environment(**changes: str | None) -> dict[str, str]:
    """Return the environment of this process with changes, and nothing of a capsule or the tests around."""
    whole = {name: value for name, value in os.environ.items() if not name.startswith(("CAPSULA_", "PYTEST_"))}
    whole |= {name: value for name, value in changes.items() if value is not None}
    return {name: value for name, value in whole.items() if changes.get(name, "") is not None}


def capsules(root: Path) -> list[Path]:
    """Return the capsules in the vault of a root, by name."""
    vault = root / "vault"
    return (
        sorted(path for path in vault.iterdir() if path.name not in {".gitignore", ".capsula"})
        if vault.is_dir()
        else []
    )


def only_capsule(root: Path) -> Path:
    (capsule,) = capsules(root)
    return capsule


def document(capsule: Path, name: str) -> dict[str, Any]:
    """Return a document of a capsule as any reader of JSON sees it."""
    read: dict[str, Any] = json.loads((capsule / name).read_text())
    return read


def faults(document: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the place and the kind of each fault of a document."""
    header = document["capsula"]
    return [(tuple(fault["path"]), fault["kind"]) for fault in header["faults"]]


def files(folder: Path) -> set[str]:
    """Return the paths of all files below a folder, relative to it, but for the manifest, which every capsule has."""
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    return {path for path in paths if not path.endswith(".capsula/manifest.json")}


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Let the system refuse to write more than so many bytes into one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
