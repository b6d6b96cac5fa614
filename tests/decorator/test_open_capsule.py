"""Which capsule is open, for whoever records into it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import capsula
from tests.calls import afters, befores, capsules, run


def test_the_innermost_call_is_the_one_that_is_open(root: Path) -> None:
    seen = []

    @capsula.monitor(root)
    def inner() -> None:
        seen.append(capsula.get_capsule_name())
        capsula.record("who", "inner")

    @capsula.monitor(root)
    def outer() -> None:
        seen.append(capsula.get_capsule_name())
        inner()
        seen.append(capsula.get_capsule_name())
        capsula.record("who", "outer")

    outer()

    first, second = (path.name for path in capsules(root))
    assert seen == [first, second, first]
    assert [record["records"] for record in afters(root)] == [{"who": "outer"}, {"who": "inner"}]
    with pytest.raises(capsula.CapsulaError, match="no capsule is open here"):
        capsula.get_capsule_dir()


def test_between_the_steps_of_a_generator_its_caller_is_who_is_open(root: Path) -> None:
    @capsula.monitor(root)
    def generator() -> Generator[Path, None, None]:
        yield capsula.get_capsule_dir()
        yield capsula.get_capsule_dir()

    @capsula.monitor(root)
    def caller() -> list[Path]:
        seen = []
        for inside in generator():
            seen += [inside, capsula.get_capsule_dir()]
        return seen

    seen = caller()
    steps = generator()
    next(steps)

    with pytest.raises(capsula.CapsulaError, match="no capsule is open here"):
        capsula.get_capsule_dir()
    steps.close()
    outer, inner, _ = capsules(root)
    assert seen == [inner, outer] * 2


def test_a_thread_belongs_to_the_call_that_started_it(root: Path) -> None:
    opened, ended = threading.Event(), threading.Event()

    @capsula.monitor(root)
    def inner() -> None:
        opened.set()
        ended.wait(30)
        _in_a_thread(lambda: capsula.record("who", "inner"))

    @capsula.monitor(root)
    def outer() -> None:
        def watch() -> None:
            opened.wait(30)
            capsula.record("who", "outer")
            ended.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        inner()
        watcher.join()

    outer()

    assert [record["records"] for record in afters(root)] == [{"who": "outer"}, {"who": "inner"}]


def test_a_call_in_a_thread_is_inside_of_no_call_that_happens_to_run(root: Path) -> None:
    opened, ended = threading.Event(), threading.Event()

    @capsula.monitor(root)
    def long() -> None:
        opened.set()
        ended.wait(30)

    @capsula.monitor(root)
    def short() -> None: ...

    thread = threading.Thread(target=long)
    thread.start()
    opened.wait(30)
    _in_a_thread(short)
    ended.set()
    thread.join()

    assert [record["capsula"].get("parent") for record in befores(root)] == [None, None]


def test_a_thread_that_is_started_between_the_steps_of_a_generator_is_its_callers(root: Path) -> None:
    @capsula.monitor(root)
    def generator() -> Iterator[None]:
        yield

    @capsula.monitor(root)
    def caller() -> None:
        for _ in generator():
            _in_a_thread(lambda: capsula.record("who", "caller"))

    caller()

    assert [record["records"] for record in afters(root)] == [{"who": "caller"}, {}]


def test_a_thread_that_was_there_before_belongs_to_no_call(root: Path) -> None:
    asked, answered = threading.Event(), threading.Event()
    seen: list[str] = []

    def bystander() -> None:
        asked.wait(30)
        try:
            seen.append(str(capsula.get_capsule_dir()))
        except capsula.CapsulaError as error:
            seen.append(error.faults[0].kind)
        answered.set()

    thread = threading.Thread(target=bystander)
    thread.start()

    @capsula.monitor(root)
    def call() -> None:
        asked.set()
        answered.wait(30)

    call()
    thread.join()

    assert seen == ["no capsule"]


def test_where_it_is_doubtful_which_call_a_thread_belongs_to_it_is_told(root: Path) -> None:
    together = threading.Barrier(2)
    told: list[type[Warning]] = []

    @capsula.monitor(root)
    def call(*, asks: bool) -> None:
        together.wait(30)
        if asks:
            with pytest.warns(capsula.CapsulaWarning, match="any of several monitored calls") as warned:
                _in_a_thread(lambda: capsula.record("who", "?"))
            told.extend(each.category for each in warned)
        together.wait(30)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda asks: call(asks=asks), [True, False]))

    assert told == [capsula.CapsulaWarning]
    assert [record["records"] for record in afters(root)] == [{}, {}]


def _in_a_thread(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_records_reach_the_capsule_of_a_monitored_command(root: Path) -> None:
    (root / "script.py").write_text(
        """
import capsula
capsula.record("who", capsula.get_capsule_name())
@capsula.monitor
def call():
    capsula.record("who", capsula.get_capsule_name())
call()
"""
    )
    command = [sys.executable, "-m", "capsula", "monitor", sys.executable, "script.py"]

    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    command_capsule, call_capsule = capsules(root)
    assert (done.returncode, done.stdout) == (0, "")
    assert [record["records"] for record in afters(root)] == [
        {"who": command_capsule.name},
        {"who": call_capsule.name},
    ]
    outer, inner = befores(root)
    assert inner["capsula"]["parent"] == outer["capsula"]["id"]


def test_without_a_capsule_recording_does_nothing(root: Path) -> None:
    done = run(root, "import capsula\ncapsula.record('x', 1)\n", "-W", "error")

    assert (done.returncode, done.stderr) == (0, "")
    assert not (root / "vault").exists()


def test_a_call_without_a_capsule_still_has_a_directory_and_a_name(root: Path) -> None:
    (root / "capsula.toml").write_text('vault-directory = "blocked"\n')
    (root / "blocked").write_text("")
    source = """
import capsula

@capsula.monitor
def work() -> None:
    capsula.record("loss", 1)
    (capsula.get_capsule_dir() / "figure.png").write_text("drawn")
    print(capsula.get_capsule_dir() / capsula.get_capsule_name())

work()
"""

    done = run(root, source, environ={"TMPDIR": str(root)})

    place = Path(done.stdout.strip()).parent
    assert (done.returncode, place.parent, place.name) == (0, root, Path(done.stdout.strip()).name)
    assert (place / "figure.png").read_text() == "drawn"
    assert str(root / "blocked") in done.stderr
    assert str(place) in done.stderr
