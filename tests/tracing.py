"""Running a program under strace, and reading what it asked of the system."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.running import PATIENCE


def traced(*words: str, options: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the lines that strace writes of a program; the test is skipped where nobody may be traced."""
    trace = cwd.parent / "trace.txt"
    done = subprocess.run(
        ["strace", "-qq", "-e", "signal=none", *options, "-o", str(trace), *words],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip("needs: strace")
    assert (done.returncode, done.stderr) == (0, "")
    return trace.read_text().splitlines()
