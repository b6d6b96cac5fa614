"""The benchmarks run where nothing is installed but what they measure, and what draws their picture."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import PATIENCE, environment

IMPORTING = """
import sys
sys.modules |= dict.fromkeys(["pytest", "_pytest", "hypothesis", "xdist", "uv"])
import benchmarks.__main__
"""


@pytest.mark.slow  # of nothing that a wheel holds
def test_the_benchmarks_need_nothing_of_what_the_tests_are_run_with() -> None:
    root = Path(__file__).parents[1]

    done = subprocess.run(
        [sys.executable, "-c", IMPORTING],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
