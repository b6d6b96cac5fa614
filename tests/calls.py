"""Decorated functions in a project of their own, and reading what their calls left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LEAN = """
[capture]
include-cpu = false
include-python-packages = false
[capture.git.repositories]
"""

Record = dict[str, Any]


def configured(root: Path, more: str = "") -> Path:
    root.mkdir(exist_ok=True)
    (root / "capsula.toml").write_text(LEAN + more)
    return root


def capsules(root: Path) -> list[Path]:
    """Return the capsules of a vault, in the order of their making."""
    found = [path for path in (root / "vault").iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: json.loads((path / "pre-run-info.json").read_text())["timestamp"])


def befores(root: Path) -> list[Record]:
    return [json.loads((path / "pre-run-info.json").read_text()) for path in capsules(root)]


def afters(root: Path) -> list[Record]:
    return [json.loads((path / "post-run-info.json").read_text()) for path in capsules(root)]


def after(root: Path) -> Record:
    (only,) = afters(root)
    return only


def values(root: Path) -> list[object]:
    return [record["return_value"] for record in afters(root)]


def statuses(root: Path) -> list[str]:
    return [record["capsula"]["status"] for record in afters(root)]


def run(root: Path, source: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a program that stands in a project, to its end."""
    (root / "program.py").write_text(source)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CAPSULA_")}
    return subprocess.run(
        [sys.executable, *options, "program.py"],
        cwd=root,
        env=environ | more.pop("environ", {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )
