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


ASSISTED = """
import os, signal, threading
from capsula.effects.beside import assistant
ours = os.getpid()
def serve(told):
    known = next(told)
    for question in told:
        {serving}
        yield question, (known, os.getpid() == ours)
{before}
it = assistant(serve)
if it is None:
    print("nobody")
else:
    it.tell({told})
    it.ask(1, 2)
    print(*(it.answer(question) for question in {asked}))
    it.close()
    print(it.answer(1))
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("alone")
"""
LONG = 3_000_000
"""More than a pipe holds."""
A_THREAD = "end = threading.Event(); threading.Thread(target=end.wait, daemon=True).start()"


@pytest.mark.parametrize(
    ("serving", "before", "told", "asked", "answers"),
    [
        pytest.param("", "", "'it'", "(1, 2, 3)", ["('it', False) ('it', False) ('it', False)", "None"], id="in order"),
        pytest.param("", "", "'it'", "(3, 2, 1)", ["('it', False) ('it', False) ('it', False)", "None"], id="disorder"),
        pytest.param("", "", "'it'", "()", ["", "None"], id="unwanted"),
        pytest.param("known = len(known)", "", f"'x' * {LONG}", "(1,)", [f"({LONG}, False)", "None"], id="told much"),
        pytest.param("known = len(known * 9)", "", f"'x' * {LONG}", "()", ["", "None"], id="much unwanted"),
        pytest.param("1 / (2 - question)", "", "'it'", "(1, 2, 3)", ["('it', False) None None", "None"], id="raises"),
        pytest.param("known = lambda: 1", "", "'it'", "(1, 2)", ["None None", "None"], id="not to be pickled"),
        pytest.param("os.kill(os.getpid(), 9)", "", "'it'", "(2, 1)", ["None None", "None"], id="killed"),
        pytest.param(
            "",
            "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            "'it'",
            "(1,)",
            ["('it', False)", "None"],
            id="reaped by nobody",
        ),
        pytest.param("", A_THREAD, "'it'", "(1,)", ["nobody"], id="threads"),
        pytest.param("", "os.sched_setaffinity(0, {0})", "'it'", "(1,)", ["nobody"], id="one processor"),
    ],
)
def test_an_assistant_answers_or_is_known_to_be_gone(
    serving: str, before: str, told: str, asked: str, answers: list[str]
) -> None:
    script = ASSISTED.format(serving=serving or "pass", before=before, told=told, asked=asked)

    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.stdout.splitlines(), done.stderr) == ([*answers, "alone"], "")
