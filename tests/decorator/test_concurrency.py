"""Decorated calls in threads, tasks and other processes."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import capsula
from tests.calls import after, afters, befores, capsules, run, values


def test_calls_in_threads_are_of_their_own(root: Path) -> None:
    ready = threading.Barrier(4)

    @capsula.monitor(root, include_return_value=True)
    def call(number: int) -> int:
        ready.wait()
        capsula.record("number", number)
        ready.wait()
        return number

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(call, range(4)))

    assert answers == [0, 1, 2, 3]
    assert sorted((record["return_value"], record["records"]["number"]) for record in afters(root)) == [
        (number, number) for number in range(4)
    ]
    assert [record["capsula"].get("parent") for record in befores(root)] == [None] * 4


def test_calls_in_tasks_are_of_their_own(root: Path) -> None:
    @capsula.monitor(root, include_return_value=True)
    async def call(number: int) -> int:
        await asyncio.sleep(0)
        capsula.record("number", number)
        await asyncio.to_thread(capsula.record, "twice", 2 * number)
        return number

    async def main() -> list[int]:
        return await asyncio.gather(*map(call, range(4)))

    answers = asyncio.run(main())

    assert answers == [0, 1, 2, 3]
    assert sorted((record["return_value"], *record["records"].values()) for record in afters(root)) == [
        (number, number, 2 * number) for number in range(4)
    ]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_calls_in_a_pool_of_processes_have_a_capsule_each(root: Path, method: str) -> None:
    source = """
import multiprocessing, capsula
@capsula.monitor(include_return_value=True)
def square(number):
    return number * number
if __name__ == "__main__":
    with multiprocessing.get_context(METHOD).Pool(2) as pool:
        print(pool.map(square, range(6)))
""".replace("METHOD", repr(method))

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 4, 9, 16, 25]\n", "")
    assert sorted(map(int, map(str, values(root)))) == [0, 1, 4, 9, 16, 25]


def test_a_decorated_function_runs_in_a_process_pool(root: Path) -> None:
    source = """
import capsula
from concurrent.futures import ProcessPoolExecutor
@capsula.monitor(include_return_value=True)
def square(number):
    return number * number
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(4))))
"""

    done = run(root, source)

    assert (done.stdout, done.stderr) == ("[0, 1, 4, 9]\n", "")
    assert sorted(map(str, values(root))) == ["0", "1", "4", "9"]


def test_what_a_task_sets_in_its_context_stays_as_undecorated(root: Path) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")

    @capsula.monitor(root)
    async def call(word: str) -> None:
        variable.set(variable.get() + word)
        await asyncio.sleep(0)
        variable.set(variable.get() + word)

    @capsula.monitor(root)
    async def numbers() -> AsyncGenerator[int, None]:
        variable.set(variable.get() + "c")
        yield 1
        variable.set(variable.get() + "d")

    async def main() -> str:
        await call("a")
        await asyncio.create_task(call("b"))
        async for _ in numbers():
            pass
        return variable.get()

    assert asyncio.run(main()) == "aacd"


def test_a_cancelled_task_is_cancelled(root: Path) -> None:
    @capsula.monitor(root)
    async def call() -> None:
        await asyncio.Event().wait()

    async def main() -> bool:
        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
    ended = after(root)
    assert (ended["exception_info"]["error_type"], ended["capsula"]["status"]) == ("CancelledError", "interrupted")


def test_a_forked_child_has_its_own_name_in_what_it_opens(root: Path) -> None:
    source = """
import os, capsula
@capsula.monitor
def call(): return os.getpid()
parent = call()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, str(call()).encode())
    os._exit(0)
print(parent, os.read(read, 99).decode())
os.wait()
"""

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert [str(record["capsula"]["process"]["pid"]) for record in befores(root)] == done.stdout.split()


def test_a_forked_child_records_and_only_the_parent_closes(root: Path) -> None:
    source = """
import os, capsula
@capsula.monitor(include_return_value=True)
def call():
    child = os.fork()
    capsula.record("child" if child == 0 else "parent", capsula.get_capsule_name())
    if child:
        os.waitpid(child, 0)
        capsula.record("closed", (capsula.get_capsule_dir() / "post-run-info.json").exists())
    return "child" if child == 0 else "parent"
print(call())
"""

    done = run(root, source)

    (directory,) = capsules(root)
    assert (done.stdout, done.stderr) == ("child\nparent\n", "")
    assert after(root)["records"] == {"child": directory.name, "parent": directory.name, "closed": False}
    assert values(root) == ["parent"]


def test_a_call_in_an_interpreter_inside_of_the_process_is_recorded(root: Path) -> None:
    (root / "within.py").write_text(
        "import capsula\n@capsula.monitor(include_return_value=True)\ndef call(): return 'within'\ncall()\n"
    )
    source = """
import signal, sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    inner = interpreters.create("legacy")
else:
    import _xxsubinterpreters as interpreters
    inner = interpreters.create(isolated=False)
signal.signal(signal.SIGALRM, lambda *_: None)
trouble = interpreters.run_string(inner, f"import sys; sys.path[:] = {sys.path}; import within")
assert trouble is None, trouble
"""

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert values(root) == ["within"]
