"""Capsules of version 0.0.21 are as good as what they hold, and say what they lack."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.old_capsules import call, captured, run
from tests.repositories import commit, git, repository, tree, write
from tests.running import capsula
from tests.sources import untouched

SETTINGS = b"[capture]\ninclude-cpu = false\n"
PROGRAM = b"""
import os, sys
open("out/result.txt", "w").write(open("data.csv").read() + os.environ["LISTED"])
print("caf\\u00e9", sys.argv[1:])
"""
UNRECORDED = "project: Capsula 0.0.21 did not record untracked and staged files"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose program was edited, and reads a file that git ignores."""
    files = {
        "main.py": b"\n",
        "capsula.toml": SETTINGS,
        "out/here": b"",
        ".gitignore": b"vault/\ndata.csv\nresult.txt\n",
    }
    root = repository(tmp_path / "project", files)
    write(root, {"main.py": PROGRAM, "data.csv": b"1,2\n", "out/result.txt": b"1,2\nthen"})
    return root


def old_run(root: Path) -> Path:
    capsule = captured(root, "old", ("data.csv",), {"HOME": "/home/of/then", "LISTED": "then"})
    return run(capsule, root, (sys.executable, "main.py", "x"), "café ['x']\n", ("out/result.txt",))


def went_on(root: Path) -> None:
    """Change all that was not kept, and commit it."""
    shutil.rmtree(root / "out")
    write(root, {"main.py": b"raise SystemExit(9)\n", "data.csv": b"changed\n"})
    commit(root)


def reproduced(root: Path, *words: str) -> tuple[int, dict[str, Any]]:
    cache = os.fspath(root.parent / "cache")
    done = capsula("reproduce", "--trust", "--json", *words, "old", cwd=root, XDG_CACHE_HOME=cache, LISTED="now")
    return done.returncode, json.loads(done.stdout)


def test_a_run_is_brought_back_from_the_commit_and_the_patch(project: Path) -> None:
    old_run(project)
    went_on(project)
    before = untouched(project)

    status, account = reproduced(project)

    assert (status, account["verdict"]) == (0, "identical")
    assert account["judged"] == ["exit status", "stdout", "1 output file"]
    assert {suspect["facet"] for suspect in account["context"]["suspects"]} >= {"determinism", "environment"}
    assert untouched(project) == before


def test_another_result_than_then_is_different(project: Path) -> None:
    old = old_run(project)
    after = old / "post-run-info.json"
    after.write_text(after.read_text().replace("caf", "kaf"))
    (old / "result.txt").write_text("other")

    status, account = reproduced(project)

    assert (status, account["verdict"], account["outputs"]["out/result.txt"]["grade"]) == (1, "different", "different")
    assert (account["stdout"]["grade"], account["stdout"]["judged"]) == ("different", True)


def test_a_plan_tells_what_comes_from_where_and_what_was_not_recorded(project: Path) -> None:
    old_run(project)

    done = capsula("reproduce", "--plan", "old", cwd=project, SECRET_TOKEN="hidden")

    assert done.returncode == 0
    assert ", the patch to it (Capsula 0.0.21 did not record untracked and staged files)" in done.stdout
    assert f"    from {project}/.git\n    apply project.diff\n" in done.stdout
    assert "set the environment (only the configured variables were recorded)" in done.stdout
    assert "LISTED=then" in done.stdout
    assert "hidden" not in done.stdout


def test_the_source_is_checked_out(project: Path, tmp_path: Path) -> None:
    old_run(project)
    there = {**tree(project)}
    went_on(project)

    done = capsula("checkout", "old", "../again", cwd=project)

    assert (done.returncode, done.stderr) == (1, f"capsula: not restored: {UNRECORDED}\n")
    kept = {path: file for path, file in there.items() if not path.startswith("vault/") and path != "out/result.txt"}
    assert tree(tmp_path / "again") == kept


def test_a_commit_that_is_not_here_is_fetched_without_the_password_in_its_url(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", os.fspath(project), "remote.git")
    old = captured(project, "old", url=os.fspath(tmp_path / "remote.git")).rename(tmp_path / "old")
    context = (old / "context.json").read_text()
    shutil.rmtree(project)
    (tmp_path / "elsewhere").mkdir()

    refused = capsula("checkout", "../old", "again", cwd=tmp_path / "elsewhere")
    fetched = capsula("checkout", "--json", "--fetch", "../old", "again", cwd=tmp_path / "elsewhere")
    (old / "context.json").write_text(context.replace(f"{tmp_path}/remote.git", "https://me:word@host.invalid/x"))
    unknown = capsula("checkout", "--fetch", "../old", "other", cwd=tmp_path / "elsewhere")

    assert (refused.returncode, fetched.returncode, unknown.returncode) == (1, 1, 1)
    assert "--fetch" in refused.stderr
    assert json.loads(fetched.stdout)["fetched"] == [os.fspath(tmp_path / "remote.git")]
    assert (tmp_path / "elsewhere/again/main.py").read_bytes() == PROGRAM
    assert "https://host.invalid/x" in unknown.stderr
    assert "word" not in unknown.stderr


def test_a_binary_change_that_was_not_kept_blocks_until_it_is_given(project: Path, tmp_path: Path) -> None:
    write(project, {"b.bin": b"\0"})
    commit(project)
    write(project, {"b.bin": b"\0\1"})
    run(captured(project, "old"), project, (sys.executable, "-c", "print(open('b.bin').read())"), "\0\1\n")
    write(tmp_path, {"given": b"\0\1"})

    blocked = reproduced(project)
    given = reproduced(project, "--input", f"b.bin={tmp_path / 'given'}")

    assert (blocked[0], blocked[1]["verdict"]) == (4, "blocked")
    assert "b.bin" in blocked[1]["blockers"][0]
    assert (given[0], given[1]["verdict"]) == (0, "identical")


def test_a_change_on_top_of_a_staged_one_blocks(project: Path) -> None:
    write(project, {"main.py": b"print(1)\n"})
    git(project, "add", "main.py")
    write(project, {"main.py": b"print(2)\n"})
    run(captured(project, "old"), project, (sys.executable, "main.py"), "2\n")

    status, account = reproduced(project)

    assert (status, account["verdict"]) == (4, "blocked")
    assert "main.py: its change was made to other content than the commit has" in account["blockers"][0]


def test_a_call_says_that_it_cannot_be_started_again(project: Path) -> None:
    call(captured(project, "old"), project)

    status, account = reproduced(project)

    assert (status, account["blockers"]) == (4, ["Capsula 0.0.21 did not record how the program was started"])


def test_a_program_of_an_old_capsule_is_not_run_without_trust(project: Path) -> None:
    old_run(project)

    assert capsula("reproduce", "old", cwd=project).returncode == 5


@pytest.mark.parametrize(("damage", "status"), [("a patch that is none", 5), ("a repository elsewhere", 1)])
def test_a_damaged_capsule_of_then_is_refused(damage: str, status: int, project: Path) -> None:
    old = old_run(project)
    (old.parent / "x.diff").write_bytes((old / "project.diff").read_bytes())
    if damage == "a patch that is none":
        (old / "project.diff").write_bytes(b"diff --git a/x b/x\nindex 1..2\n@@ x\n")
    else:
        context = json.loads((old / "context.json").read_text())
        context["git"]["../x"] = context["git"].pop("project")
        (old / "context.json").write_text(json.dumps(context))

    done = capsula("checkout", "old", "../again", cwd=project)
    verified = capsula("verify", "old", cwd=project)

    assert (done.returncode, verified.returncode) == (status, 1)
    assert "Traceback" not in done.stderr + verified.stderr
