"""A signal may come while Capsula works: its handler is the program's, and so is what it raises."""

from pathlib import Path

import pytest

from tests.calls import LEAN, after, befores, capsules, run, statuses

AT_EVERY_STEP = """
import os, signal, sys
import capsula

@capsula.monitor(include_return_value=True)
def call():
    called.append(True)

def handler(*_):
    heard.append(True)
    raise ERROR("out of time")

def step(event, _):
    steps[0] -= 1
    if steps[0] == 0:
        os.kill(os.getpid(), signal.SIGALRM)

def outcome(number):
    heard.clear(), called.clear()
    steps[0] = number
    try:
        WORK()
    except ERROR as error:
        return str(error), len(called)
    finally:
        steps[0] = 0
    return "lost" if heard else None

steps, heard, called = [0], [], []
WORK()
signal.signal(signal.SIGALRM, handler)
sys.addaudithook(step)
outcomes = []
while (last := outcome(len(outcomes) + 1)) is not None:
    outcomes.append(last)
print(len(outcomes) > 3, *sorted(set(outcomes)), signal.getsignal(signal.SIGALRM) is handler)
"""


@pytest.mark.parametrize("error", ["TimeoutError", "ValueError"])
def test_what_a_handler_raises_during_any_step_reaches_the_caller(root: Path, error: str) -> None:
    done = run(root, AT_EVERY_STEP.replace("ERROR", error).replace("WORK", "call"))

    assert (done.stdout, done.stderr) == ("True ('out of time', 0) ('out of time', 1) True\n", "")
    assert all((capsule / "post-run-info.json").exists() for capsule in capsules(root))
    assert set(statuses(root)) == {"finished", "failed"}
    assert list((root / "vault/.capsula/building").iterdir()) == []


def test_a_storm_of_signals_reaches_the_caller_as_one_exception(root: Path) -> None:
    source = """
import signal, capsula

@capsula.monitor
def call(): ...

def handler(*_):
    heard.append(True)
    if len(heard) == 2:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if len(heard) <= 2:
        raise OSError("out of time")

def outcome():
    heard.clear()
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0007)
            while True: call()
        except BaseException as error:
            first = repr(error)
            if len(heard) < 2: signal.pause()  # the second did not come while the first was on its way
            return first
    except OSError as error:
        return repr(error)

heard = []
call()
signal.signal(signal.SIGALRM, handler)
print({outcome() for _ in range(60)}, signal.getsignal(signal.SIGALRM) is handler)
"""

    done = run(root, source)

    assert (done.stdout, done.stderr) == ("""{"OSError('out of time')"} True\n""", "")


@pytest.mark.parametrize("work", ["load", "collect", "capture"])
def test_what_a_handler_raises_reaches_who_asked_for_the_context(root: Path, work: str) -> None:
    source = AT_EVERY_STEP.replace("ERROR", "TimeoutError").replace("WORK", f"capsula.{work}")

    done = run(root, source)

    assert (done.stdout, done.stderr) == ("True ('out of time', 0) True\n", "")


WHILE_A_VALUE_IS_TOLD = """
import os, signal, capsula

class Alarming(Exception):
    def __repr__(self):
        os.kill(os.getpid(), signal.SIGALRM)
        return "alarming"
    __str__ = __repr__

def handler(*_):
    raise ERROR("out of time")

signal.signal(signal.SIGALRM, handler)

@capsula.monitor(include_return_value=True)
def call(*_):
    print("called", end=" ")
    SAID

try:
    call(GIVEN)
except ERROR as error:
    print(error)
"""


@pytest.mark.parametrize("error", ["TimeoutError", "SystemExit"])
@pytest.mark.parametrize(
    ("given", "said", "told", "status"),
    [
        ("Alarming()", "", "out of time", []),
        ("", "return Alarming()", "called out of time", ["finished"]),
        ("", "raise Alarming", "called out of time", ["failed"]),
        ("", "capsula.record('it', Alarming())", "called out of time", ["failed"]),
    ],
    ids=["an argument", "a returned value", "an exception", "a record"],
)
def test_what_a_handler_raises_while_a_value_is_told_reaches_the_caller(  # noqa: PLR0917
    root: Path, error: str, given: str, said: str, told: str, status: list[str]
) -> None:
    source = WHILE_A_VALUE_IS_TOLD.replace("ERROR", error).replace("GIVEN", given).replace("SAID", said)

    done = run(root, source)

    published = capsules(root) if (root / "vault").exists() else []
    assert (done.stdout, done.stderr) == (f"{told}\n", "")
    assert (statuses(root) if published else []) == status


def test_a_record_that_was_interrupted_says_what_it_lacks(root: Path) -> None:
    source = WHILE_A_VALUE_IS_TOLD.replace("ERROR", "OSError").replace("GIVEN", "").replace("SAID", "return Alarming()")

    run(root, source)

    told = "a signal came while it was recorded"
    assert after(root)["capsula"]["faults"] == [{"path": ["return_value"], "kind": "interrupted", "message": told}]
    assert after(root)["exception_info"] is None


def test_handlers_run_at_once_and_stay_what_they_are_to_the_system(root: Path) -> None:
    source = """
import ctypes, faulthandler, os, signal, sys
import capsula

def action(number):
    told = ctypes.create_string_buffer(1024)
    ctypes.CDLL(None).sigaction(number, None, told)
    return bytes(told[:16] + told[136:140])  # whom it calls, what it blocks, and the flags; the rest is not filled

class Value:
    def __repr__(self):
        os.kill(os.getpid(), signal.SIGUSR1)
        return f"heard {len(heard)}, as ever {actions == [action(number) for number in numbers]}"

class Handlers:
    def method(self, *_): heard.append("method")
    def __call__(self, *_): heard.append("object")

heard, numbers = [], (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
handlers = Handlers().method, Handlers(), lambda *_: None
for number, handler in zip(numbers, handlers):
    signal.signal(number, handler)
signal.siginterrupt(signal.SIGUSR2, False)
faulthandler.register(signal.SIGTERM, open("faults", "w"), chain=True)
actions = [action(number) for number in numbers]

@capsula.monitor
def call(value): os.kill(os.getpid(), signal.SIGUSR2)

call(Value())
assert [signal.getsignal(number) for number in numbers] == [*handlers]
assert [action(number) for number in numbers] == actions
os.kill(os.getpid(), signal.SIGTERM)
print(heard, os.path.getsize("faults") > 0)
"""

    done = run(root, source)

    assert (done.stdout, done.stderr) == ("['method', 'object'] True\n", "")
    assert [record["args"][0]["repr"] for record in befores(root)] == ["heard 1, as ever True"]


def test_a_handler_that_ends_a_command_before_the_call_ends_it_at_once(root: Path) -> None:
    (root / "capsula.toml").write_text(LEAN.replace("[capture]", '[capture]\npre-capture-commands = ["sleep 100"]'))
    source = """
import signal, time, capsula
def handler(*_): raise TimeoutError
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    capsula.monitor(lambda: print("called"))()
except TimeoutError:
    print("out of time")
"""

    done = run(root, source)

    assert (done.stdout, done.stderr) == ("out of time\n", "")
