"""What a command under Capsula costs, counted and not timed: imports, processes, files, calls of the system, memory."""

import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from time import time

import pytest

from tests.repositories import repository, write
from tests.running import PATIENCE, PLAIN, capsula, document, environment, only_capsule
from tests.tracing import traced

HEAVY = {
    "asyncio",
    "attr",
    "cattrs",
    "click",
    "concurrent.futures",
    "cpuinfo",
    "email",
    "importlib.metadata",
    "logging",
} | {
    "multiprocessing",
    "numpy",
    "rich",
    "sqlite3",
    "structlog",
    "unittest",
    "xml",
}
"""What a run does without where nothing asks for it."""

MIB = 1024 * 1024
FLAT = 64 * MIB
"""What a run may occupy, however much passes through it."""

PEAK = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
assert status == 0
print(usage.ru_maxrss * 1024)
"""
"""Between us and what is measured: a process begins with the peak of the one that started it."""


SETTINGS = b"""
durability = "full"
[capture]
environment-variables = ["HOME"]
pre-capture-time-limit = 10
files."0.txt" = { hash = "sha256" }
git.repositories = { code = "." }
[monitor]
recapture = "all"
item.results.files."1.txt" = { hash = "md5" }
[discretion.rules]
named = true
"""
"""A setting of each kind."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository in which all is captured that is captured by default."""
    root = repository(tmp_path / "root", {f"{number}.txt": b"text\n" for number in range(10)})
    write(root, {"0.txt": b"edited\n", "new.txt": b"new\n", "capsula.toml": SETTINGS})
    return root


def test_a_run_imports_nothing_that_it_does_not_need(root: Path) -> None:
    warm(root)

    imported = imports(root, "monitor", "true")

    assert "pygit2" in imported
    assert HEAVY & imported == set()


def test_to_import_the_package_is_to_import_nothing_else(tmp_path: Path) -> None:
    told = "import sys; before = {*sys.modules}; import capsula; print(*sorted({*sys.modules} - before))"

    done = subprocess.run([sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["capsula"]


@pytest.mark.parametrize("words", [("--help",), ("--version",), ()])
def test_words_about_itself_cost_no_library(words: tuple[str, ...], tmp_path: Path) -> None:
    imported = imports(tmp_path, *words)

    assert (HEAVY | {"json", "pygit2", "returns", "subprocess", "tomli"}) & imported == set()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_a_run_starts_few_processes_and_opens_few_files(root: Path) -> None:
    warm(root)

    calls = calls_of(root, "execve,open,openat", "monitor", "true")

    assert started(calls) <= 6, [call for call in calls if "execve" in call]
    assert sum("open" in call and "ENOENT" not in call for call in calls) <= 900


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
@pytest.mark.parametrize("wish", ['{ hash = "sha256" }', '{ hash = "sha256", copy = true }'])
def test_twice_as_many_files_take_twice_as_many_calls(wish: str, tmp_path: Path) -> None:
    counts = [len(calls_of(many(tmp_path, count, wish), "all", "capture")) for count in (0, 150, 300)]

    none, some, twice = counts
    assert twice - none <= 2.3 * (some - none)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_a_repository_twice_as_large_takes_twice_as_many_calls(tmp_path: Path) -> None:
    warm(tracking(tmp_path, 2))

    counts = [len(calls_of(tracking(tmp_path, count), "all", "monitor", "true")) for count in (1, 150, 300)]

    none, some, twice = counts
    assert twice - none <= 2.3 * (some - none)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_a_tracked_file_is_looked_at_three_times_and_never_opened(tmp_path: Path) -> None:
    root = tracking(tmp_path, 30)
    os.utime(root / ".git/index", (time() + 9, time() + 9))  # git reads what is no older than its index
    warm(root)

    calls = calls_of(root, "%%stat,open,openat", "monitor", "true")

    looked = [call for call in calls if re.search(r'"([^"]*/)?\d+\.txt"', call)]
    assert not [call for call in looked if re.search(r" open(at)?\(", call)]
    assert len(looked) == 3 * 30, "before, after, and by git"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_many_files_reach_the_disk_by_few_calls(tmp_path: Path) -> None:
    calls = calls_of(many(tmp_path, 300, "{ copy = true }"), "fsync,fdatasync,syncfs,sync", "capture")

    assert any("syncfs" in call for call in calls)
    assert len(calls) < 50


def test_what_a_command_prints_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)

    occupied = peak(tmp_path, "monitor", "head", "-c", str(2 * FLAT), "/dev/zero")

    assert document(only_capsule(tmp_path), "post-run-info.json")["logs"]["stdout"]["size"] == 2 * FLAT
    assert occupied < FLAT


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_a_log_is_not_read_again_for_its_hash(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "capsula.toml").write_text(PLAIN)

    opened = [call for call in calls_of(root, "openat", "monitor", "echo", "text") if "stdout.log" in call]

    ways = ["O_CREAT" if "O_CREAT" in call else "O_NOFOLLOW" if "O_NOFOLLOW" in call else "" for call in opened]
    assert ways == ["O_CREAT", "O_NOFOLLOW", ""], "written, read for the record, synchronised"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
@pytest.mark.parametrize(("durability", "told"), [("full", 20 * MIB), ("fast", 0)])
def test_the_disk_begins_to_take_a_large_file_while_it_is_copied(durability: str, told: int, tmp_path: Path) -> None:
    content = bytes(20 * MIB)
    root = tmp_path / "root"
    root.mkdir()
    (root / "big").write_bytes(content)
    wish = 'big = { hash = "sha256", copy = true }'
    (root / "capsula.toml").write_text(f'durability = "{durability}"\n{PLAIN}[capture.files]\n{wish}\n')

    advice = calls_of(root, "fadvise64", "capture")

    assert sum(int(call.split(", ")[2]) for call in advice) == told
    assert document(only_capsule(root), "context.json")["files"]["big"]["file_hash"] == sha256(content).hexdigest()


@pytest.mark.parametrize("wish", ['{ hash = "sha256" }', '{ hash = "sha256", copy = true }'])
def test_a_file_is_never_in_memory_as_a_whole(wish: str, tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}[capture.files]\nbig = {wish}\n")
    with (tmp_path / "big").open("wb") as file:
        file.writelines(bytes(MIB) for _ in range(2 * FLAT // MIB))

    occupied = peak(tmp_path, "capture")

    assert document(only_capsule(tmp_path), "context.json")["files"]["big"]["size"] == 2 * FLAT
    assert occupied < FLAT


def warm(root: Path) -> None:
    """Run once, so that what is remembered from run to run is."""
    done = capsula("monitor", "true", cwd=root, **place(root))
    assert (done.returncode, done.stderr) == (0, "")


def place(root: Path) -> dict[str, str]:
    """Return a cache of our own, and a way to the interpreter that leads through no program of others."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    return {"XDG_CACHE_HOME": str(root.parent / "cache"), "PATH": path}


def imports(root: Path, *words: str) -> set[str]:
    """Return the modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", "-m", "capsula", *words],
        cwd=root,
        env=environment(**place(root)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip() for line in lines}


def calls_of(root: Path, kinds: str, *words: str) -> list[str]:
    """Return the calls of the system that a command makes, and all that it starts."""
    program = (sys.executable, "-P", "-m", "capsula", *words)
    lines = traced(*program, options=("-f", "-e", f"trace={kinds}"), cwd=root, environ=environment(**place(root)))
    return [line for line in lines if "resumed>" not in line or "execve" in line]


def started(calls: list[str]) -> int:
    """Return how many programs were started."""
    return sum("execve" in call and call.endswith("= 0") for call in calls)


def many(folder: Path, count: int, wish: str) -> Path:
    """Make a directory with so many files, which are to be captured."""
    root = folder / str(count)
    root.mkdir()
    (root / "data").mkdir()
    for number in range(count):
        (root / "data" / f"{number}.txt").write_text(f"{number}\n")
    (root / "capsula.toml").write_text(f"{PLAIN}[capture.files]\n" + (f"data = {wish}\n" if count else ""))
    return root


def tracking(folder: Path, count: int) -> Path:
    """Make a repository with so many files."""
    return repository(folder / str(count), {f"{number}.txt": b"text\n" for number in range(count)})


def peak(root: Path, *words: str) -> int:
    """Return the bytes that a command, or what it starts, occupied at most."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, sys.executable, "-P", "-m", "capsula", *words],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return int(done.stdout)
