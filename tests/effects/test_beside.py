"""An assistant answers, or is known to be gone; nothing of it is left."""

import os
from pathlib import Path

import pytest

from tests.running import python

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
    print(it.answer(4))
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
    ],
)
def test_an_assistant_answers_or_is_known_to_be_gone(
    serving: str, before: str, told: str, asked: str, answers: list[str]
) -> None:
    script = ASSISTED.format(serving=serving or "pass", before=before, told=told, asked=asked)

    done = python(script)

    assert (done.stdout.splitlines(), done.stderr) == ([*answers, "alone"], "")


def test_an_assistant_that_is_blocked_is_given_up_and_one_that_computes_only_when_it_is_late(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    script = """
import sys
from time import process_time
from capsula.effects.beside import assistant

def serve(told):
    for question in told:
        while question == "long" and process_time() < 3:
            pass
        yield question, open("pipe").read() if question == "blocked" else question

for limits in ({"patience": 0.5}, {"limit": 1}):
    it = assistant(serve, **limits)
    for question in ("short", "long", "blocked", "short", "other"):
        try:
            print(it.answer(question))
        except TimeoutError:
            print("given up")
    it.close()
"""

    done = python(script, tmp_path)

    blocked = ["short", "long", "given up", "short", "given up"]
    late = ["short", "given up", "given up", "short", "given up"]
    assert (done.stdout.split("\n"), done.stderr) == ([*blocked, *late, ""], "")


@pytest.mark.parametrize("work", ["open('pipe')", "while True: pass"])
def test_an_assistant_ends_with_whoever_it_assists_whatever_it_does(work: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    script = f"""
import os
from capsula.effects.beside import assistant

def serve(told):
    for question in told:
        yield question, os.getpid()
        {work}

it = assistant(serve)
it.ask(1, 2)
it.answer(1)
os.kill(os.getpid(), 9)
"""

    done = python(script, tmp_path)  # returns when nobody has its streams any more

    assert (done.returncode, done.stdout, done.stderr) == (-9, "", "")
