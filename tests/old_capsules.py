"""Capsules as version 0.0.21 made them, of the documents and files that it wrote, down to what it got wrong."""

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from capsula.core.fault import Json
from tests.repositories import git, head

PLATFORM: Mapping[str, Json] = {
    "machine": "x86_64",
    "node": "vm",
    "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
    "release": "6.1.0",
    "version": "#1 SMP",
    "system": "Linux",
    "processor": "",
    "python": {
        "executable_architecture": {"bits": "64bit", "linkage": "ELF"},
        "build_no": "main",
        "build_date": "Dec 30 2022 17:24:31",
        "compiler": "GCC 12.2.0",
        "branch": "",
        "implementation": "CPython",
        "version": "3.11.7",
    },
}


def captured(
    root: Path, name: str, files: tuple[str, ...] = (), variables: Mapping[str, str] | None = None, url: str = ""
) -> Path:
    """Make the capsule of a capture: of the repository at the root, and of files that are hashed and copied."""
    capsule = root / "vault" / name
    capsule.mkdir(parents=True)
    remotes: list[Json] = [{"name": "origin", "url": url}] if url else []
    context: dict[str, Json] = {
        "root_directory": str(root),
        "cwd": str(root),
        "platform": PLATFORM,
        "environment_variables": dict(variables or {}),
        "git": {"project": {"path": ".", "sha": head(root), "branch": "main", "remotes": remotes}},
        "files": {path: _kept(root / path, capsule) for path in files},
        "cpu": None,
    }
    (capsule / "context.json").write_text(json.dumps(context, indent=4))
    (capsule / "project.diff").write_bytes(git(root, "diff").removesuffix(b"\n"))
    return capsule


def run(capsule: Path, root: Path, args: tuple[str, ...], stdout: str, files: tuple[str, ...] = ()) -> Path:
    """Add the records of a command that ended well; one of its files was not there."""
    before = {"root_directory": str(root), "cwd": str(root), "timestamp": "2023-07-12T18:09:29.490877+09:00"}
    after: dict[str, Json] = {
        "root_directory": str(root),
        "timestamp": "2023-07-12T18:09:31.977784+09:00",
        "run_time": "PT2.486653S",
        "files": {**{path: _kept(root / path, capsule) for path in files}, "not there": None},
        "stdout": stdout,
        "stderr": "",
        "exit_code": 0,
    }
    (capsule / "pre-run-info.json").write_text(json.dumps({**before, "args": args}))
    (capsule / "post-run-info.json").write_text(json.dumps(after))
    return capsule


def call(capsule: Path, root: Path) -> Path:
    """Add the records of a decorated call."""
    moment = "2023-07-12T22:21:01.787135+09:00"
    common: dict[str, Json] = {"root_directory": str(root), "timestamp": moment}
    function: dict[str, Json] = {"source_file": str(root / "main.py"), "source_line": 3, "function_name": "f"}
    before = {**common, "cwd": str(root), **function, "args": [1], "kwargs": {}}
    after: dict[str, Json] = {**common, "run_time": "PT0.1S", "files": {}, "return_value": 3, "exception_info": None}
    (capsule / "pre-run-info.json").write_text(json.dumps(before))
    (capsule / "post-run-info.json").write_text(json.dumps(after))
    return capsule


def _kept(file: Path, capsule: Path) -> dict[str, Json]:
    shutil.copyfile(file, capsule / file.name)
    return {"hash_algorithm": "sha256", "file_hash": sha256(file.read_bytes()).hexdigest()}
