"""Comparators of other packages, found by the entry points of distributions that are really installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMPARATOR = """
from capsula.reproduction.comparison import Comparison, Grade

def compare(recorded, replayed, tolerance):
    grade = Grade.CLOSE if abs(len(recorded) - len(replayed)) <= tolerance.absolute else Grade.DIFFERENT
    return Comparison(grade, "length", "its length")
"""

COMPARE = """
import json, sys
from capsula.reproduction.compare import compared_contents
from capsula.reproduction.comparison import Tolerance

name, recorded, replayed = sys.argv[1:]
comparison = compared_contents(recorded.encode(), replayed.encode(), name, Tolerance(0.0, 1.0))
print(json.dumps([comparison.grade.word, comparison.kind, comparison.reason, "strange" in sys.modules]))
"""


@pytest.mark.parametrize(("recorded", "replayed", "grade"), [("a", "bb", "close"), ("a", "bbb", "different")])
def test_a_comparator_of_another_package_grades_files_of_its_suffix(
    tmp_path: Path, recorded: str, replayed: str, grade: str
) -> None:
    installed(tmp_path, "xyz3", COMPARATOR)

    assert compared(tmp_path, "a.XYZ3", recorded, replayed) == [grade, "length", "its length", True]


@pytest.mark.parametrize(
    ("name", "replayed", "answer"),
    [
        ("a.xyz3", "a", ["identical", "bytes", "", False]),
        ("a.other", "b", ["different", "bytes", "its bytes differ", False]),
        ("a.txt", "b", ["different", "text", "line 1 differs", False]),
    ],
)
def test_it_is_loaded_only_for_files_of_its_suffix_that_differ(
    tmp_path: Path, name: str, replayed: str, answer: list[object]
) -> None:
    installed(tmp_path, "xyz3", COMPARATOR)

    assert compared(tmp_path, name, "a", replayed) == answer


def test_it_cannot_call_other_bytes_identical(tmp_path: Path) -> None:
    installed(tmp_path, ".xyz3", COMPARATOR.replace("CLOSE", "IDENTICAL"))

    assert compared(tmp_path, "a.xyz3", "a", "b") == ["equivalent", "length", "its length", True]


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("import no_such_module", "strange: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(0)", "strange: SystemExit: 0"),
        ("", "AttributeError: module 'strange' has no attribute 'compare'"),
        ("def compare(a, b, c): return 1 / 0", "ZeroDivisionError: division by zero"),
        ("def compare(a, b, c): return True", "it answered with no grade that two contents can have"),
        (COMPARATOR.replace("CLOSE", "BLOCKED"), "it answered with no grade that two contents can have"),
    ],
)
def test_a_broken_one_is_told_and_the_bytes_decide(tmp_path: Path, text: str, trouble: str) -> None:
    installed(tmp_path, "xyz3", text)

    answer = compared(tmp_path, "a.xyz3", "a", "b")

    assert answer[:3] == ["different", "bytes", f"its bytes differ; its comparator failed: {trouble}"]


def installed(site: Path, suffix: str, text: str) -> None:
    site.joinpath("strange.py").write_text(text)
    distribution = site / "strange-1.dist-info"
    distribution.mkdir()
    distribution.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
    distribution.joinpath("entry_points.txt").write_text(f"[capsula.comparators]\n{suffix} = strange\n")


def compared(site: Path, name: str, recorded: str, replayed: str) -> list[object]:
    command = [sys.executable, "-c", COMPARE, name, recorded, replayed]
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(site)})
    answer: list[object] = json.loads(done.stdout)
    return answer
