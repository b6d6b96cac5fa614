"""What is done beside is done by a child that is gone afterwards, or else by us."""

import subprocess
import sys

import pytest

from tests.running import PATIENCE, environment

SCRIPT = """
import os, signal, threading
from capsula.effects.beside import beside
ours = os.getpid()
def work():
    {work}
{before}
with beside(work) as answer:
    told = answer()
print(told == ours, type(told).__name__)
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("alone")
"""


@pytest.mark.parametrize(
    ("work", "before", "told"),
    [
        pytest.param("return os.getpid()", "", "False int", id="plain"),
        pytest.param("return {'a': (os.getpid(), b'\\xff' * 200_000)}", "", "False dict", id="long"),
        pytest.param("return os.getpid()", "signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "False int", id="reaped"),
        pytest.param("return os.getpid() if os.getpid() == ours else 1 / 0", "", "True int", id="raises"),
        pytest.param("return ours if os.getpid() == ours else os.kill(os.getpid(), 9)", "", "True int", id="killed"),
        pytest.param("return ours if os.getpid() == ours else print", "", "True int", id="not plain"),
        pytest.param(
            "return os.getpid()",
            "end = threading.Event(); threading.Thread(target=end.wait, daemon=True).start()",
            "True int",
            id="threads",
        ),
    ],
)
def test_a_work_is_answered_whatever_becomes_of_the_child(work: str, before: str, told: str) -> None:
    script = SCRIPT.format(work=work, before=before)

    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.stdout.splitlines(), done.stderr) == ([told, "alone"], "")


def test_an_answer_that_nobody_wants_is_not_waited_for() -> None:
    script = """
import os
from capsula.effects.beside import beside
with beside(lambda: b"x" * 10_000_000):
    pass
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("alone")
"""

    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.stdout, done.stderr) == ("alone\n", "")
