"""The peers: what else records what a command did, each installed into an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

from benchmarks.clock import Contender
from benchmarks.ground import small_repository

_PATIENCE = 900


@frozen
class Peer:
    """A tool, and how it is made to record a command or a script that does nothing."""

    name: str
    requirements: tuple[str, ...]
    argv: tuple[str, ...]
    """Its first word is a program of its environment; others may be ``{python}``."""
    files: Mapping[str, str] = {}
    """Beside ``nothing.py``."""
    setup: tuple[tuple[str, ...], ...] = ()


UPSTREAM = "capsula 0.0.21"
SCITRACK = "scitrack"

UPSTREAM_SETTINGS = """
vault-directory = "vault"
capsule-template = "%Y%m%d_%H%M%S_%f"
[capture]
include-cpu = {cpu}
[capture.files]
{files}
[capture.git.repositories]
{repositories}
[monitor.item]
"""
"""The configuration of upstream, which wants one."""


def upstream_settings(*, cpu: bool = False, files: str = "", repositories: str = 'repo = "."') -> str:
    """Return a configuration for upstream."""
    return UPSTREAM_SETTINGS.format(cpu=str(cpu).lower(), files=files, repositories=repositories)


_SACRED = """
from sacred import Experiment
from sacred.observers import FileStorageObserver

experiment = Experiment("nothing")
experiment.observers.append(FileStorageObserver("runs"))

@experiment.automain
def main():
    pass
"""
_SCITRACK = """
from scitrack import CachingLogger

log = CachingLogger()
log.log_file_path = "run.log"
log.log_args()
log.shutdown()
"""
_MLFLOW = """
import mlflow

mlflow.set_tracking_uri("sqlite:///runs.db")
with mlflow.start_run():
    pass
"""
_DVC = """
stages:
  nothing:
    cmd: "true"
    always_changed: true
"""

PEERS = (
    Peer(UPSTREAM, ("capsula==0.0.21",), ("capsula", "monitor", "true"), {"capsula.toml": upstream_settings()}),
    Peer(SCITRACK, ("scitrack",), ("python", "peer.py"), {"peer.py": _SCITRACK}),
    Peer("sacred", ("sacred", "setuptools<81"), ("python", "peer.py"), {"peer.py": _SACRED}),
    Peer(
        "datalad run",
        ("datalad", "git-annex"),
        ("datalad", "run", "--explicit", "true"),
        setup=(("datalad", "create", "--force", "--no-annex", "."),),
    ),
    Peer(
        "sumatra",
        ("sumatra", "gitpython", "setuptools<81"),
        ("smt", "run", "--executable={python}", "--main=nothing.py"),
        setup=(("smt", "init", "nothing"), ("smt", "configure", "-c", "store-diff")),
    ),
    Peer(
        "reprozip",
        ("reprozip",),
        ("reprozip", "trace", "--overwrite", "true"),
        setup=(("reprozip", "usage_report", "--disable"),),
    ),
    Peer("dvc repro", ("dvc",), ("dvc", "repro"), {"dvc.yaml": _DVC}, (("dvc", "init", "--quiet"),)),
    Peer("mlflow", ("mlflow",), ("python", "peer.py"), {"peer.py": _MLFLOW}),
    Peer(
        "wandb offline",
        ("wandb",),
        ("python", "peer.py"),
        {"peer.py": 'import wandb\nwandb.init(mode="offline").finish()\n'},
    ),
    Peer("guild", ("guildai", "setuptools<81"), ("guild", "run", "nothing.py", "-y")),
    Peer("noworkflow", ("noworkflow",), ("now", "run", "nothing.py")),
    Peer(
        "recipy",
        ("recipy", "tinydb<4", "tinydb-serialization<2", "setuptools<81"),
        ("python", "peer.py"),
        {"peer.py": "import recipy\n"},
    ),
)

Report = Callable[[str], None]


def environment(folder: Path, requirements: tuple[str, ...], *, anew: bool = False) -> str | None:
    """Install requirements into an environment, and return why that cannot be done; ``anew`` even if they are there."""
    mark = folder / "installed"
    wanted = "\n".join((sys.version, *requirements))
    if not anew and mark.is_file() and mark.read_text() == wanted:
        return None
    python = str(folder / "bin" / "python")
    failure = None if folder.is_dir() else _failure(sys.executable, "-m", "venv", str(folder))
    failure = failure or _failure(python, "-m", "pip", "--disable-pip-version-check", "install", "-q", *requirements)
    if failure is None:
        mark.write_text(wanted)
    return failure


def contender(peer: Peer, folder: Path, directory: Path, environ: Mapping[str, str]) -> Contender | str:
    """Have a peer ready in a small repository of its own, or return why it cannot be had."""
    failure = environment(folder, peer.requirements)
    if failure is not None:
        return failure
    small_repository(directory, extra={"nothing.py": "pass\n", **peer.files})
    programs = folder / "bin"
    own = {"PATH": f"{programs}{os.pathsep}{environ['PATH']}"}
    for words in peer.setup:
        failure = _failure(str(programs / words[0]), *words[1:], cwd=directory, environ={**environ, **own})
        if failure is not None:
            return failure
    words = (str(programs / peer.argv[0]), *(word.format(python=programs / "python") for word in peer.argv[1:]))
    return Contender(peer.name, words, directory, environ=own)


def _failure(*argv: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str | None:
    """Run a program, and return its last words if it fails."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip().splitlines() or ["(nothing)"])[-1] if done.returncode else None
