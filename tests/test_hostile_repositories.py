"""Repositories that want to run a program, or to be taken for another: nothing of theirs runs in any command."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repositories import commit, git, repository, write
from tests.running import PATIENCE, PLAIN, capsula, capsules, document, environment, faults, only_capsule

STRANGER = 65_432
CONFIGURATION = PLAIN.replace("include-source = false", "include-source = true").encode()
ATTRIBUTES = b"* diff=x filter=x merge=x\n*.ipynb diff=y filter=y\n"

SETTINGS = (
    *("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.gitProxy", "core.askPass"),
    *("core.alternateRefsCommand", "diff.external", "diff.x.textconv", "diff.x.command", "diff.y.textconv"),
    *("filter.x.clean", "filter.x.smudge", "filter.x.process", "filter.y.clean", "filter.y.smudge"),
    *("merge.x.driver", "interactive.diffFilter", "pager.diff", "pager.status", "gpg.program", "credential.helper"),
    *("remote.origin.uploadpack", "remote.origin.vcs", "uploadpack.packObjectsHook", "sequence.editor"),
    *("alias.status", "alias.diff", "alias.fetch", "submodule.inner.update"),
)
"""Keys by which git is told of programs to run."""

HOOKS = ("post-checkout", "post-index-change", "pre-commit", "reference-transaction", "fsmonitor-watchman", "update")

COMMANDS = (
    ("capture",),
    ("monitor", "true"),
    ("list",),
    ("list", "--json"),
    ("show", "@"),
    ("show", "--json", "@"),
    ("verify", "@"),
    ("diff", "@1", "@"),
    ("list",),
    ("checkout", "--fetch", "@", "../again"),
    ("reproduce", "--plan", "--no-rebuild", "@"),
    ("reproduce", "--no-rebuild", "--fetch", "--into", "../anew", "@"),
)
"""All that looks at a repository, each after what it needs; ``@`` is the run."""


def hostile(top: Path, canary: Path) -> None:
    """Have everything in a repository that can name a program, name one that leaves a canary."""
    program = canary.with_name("program")
    if not program.exists():
        program.write_text(f"#!/bin/sh\ntouch '{canary}'\ncat\n")
        program.chmod(0o755)
    for key in SETTINGS:
        git(top, "config", key, f"!{program}" if key.startswith(("alias", "submodule")) else os.fspath(program))
    git(top, "config", "remote.origin.url", f"ext::{program}")
    git(top, "config", "remote.other.url", f"ssh://-oProxyCommand={program}/x")
    git(top, "config", "core.hooksPath", os.fspath(hooks(top / ".git" / "evil", program)))
    hooks(top / ".git" / "hooks", program)
    (top / ".git" / "more").write_text(f"[core]\n\tfsmonitor = {program}\n[diff]\n\texternal = {program}\n")
    git(top, "config", "include.path", "more")
    git(top, "config", f"includeIf.gitdir:{top}/.path", "more")
    (top / ".git" / "info").mkdir(exist_ok=True)
    (top / ".git" / "info" / "attributes").write_bytes(ATTRIBUTES)


def hooks(folder: Path, program: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in HOOKS:
        shutil.copy(program, folder / name)
    return folder


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def top(tmp_path: Path, canary: Path) -> Path:
    """A hostile repository with a hostile submodule, an embedded bare one, and changes of every kind."""
    inner = repository(tmp_path / "inner", {"i": b"i\n", ".gitattributes": ATTRIBUTES})
    files = {"a": b"a\n", "b.ipynb": b"b\n", ".gitattributes": ATTRIBUTES, "capsula.toml": CONFIGURATION}
    top = repository(tmp_path / "top", {**files, ".gitignore": b"vault\n"})
    git(top, "submodule", "--quiet", "add", os.fspath(inner), "sub")
    git(tmp_path, "clone", "--quiet", "--bare", os.fspath(inner), os.fspath(top / "bare"))
    commit(top)
    write(
        top, {"a": b"changed\n", "b.ipynb": b"changed\n", "new": b"new\n", "sub/i": b"changed\n", "sub/new": b"new\n"}
    )
    git(top, "add", "new")
    os.utime(top / ".gitattributes", (1, 1))
    hostile(top, canary)
    module = top / ".git" / "modules" / "sub"
    for config in (module / "config", top / "bare" / "config"):
        with config.open("a") as stream:
            stream.write((top / ".git" / "config").read_text().partition("[core]")[2].partition("[submodule")[0])
    for folder in (module / "hooks", top / "bare" / "hooks"):
        hooks(folder, canary.with_name("program"))
    return top


def test_git_itself_would_run_what_the_repository_names(top: Path, canary: Path) -> None:
    git(top, "diff", check=False)

    assert canary.exists()


@pytest.mark.slow
def test_no_command_runs_what_a_repository_names(top: Path, canary: Path, tmp_path: Path) -> None:
    done = [capsula(*words, cwd=top, **apart(tmp_path)) for words in COMMANDS]
    inside = capsula("-C", "..", "capture", cwd=top / "bare", **apart(tmp_path))

    assert [it.args[4:] for it in (*done, inside) if it.returncode != 0] == []
    assert not canary.exists()
    assert (tmp_path / "again/a").read_bytes() == (tmp_path / "anew/tree/a").read_bytes() == b"changed\n"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_no_program_is_started_but_those_that_capsula_means(top: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    tracing = ("strace", "-ff", "-qq", "-A", "-e", "trace=execve", "-e", "signal=none", "-o", str(trace))

    for words in (("monitor", "true"), ("verify", "@"), ("checkout", "@", "../again"), ("reproduce", "--no-rebuild")):
        subprocess.run(
            [*tracing, sys.executable, "-P", "-m", "capsula", *words],
            cwd=top,
            env=environment(**apart(tmp_path)),
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )

    calls = "".join(it.read_text() for it in tmp_path.glob("trace.*"))  # one for each process: none breaks in on a line
    started = re.findall(r'execve\("([^"]*)".* = 0$', calls, re.MULTILINE)
    assert {Path(it).name for it in started} == {Path(sys.executable).name, "uname", "sh", "true"}


def apart(tmp_path: Path) -> dict[str, str]:
    """Return where a user lives who has neither a configuration nor a cache yet."""
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "none")}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
def test_the_repository_of_another_user_is_read_only_where_git_would_read_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, {"capsula.toml": b"[capture.git.repositories]\nother = '../other'\n" + CONFIGURATION})
    other = repository(tmp_path / "other", {"a": b"a\n"})
    write(other, {"new": b"new\n"})
    for path in (other, *other.rglob("*")):
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)

    refused = capsula("capture", cwd=root, **apart(tmp_path))
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {other}\n")
    read = capsula("capture", cwd=root, **apart(tmp_path))

    first, second = (document(capsule, "context.json") for capsule in capsules(root))
    assert (refused.returncode, read.returncode) == (0, 0)
    assert {(place, kind) for place, kind in faults(first) if "git" in place} == {(("git", "other"), "not trusted")}
    assert f"git config --global --add safe.directory {other}" in refused.stderr
    assert "other" not in first["source"]
    assert second["git"]["other"]["sha"] == second["source"]["other"]["head"]
    assert faults(second) == []


def test_the_files_of_a_work_tree_elsewhere_are_none_of_a_repositorys(tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {"a": b"a\n", "capsula.toml": CONFIGURATION})
    write(tmp_path, {"private/secret": b"private words", "private/a": b"private words"})
    git(root, "config", "core.worktree", os.fspath(tmp_path / "private"))

    done = capsula("monitor", "true", cwd=root, **apart(tmp_path))

    capsule = only_capsule(root)
    context = document(capsule, "context.json")
    kept = [path for path in capsule.rglob("*") if path.is_file() and b"private words" in path.read_bytes()]
    assert (done.returncode, context["git"], kept) == (0, {}, [])
    assert "core.worktree leads elsewhere" in {kind for _, kind in faults(context)}
