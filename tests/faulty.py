"""Running the command line on a disk that fails, fills up, or loses the process, at any operation one chooses."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EINTR
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from attrs import frozen

from tests.running import environment

KILL = 0
"""Stands for an error: the process dies of SIGKILL at the operation."""
INTERRUPT = EINTR
"""Stands for one, too: it gets SIGINT at the operation, which is done."""

# Each run is a fork of one process that has imported all that a run needs: a fresh interpreter takes ten times as long.
_DRIVER = """
import ctypes, json, os, sys
from importlib import import_module
from capsula.__main__ import main

library = ctypes.CDLL(os.environ.pop("LD_PRELOAD"))
arm = library.arm

def capsula(job, journal):
    os.chdir(job["cwd"])
    os.environ.update(job["environment"])
    for descriptor, file in enumerate((os.devnull, "stdout", "stderr")):
        os.dup2(os.open(os.path.join(job["told"], file), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    sys.argv = ["capsula", *job["words"]]
    if job["past"]:
        library.turn_back(job["past"].encode())
    if job["held"]:
        library.hold(job["held"].encode())
    arm("\\n".join(job["below"]).encode(), job["error"], job["sticky"], job["at"], journal)
    try:
        main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    arm(b"", 0, 0, 0, journal)
    os._exit(status or 0)

def noted(job, leave=os._exit):
    def left(status):
        with open(os.path.join(job["told"], "modules"), "w") as file:
            file.write("\\n".join(sys.modules))
        leave(status)
    return left

for line in sys.stdin:
    job = json.loads(line)
    journal = os.open(os.path.join(job["told"], "journal"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    left, held = os.pipe()
    os.set_inheritable(held, True)
    if (pid := os.fork()) == 0:
        if job["warm"]:
            os._exit = noted(job)
        capsula(job, journal)
    os.close(held)
    os.close(journal)
    _, ended = os.waitpid(pid, 0)
    os.read(left, 1)  # until the command is over too, which may outlive its Capsula
    os.close(left)
    if job["warm"]:
        for name in open(os.path.join(job["told"], "modules")).read().split():
            if name.startswith(("capsula.", "pygit2", "cattrs", "json", "subprocess", "shutil", "uuid")):
                import_module(name)
    print(os.waitstatus_to_exitcode(ended), flush=True)
"""


class Ended(NamedTuple):
    """How a run of the command line ended."""

    status: int
    """Negative: the signal that killed it."""
    operations: tuple[str, ...]
    """What it did below the directories that are watched: an operation and a path each."""
    was_hit: bool
    """Whether the operation that was to fail came at all."""
    stdout: bytes
    stderr: str


@frozen
class Faulty:
    """A process that runs the command line, again and again, as if each time anew."""

    _process: subprocess.Popen[str]
    _told: Path

    def run(
        self,
        words: Sequence[str],
        cwd: Path,
        below: Sequence[Path] = (),
        *,
        error: int = KILL,
        at: int = 0,
        sticky: bool = False,
        past: Path | None = None,
        held: Path | None = None,
        warm: bool = False,
    ) -> Ended:
        """Run it in a directory; operation number ``at`` on the files ``below`` fails, the first is 1, 0 is none.

        Once the file ``past`` is there, its clock is an hour late. The file ``held`` cannot be removed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {
            "words": words,
            "cwd": str(cwd),
            "below": [str(path) for path in below],
            "error": error,
            "at": at,
            "sticky": sticky,
            "past": str(past or ""),
            "held": str(held or ""),
            "warm": warm,
            "told": str(self._told),
            "environment": {"PWD": str(cwd)},
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        journal = (self._told / "journal").read_text(errors="replace").splitlines()
        stdout, stderr = (self._told / name for name in ("stdout", "stderr"))
        was_hit = any(line.startswith("!") for line in journal)
        return Ended(status, tuple(journal), was_hit, stdout.read_bytes(), stderr.read_text())


@contextmanager
def faulty(directory: Path) -> Iterator[Faulty]:
    """Yield what runs the command line with faults; the directory holds what it needs."""
    library = _compiled(directory)
    (directory / "warm").mkdir()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _DRIVER],
        env=environment(LD_PRELOAD=str(library)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        answer = Faulty(process, directory)
        for words in (("monitor", "true"), ("capture",), ("list", "--json")):
            assert answer.run(words, directory / "warm", warm=True).status == 0
        yield answer
        assert process.stdin is not None
        process.stdin.close()


def _compiled(directory: Path) -> Path:
    compiler = _compiler()
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs: C compiler")
    library = directory / "faulty.so"
    source = Path(__file__).with_name("faulty.c")
    subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def _compiler() -> tuple[str, ...] | None:
    if found := shutil.which("cc"):
        return (found,)
    return (sys.executable, "-m", "ziglang", "cc") if find_spec("ziglang") else None
