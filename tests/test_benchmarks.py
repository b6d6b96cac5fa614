"""The benchmarks run where nothing is installed but what they measure, and what draws their picture."""

from pathlib import Path

import pytest

from tests.running import python

IMPORTING = """
import sys
sys.modules |= dict.fromkeys(["pytest", "_pytest", "hypothesis", "xdist", "uv"])
import benchmarks.__main__
"""


@pytest.mark.slow  # of nothing that a wheel holds
def test_the_benchmarks_need_nothing_of_what_the_tests_are_run_with() -> None:
    root = Path(__file__).parents[1]

    done = python(IMPORTING, root, PYTHONPATH=str(root))

    assert (done.returncode, done.stderr) == (0, "")
