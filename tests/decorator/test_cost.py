"""What a call under the decorator costs, counted and not timed, once the first ones are over."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.repositories import repository, write
from tests.running import PLAIN, environment
from tests.tracing import traced

CALLS = 6
PROGRAM = """
import os, sys
import capsula

@capsula.monitor
def call(number):
    os.path.lexists(f"/mark/{number}")

for number in range(int(sys.argv[1])):
    call(number)
"""

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")


def test_a_call_asks_the_system_for_little_more_than_its_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "capsula.toml").write_text(f"{PLAIN}[capture.git.repositories]\n")

    calls = between(root)

    made = [call for call in calls if call.startswith(("mkdir(", "rename(")) or "O_CREAT" in call]
    assert [told(call) for call in made] == [
        *("open manifest.json", "rename manifest.json", "open post-run-info.json", "rename post-run-info.json"),
        *("mkdir building/ID", "mkdir .capsula", "open context.json", "open pre-run-info.json", "open manifest.json"),
        "rename building/ID",
    ]
    assert not any("sync" in call for call in calls)
    assert len(calls) <= 90


def test_a_call_costs_no_more_the_more_were_made(tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {f"{number}.txt": b"text\n" for number in range(10)})
    write(root, {"0.txt": b"edited\n", "new.txt": b"new\n", "capsula.toml": PLAIN.encode()})

    counts = [len(calls_of(crowded(root, count))) for count in (150, 450)]

    few, many = counts
    assert abs(many - few) <= 10


def crowded(root: Path, count: int) -> Path:
    """Put folders into a vault that look like the capsules of so many calls."""
    for number in range(count):
        (root / f"vault/earlier_{number}").mkdir(0o700, parents=True, exist_ok=True)
    (root / "vault/.gitignore").write_text("*\n")
    return root


def calls_of(root: Path) -> list[str]:
    """Return the calls of the system but those for the content of folders, which come in batches."""
    return [call for call in between(root) if not call.startswith("getdents")]


def between(root: Path) -> list[str]:
    """Return the calls of the system from the middle of a call to the middle of the next."""
    (root / "program.py").write_text(PROGRAM)
    _, lines = (  # the first draws the key of the vault, which is read anew while it is young
        traced(sys.executable, "program.py", count, options=("-s", "0"), cwd=root, environ=environment())
        for count in ("1", str(CALLS))
    )
    first, last = (number for number, line in enumerate(lines) if is_mark(line, (CALLS - 2, CALLS - 1)))
    return lines[first + 1 : last]


def is_mark(line: str, numbers: tuple[int, ...]) -> bool:
    return any(f'/mark/{number}"' in line for number in numbers)


def told(call: str) -> str:
    """Return what a call does, and to what."""
    kind, _, rest = call.partition("(")
    names = re.findall(r'"([^"]*)"', rest)
    plain = re.sub(r"building/[^/]*$", "building/ID", names[0])
    name = "building/ID" if plain.endswith("building/ID") else names[-1].rpartition("/")[2]
    return f"{kind.removesuffix('at')} {re.sub(r'[.][0-9]+[.][0-9a-f]{8}$', '', name)}"
