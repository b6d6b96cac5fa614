"""A decorated call, at any time of a process, leaves it as it was."""

from pathlib import Path

import capsula
from tests.calls import capsules, run, values


def test_a_call_at_the_end_of_the_program_is_recorded(root: Path) -> None:
    source = """
import atexit, capsula
@capsula.monitor(include_return_value=True)
def call(who): return who
@atexit.register
def last(): print(call("atexit"))
"""

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "atexit\n", "")
    assert values(root) == ["atexit"]


def test_what_is_called_while_python_shuts_down_is_called(root: Path) -> None:
    source = """
import builtins, capsula
class Last:
    @capsula.monitor
    def __del__(self): print("deleted")
@capsula.monitor
def steps():
    try: yield
    finally: print("closed")
builtins.last = Last()
suspended = steps()
next(suspended)
"""

    done = run(root, source)

    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["closed", "deleted"])
    assert set(done.stderr.splitlines()) == {"capsula: Python shuts down, and a call could not be recorded any more"}


def test_a_program_that_leaves_at_once_leaves_its_call_open(root: Path) -> None:
    done = run(root, "import os, capsula\n@capsula.monitor\ndef call(): os._exit(7)\ncall()\n")

    (directory,) = capsules(root)
    assert (done.returncode, done.stderr) == (7, "")
    assert not (directory / "post-run-info.json").exists()


def test_daemon_threads_do_not_disturb_the_end_of_the_program(root: Path) -> None:
    source = """
import threading, capsula
called = threading.Event()
@capsula.monitor
def call(): called.set()
def forever():
    while True: call()
threading.Thread(target=forever, daemon=True).start()
called.wait(30)
"""

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_function_can_be_decorated_and_called_in_a_directory_that_is_gone(root: Path) -> None:
    source = """
import capsula, os
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
@capsula.monitor(ROOT, include_return_value=True)
def call(): return 1
@capsula.monitor("somewhere")
def lost(): return 2
exec(compile("@capsula.monitor(include_return_value=True)\\ndef prompted(): return 3", "<stdin>", "exec"))
print(call(), lost(), prompted())
""".replace("ROOT", repr(str(root)))

    done = run(root, source, environ={"PWD": f"{root}/gone"})

    assert (done.returncode, done.stdout) == (0, "1 2 3\n")
    assert values(root) == [1, 3]
    assert [done.stderr.count(told) for told in ("cannot be used", "the working directory was removed")] == [1, 2]


def test_importing_and_calling_leave_the_process_as_it_was(root: Path) -> None:
    source = """
import atexit, locale, logging, os, random, signal, structlog, sys, threading, warnings
structlog.configure(processors=[structlog.processors.JSONRenderer()])
try:
    import numpy
    numbers = lambda: [part.tolist() if hasattr(part, "tolist") else part for part in numpy.random.get_state()]
except ImportError:
    numbers = lambda: None
def umask():
    return [line for line in open("/proc/self/status") if line.startswith("Umask")]
def state():
    return {
        "random": random.getstate(), "numpy": numbers(), "handlers": logging.root.handlers[:],
        "level": logging.root.level, "loggers": sorted(logging.root.manager.loggerDict),
        "disabled": logging.root.manager.disable, "signals": {s: signal.getsignal(s) for s in signal.valid_signals()},
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()), "filters": warnings.filters[:],
        "cwd": os.getcwd(), "path": sys.path[:], "environ": dict(os.environ), "umask": umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "hooks": (sys.excepthook, sys.unraisablehook, sys.getrecursionlimit()),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "structlog": structlog.get_config(), "threads": threading.enumerate(), "exits": atexit._ncallbacks(),
        "generators": tuple(sys.get_asyncgen_hooks()), "trace": (sys.gettrace(), sys.getprofile()),
    }
before = state()
import capsula
@capsula.monitor(strict=True)
def call(): return 1
call(); call()
after = state()
assert before == after, [(name, before[name], after[name]) for name in before if before[name] != after[name]]
"""
    (root / "capsula.toml").write_text("")

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(capsules(root)) == 2


def test_a_call_imports_nothing_that_it_does_not_need(root: Path) -> None:
    strangers = ("torch", "numpy", "pandas", "tensorflow", "jax")
    for name in strangers:
        (root / f"{name}.py").write_text("raise SystemExit('imported')")
    source = f"""
import sys, capsula
@capsula.monitor(strict=True)
def call(): return 1
call()
unwanted = {{"structlog", "cpuinfo", "asyncio", "rich", "multiprocessing", *{strangers}}} & set(sys.modules)
assert not unwanted, unwanted
"""
    (root / "capsula.toml").write_text("")

    done = run(root, source)

    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_package_imports_nothing_heavy(root: Path) -> None:
    source = """
import sys, capsula
heavy = {"attrs", "attr", "pygit2", "structlog", "cattrs", "asyncio", "returns", "tomli", "inspect", "cpuinfo"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert set(capsula.__all__) <= set(dir(capsula))
"""

    # The files of ``site-packages`` may import what they like when Python starts.
    done = run(root, source, "-S", environ={"PYTHONPATH": str(Path(capsula.__file__).parents[1])})

    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_forks_in_the_decorated_process(root: Path) -> None:
    source = """
import os, sys, capsula
forks = []
os.register_at_fork(before=lambda: forks.append("fork"))
sys.addaudithook(lambda event, _: forks.append(event) if event in ("os.fork", "os.forkpty", "os.posix_spawn") else None)
@capsula.monitor
def call(): return 1
call()
print(forks)
"""
    (root / "capsula.toml").write_text("")

    done = run(root, source)

    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
