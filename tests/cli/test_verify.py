"""``capsula verify``, as a person runs it: after something has changed, and after nothing has."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from capsula.core.fault import Json
from tests.old_capsules import captured as old_capsule
from tests.repositories import commit, git, repository, write
from tests.running import capsula, document, only_capsule

CONFIGURATION = b"""
[capture]
include-cpu = false

[capture.files]
"data.csv" = { hash = "sha256" }
"""
FILES = {"main.py": b"print(1)\n", "data.csv": b"1,2\n", "capsula.toml": CONFIGURATION, ".gitignore": b"vault/\n"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = repository(tmp_path / "project", FILES)
    assert capsula("monitor", sys.executable, "main.py", cwd=root, MY_ENV="mine").returncode == 0
    return root


def verdict(root: Path, *words: str, **changes: str | None) -> tuple[int, dict[str, str], str]:
    """Return the exit status, the aspects that do not match, and the headline."""
    done = capsula("verify", "--json", *words, cwd=root, **{"MY_ENV": "mine", **changes})
    told = json.loads(done.stdout)
    aspects = {aspect["aspect"]: aspect["status"] for aspect in told["aspects"] if aspect["status"] != "match"}
    return done.returncode, aspects, told["headline"]


def test_where_nothing_changed_all_matches(project: Path) -> None:
    assert verdict(project) == (
        0,
        {},
        "unchanged: source, inputs, packages, interpreter, environment, determinism, system, cpu",
    )


def test_a_changed_file_of_the_source_is_named_first(project: Path) -> None:
    write(project, {"main.py": b"print(2)\n", "data.csv": b"changed\n"})

    status, aspects, headline = verdict(project)

    assert (status, aspects) == (1, {"source": "drift", "inputs": "drift"})
    assert headline.startswith("source (data.csv changed, main.py changed); also inputs; unchanged: packages, ")


def test_the_same_files_in_another_commit_match(project: Path) -> None:
    write(project, {"main.py": b"print(2)\n"})
    assert capsula("monitor", sys.executable, "main.py", cwd=project, MY_ENV="mine").returncode == 0
    commit(project)

    assert verdict(project)[:2] == (0, {})


def test_an_input_that_is_gone_is_missing(project: Path) -> None:
    git(project, "rm", "--quiet", "--cached", "data.csv")
    (project / "data.csv").unlink()

    status, aspects, _ = verdict(project)

    assert (status, aspects["inputs"]) == (1, "missing")


@pytest.mark.parametrize(
    ("changes", "aspects", "told"),
    [
        ({"MY_ENV": None}, {"environment": "missing"}, "MY_ENV is not set any more"),
        ({"MY_ENV": "other"}, {"environment": "drift"}, "MY_ENV has another value"),
        ({"OMP_NUM_THREADS": "7"}, {"determinism": "drift"}, "OMP_NUM_THREADS is new"),
        ({"TZ": "Asia/Tokyo"}, {"determinism": "drift"}, "TZ is new"),
        ({"SHLVL": "9"}, {}, ""),
    ],
)
def test_a_changed_variable_is_told_by_its_name(
    project: Path, changes: dict[str, str | None], aspects: dict[str, str], told: str
) -> None:
    status, found, headline = verdict(project, **changes)

    assert (status, found) == (1 if aspects else 0, aspects)
    assert told in headline
    assert "other" not in headline.replace("another", "")


def test_another_interpreter_and_its_packages_are_told(project: Path) -> None:
    elsewhere = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    capsule = only_capsule(project)
    context = document(capsule, "context.json")
    packages = context["python_packages"]
    assert isinstance(packages, dict)
    packages["interpreter"]["version"] = f"{elsewhere}.0"
    packages["distributions"]["attrs"]["version"] = "0.1"
    (capsule / "context.json").write_text(json.dumps(context))

    status, aspects, headline = verdict(project)

    assert (status, aspects) == (1, {"packages": "drift", "interpreter": "drift"})
    assert headline.startswith("packages (attrs 0.1 → ")


RUN = b"""
import os
open("out.csv", "w").write("1")
open("tracked.csv", "a").write("2")
os.remove("gone.csv")
open("data.csv", "a").write("3,4")
"""


def test_what_the_run_itself_has_made_is_no_drift_until_it_changes(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", {**FILES, "run.py": RUN, "tracked.csv": b"", "gone.csv": b"1"})
    capsula("monitor", sys.executable, "run.py", cwd=root, MY_ENV="mine")

    done = capsula("verify", cwd=root, MY_ENV="mine")
    (root / "out.csv").write_text("2")
    (root / "gone.csv").write_text("2")
    status, aspects, headline = verdict(root)

    assert done.returncode == 0
    assert [line.split(maxsplit=2) for line in done.stdout.splitlines()[1:3]] == [
        ["source", "match", "data.csv, gone.csv, out.csv and 1 more are as the run left them"],
        ["inputs", "match", "data.csv is as the run left it"],
    ]
    assert (status, aspects) == (1, {"source": "drift"})
    assert headline.startswith("source (gone.csv changed, out.csv changed); unchanged: inputs, ")


def test_after_a_commit_the_files_are_named_and_results_that_were_committed_are_no_drift(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", {**FILES, "run.py": RUN, "tracked.csv": b"", "gone.csv": b"1", "b.py": b""})
    capsula("monitor", sys.executable, "run.py", cwd=root, MY_ENV="mine")
    commit(root)

    committed = verdict(root)
    git(root, "checkout", "--quiet", "-b", "other")
    (root / "b.py").unlink()
    write(root, {"main.py": b"print(2)\n"})
    commit(root)
    write(root, {"run.py": b"edited\n"})
    other = verdict(root)

    assert committed[:2] == (0, {})
    assert other[:2] == (1, {"source": "drift"})
    assert other[2].startswith(
        "source (b.py is not there any more, main.py changed, run.py changed); unchanged: inputs, "
    )


def test_what_0_0_21_never_recorded_is_unknown_and_no_drift(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", FILES)
    write(root, {"main.py": b"print(2)\n"})
    old_capsule(root, "old", ("data.csv",))

    _, aspects, _ = verdict(root, "old")
    write(root, {"data.csv": b"3\n"})
    changed = verdict(root, "old")

    unknown = dict.fromkeys(("packages", "interpreter", "environment", "determinism", "cpu"), "unknown")
    assert aspects == {"source": "unknown", **unknown, "system": "drift"}
    assert (changed[0], changed[1]) == (1, {"source": "drift", "inputs": "drift", **unknown, "system": "drift"})
    assert "data.csv changed" in changed[2]


def test_the_patch_of_0_0_21_tells_which_files_have_changed_since(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", {**FILES, "other.py": b"1\n", "same.py": b"1\n"})
    write(root, {"main.py": b"print(2)\n", "same.py": b"2\n"})
    old_capsule(root, "old")

    same = verdict(root, "old")
    write(root, {"main.py": b"print(3)\n", "other.py": b"2\n", "untracked.py": b"\n"})
    changed = verdict(root, "old")
    commit(root)
    committed = verdict(root, "old")

    assert (same[1]["source"], changed[1]["source"], committed[1]["source"]) == ("unknown", "drift", "drift")
    assert changed[2].startswith("source (main.py changed, other.py changed)")
    assert committed[2].startswith("source (commit: ")


def test_a_project_that_was_moved_matches(project: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(project, tmp_path / "moved", symlinks=True)
    shutil.rmtree(project)

    assert verdict(moved)[:2] == (0, {})


def test_without_the_key_of_the_vault_values_are_unknown_and_names_are_not(project: Path) -> None:
    (project / "vault/.capsula/key").unlink()

    assert verdict(project)[:2] == (0, {"environment": "unknown"})
    assert verdict(project, MY_ENV="other")[:2] == (0, {"environment": "unknown"})
    assert verdict(project, MY_ENV=None)[:2] == (1, {"environment": "missing"})
    assert not (project / "vault/.capsula/key").exists()


def test_a_capsule_of_0_0_21_verifies_as_far_as_it_carries(project: Path) -> None:
    old: dict[str, Json] = {
        "root_directory": str(project),
        "cwd": str(project),
        "platform": document(only_capsule(project), "context.json")["platform"],
        "environment_variables": {"HOME": "/nowhere"},
        "git": {"project": {"path": ".", "sha": "0" * 40, "branch": "main", "remotes": []}},
        "files": {"data.csv": {"hash_algorithm": "md5", "file_hash": "4ff4aac4ea31a0ca57ee5e0a5b4b6ae5"}},
    }
    (project / "vault/old").mkdir()
    (project / "vault/old/context.json").write_text(json.dumps(old))

    status, aspects, _ = verdict(project, "old")

    assert status == 1
    assert aspects == {
        "source": "drift",
        "inputs": "drift",
        "packages": "unknown",
        "interpreter": "unknown",
        "environment": "drift",
        "determinism": "unknown",
        "cpu": "unknown",
    }


def test_verifying_writes_nothing(project: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in project.rglob("*")}

    assert capsula("verify", cwd=project).returncode in {0, 1}
    assert capsula("verify", "--integrity", cwd=project).returncode == 0

    assert {path: path.lstat().st_mtime_ns for path in project.rglob("*")} == before


def test_what_is_printed_is_one_line_and_then_one_aspect_a_line(project: Path) -> None:
    write(project, {"\x1b[31mred.py": b"1"})

    done = capsula("verify", cwd=project, MY_ENV="mine")

    headline, *aspects = done.stdout.splitlines()
    assert done.returncode == 1
    assert headline.startswith("drift: source (\\x1b[31mred.py changed); unchanged: ")
    assert [line.split()[:2] for line in aspects] == [
        ["source", "drift"],
        ["inputs", "match"],
        ["packages", "match"],
        ["interpreter", "match"],
        ["environment", "match"],
        ["determinism", "match"],
        ["system", "match"],
        ["cpu", "match"],
    ]
    assert "\x1b" not in done.stdout


def test_a_capsule_without_a_context_has_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text("[monitor]\ncapture = false\n")
    assert capsula("monitor", "true", cwd=tmp_path).returncode == 0

    done = capsula("verify", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "holds no context" in done.stderr


@pytest.mark.parametrize("words", [("nothing",), ("--integrity", "nothing")])
def test_an_unknown_capsule_is_a_mistake(project: Path, words: tuple[str, ...]) -> None:
    assert capsula("verify", *words, cwd=project).returncode == 2


def test_a_changed_capsule_is_told_file_by_file(project: Path) -> None:
    whole = capsula("verify", "--integrity", cwd=project)
    capsule = only_capsule(project)
    (capsule / "stdout.log").write_text("2\n")
    (capsule / "further").write_text("")

    changed = capsula("verify", "--integrity", cwd=project)
    told = json.loads(capsula("verify", "--integrity", "--json", cwd=project).stdout)

    assert (whole.returncode, whole.stdout) == (0, "whole: every file is as the manifest says; made here by you\n")
    assert changed.returncode == 1
    assert changed.stdout.splitlines() == [
        "changed: 1 changed, 1 extra; made here by you",
        "  stdout.log: is not what the manifest says",
        "  further: is not in the manifest",
    ]
    assert (told["status"], told["own"], len(told["faults"])) == ("changed", True, 2)
