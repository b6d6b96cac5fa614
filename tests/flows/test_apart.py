"""What is read apart is what we would have read ourselves, and where it cannot be, we do."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.repositories import commit, git, repository, write
from tests.running import PLAIN, capsula, document, files, only_capsule, python
from tests.sources import published

APART = """
import sys
from capsula.__main__ import main
sys.argv = ["capsula", "capture"]
try:
    main()
except SystemExit:
    pass
print("pygit2" in sys.modules, file=sys.stderr)
"""
OURSELVES = """
import sys
from capsula.cli.main import run
run(["capture"])
print("pygit2" in sys.modules, file=sys.stderr)
"""
SCANT = """
import sys
from capsula.flows.apart import Apart
with Apart(most=10_000) as apart:
    from capsula.cli.main import run
    run(["capture"], apart)
print("pygit2" in sys.modules, file=sys.stderr)
"""
AFTER = """
import os
from pathlib import Path
from capsula.flows.apart import Apart
with Apart() as apart:
    (child,) = Path(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read_text().split()
    {what}
    from capsula.cli.main import run
    run(["capture"], apart)
"""
CONFIGURATION = PLAIN.replace("include-source = false\n", "")


def clean(root: Path) -> None:
    published(root)


def changed(root: Path) -> None:
    published(root)
    write(root, {"a.txt": b"staged\n", "new/b.txt": b"untracked\n", "binary": bytes(range(256)) * 40})
    git(root, "add", "a.txt", "binary")
    write(root, {"a.txt": b"edited\n", ".env": b"KEY=1\n"})
    write(root, {"code.py": b"aws = 'AKIA" + b"QWERTYUIOPASDFGH'\n"})


def unpublished(root: Path) -> None:
    write(root, {"a.txt": b"edited\n"})


def kept_before(root: Path) -> None:
    assert capsula("capture", cwd=root, XDG_CACHE_HOME=str(root.parent / "before")).returncode == 0


def nested(root: Path) -> None:
    repository(root / "inner", {"c.txt": b"c\n"})
    write(root / "inner", {"c.txt": b"edited\n"})
    sub = repository(root.parent / "sub", {"s.txt": b"s\n"})
    git(root, "submodule", "--quiet", "add", os.fspath(sub), "sub")
    commit(root)


def torn(root: Path) -> None:
    index = root / ".git/index"
    index.write_bytes(index.read_bytes()[:40])


def without_git(root: Path) -> None:
    (root / ".git").rename(root.parent / "git")


@pytest.mark.parametrize("prepare", [clean, changed, unpublished, kept_before, nested, torn, without_git])
def test_the_capsule_is_the_same_and_libgit2_is_loaded_by_the_child_alone(
    prepare: Callable[[Path], None], tmp_path: Path
) -> None:
    root = project(tmp_path)
    prepare(root)

    one, other = captured(root, APART, tmp_path / "one"), captured(root, OURSELVES, tmp_path / "other")

    assert one == other
    assert (loaded(root, APART), loaded(root, OURSELVES)) == ("False", "True")


def test_what_is_too_much_for_an_answer_is_read_by_ourselves(tmp_path: Path) -> None:
    root = project(tmp_path)
    published(root)
    write(root, {"a.txt": b"a line\n" * 10_000})

    one, other = captured(root, SCANT, tmp_path / "one"), captured(root, OURSELVES, tmp_path / "other")

    assert one == other
    assert loaded(root, SCANT) == "True"


@pytest.mark.parametrize("what", ["os.kill(int(child), 9)", "apart.dismiss()", "apart.close()"])
def test_whatever_becomes_of_the_child_the_capsule_is_the_same(what: str, tmp_path: Path) -> None:
    root = project(tmp_path)
    changed(root)

    one, other = captured(root, AFTER.format(what=what), tmp_path / "one"), captured(root, APART, tmp_path / "other")

    assert one == other


@pytest.mark.parametrize("processors", ["all of them", "one"])
def test_a_repository_that_nobody_can_read_to_its_end_does_not_hold_us(processors: str, tmp_path: Path) -> None:
    root = project(tmp_path)
    os.mkfifo(root / ".gitignore")
    restricted = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})" if processors == "one" else ""
    script = f"""
{restricted}
from capsula.flows.apart import Apart
with Apart(patience=0.2) as apart:
    from capsula.cli.main import run
    run(["monitor", "sh", "-c", "echo it ran"], apart)
"""

    done = python(script, root)

    context = document(only_capsule(root), "context.json")
    assert (done.returncode, done.stdout) == (0, "it ran\n")
    assert [(fault["path"], fault["kind"]) for fault in context["capsula"]["faults"]] == [
        (["git"], "blocked"),
        (["source"], "blocked"),
    ]
    assert (context["cwd"], "git" in context) == (str(root), False)


@pytest.mark.parametrize("words", [["verify", "@"], ["start"]])
def test_no_command_that_looks_waits_for_a_repository_for_ever(words: list[str], tmp_path: Path) -> None:
    root = project(tmp_path)
    capsula("capture", cwd=root)
    os.mkfifo(root / ".gitignore")
    script = f"""
from capsula.cli.ahead import LOOKING
from capsula.flows.apart import Apart
assert {words[0]!r} in LOOKING
with Apart(patience=0.2) as apart:
    from capsula.cli.main import run
    run({words}, apart)
"""

    done = python(script, root)

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "reading the repository was given up" in done.stdout + done.stderr


def test_nothing_of_it_is_left_beside_the_command(tmp_path: Path) -> None:
    root = project(tmp_path)
    look = "for child in $(cat /proc/$PPID/task/$PPID/children); do cat /proc/$child/comm; done"

    done = capsula("monitor", "sh", "-c", look, cwd=root)

    assert ({*done.stdout.split()}, done.stderr) == ({"sh"}, "")


def project(tmp_path: Path) -> Path:
    root = repository(tmp_path / "root", {"a.txt": b"a\n", "capsula.toml": CONFIGURATION.encode()})
    git(root, "tag", "v1", "-m", "first")
    return root


def captured(root: Path, script: str, kept: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the context that a script captures, without what no two have in common, and the files beside it."""
    was = {*vault.iterdir()} if (vault := root / "vault").is_dir() else set()
    loaded(root, script)
    (new,) = {it for it in vault.iterdir() if not it.name.startswith(".")} - was
    told = document(new, "context.json")
    told["capsula"] = {key: told["capsula"].get(key) for key in ("status", "faults", "redacted")}
    return told, {name: (new / name).read_bytes() for name in files(new) - {"context.json"}}


def loaded(root: Path, script: str) -> str:
    """Run a script, and return what it says of libgit2 at the end."""
    done = python(script, root, XDG_CACHE_HOME=os.devnull, PYTHONPATH=None)
    assert done.returncode == 0, done.stderr
    return (done.stderr.splitlines() or [""])[-1]
