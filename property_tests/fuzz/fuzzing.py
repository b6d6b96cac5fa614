"""Fuzzing in processes of their own, which are bounded in memory and time, and may end by whatever signal."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from property_tests.fuzz.readers import READERS
from tests.running import environment

SLOWEST = 60
"""Seconds after which a content makes its reader hang; the first has all modules imported, slowly, to be seen into."""


class Fuzzed(NamedTuple):
    """What became of readers that were fuzzed."""

    told: str
    failed: str | None = None
    """The reader that failed, if one did."""
    content: bytes = b""
    """What it failed at."""

    def __str__(self) -> str:
        reached = [line for line in self.told.splitlines() if " cov: " in line]
        if self.failed is None:
            return f"sound: {reached[-1] if reached else self.told}"
        return f"{self.failed} failed at {self.content!r:.4000}\n{self.told[-8000:]}"


def fuzzed(project: Path, place: Path, names: Sequence[str], *limits: str) -> Fuzzed:
    """Fuzz readers until one fails or libFuzzer's limits are reached (``-runs=N``, ``-max_total_time=SECONDS``).

    Args:
        project: The root of a project, which is only read.
        place: A directory for a copy of it, and for ``corpus``, contents to go on from.
        names: The readers.
        limits: Options of libFuzzer.
    """
    shutil.rmtree(place / "own", ignore_errors=True)
    root = shutil.copytree(project, place / "own" / "project", symlinks=True)
    corpus, failed = place / "corpus", place / "failed"
    shutil.rmtree(failed, ignore_errors=True)
    for folder in (corpus, failed):
        folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        for count, content in enumerate(READERS[name].seeds(project)):
            (corpus / f"seed-{number}-{count}").write_bytes(bytes([number]) + content)
    options = (f"-timeout={SLOWEST}", "-rss_limit_mb=0", "-max_len=65536", "-print_final_stats=1", *limits)
    argv = (sys.executable, "-m", "property_tests.fuzz.child", os.fspath(root), ":".join(names), *options)
    done = subprocess.run(
        [*argv, f"-artifact_prefix={failed}/", os.fspath(corpus)],
        cwd=Path(__file__).parents[2],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    told = done.stdout.decode(errors="replace")
    if done.returncode == 0:
        return Fuzzed(told)
    content = next((file.read_bytes() for file in failed.iterdir()), b"\0")
    return Fuzzed(told, names[content[0] % len(names)], content[1:])
