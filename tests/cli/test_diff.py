"""``capsula diff``, as a person runs it: two runs, and one thing between them."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from capsula.core.fault import Json
from tests.repositories import commit, git, repository, write
from tests.running import capsula, capsules, document

CONFIGURATION = b"""
[capture]
include-cpu = false

[capture.files]
"data.csv" = { hash = "sha256" }

[monitor.item.it.files]
"out.json" = { hash = "sha256", copy = true }
"""
PROGRAM = b"""import helper, json, sys
print(helper.VALUE, open("data.csv").read().strip())
json.dump({"a": 1.0, "b": helper.VALUE}, open("out.json", "w"))
"""
FILES = {
    "main.py": PROGRAM,
    "helper.py": b"VALUE = 1\n",
    "data.csv": b"1,2\n",
    "capsula.toml": CONFIGURATION,
    ".gitignore": b"vault/\nout.json\n__pycache__/\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = repository(tmp_path / "project", FILES)
    monitored(root)
    return root


def monitored(root: Path, *words: str, options: tuple[str, ...] = (), **changes: str | None) -> None:
    done = capsula("monitor", "-i", "it", *options, sys.executable, "main.py", *words, cwd=root, **changes)
    assert done.returncode == 0, done.stderr


def difference(root: Path, *words: str) -> dict[str, Json]:
    """Return what the command tells a program of the last two runs."""
    done = capsula("diff", "@1", "@", "--json", *words, cwd=root)
    told: dict[str, Json] = json.loads(done.stdout)
    assert done.returncode == {"same": 0, "different": 1}[str(told["status"])]
    return told


def drifted(told: dict[str, Json]) -> list[str]:
    aspects = told["aspects"]
    assert isinstance(aspects, list)
    return [aspect["aspect"] for aspect in aspects if aspect["status"] in {"drift", "missing"}]


def grades(told: dict[str, Json]) -> dict[str, str]:
    results = told["results"]
    assert isinstance(results, dict)
    return {name: result["grade"] for name, result in results.items() if result["grade"] != "identical"}


def test_a_run_and_its_repetition_are_the_same(project: Path) -> None:
    monitored(project)

    told = difference(project)

    assert (told["status"], drifted(told), grades(told), told["source"]) == ("same", [], {}, [])
    assert told["headline"] == (
        "the same results; unchanged: arguments, source, inputs, packages, interpreter, environment, determinism, "
        "system, cpu"
    )


def test_an_edit_is_shown_and_blamed(project: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2\n"})
    monitored(project)

    done = capsula("diff", "@1", "@", cwd=project)

    headline, *lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert headline.startswith(
        "different: other results (stdout, out.json); likeliest cause: source (helper.py changed);"
    )
    patch = lines[lines.index("") + 1 :]
    assert patch[0] == "diff --git a/helper.py b/helper.py"
    assert patch[-2:] == ["-VALUE = 1", "+VALUE = 2"]
    applied = capsula("diff", "@1", "@", "--json", cwd=project)
    git(project, "checkout", "--quiet", "helper.py")
    git(project, "apply", stdin=json.loads(applied.stdout)["source"][0]["patch"].encode())
    assert (project / "helper.py").read_bytes() == b"VALUE = 2\n"


def test_changes_that_were_committed_since_are_told_as_well(project: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2\n", "new.txt": b"\xff\0"})
    commit(project)
    git(project, "mv", "new.txt", "moved.txt")
    write(project, {"main.py": PROGRAM + b"# more\n", "data.csv": b"3\n"})
    (project / ".gitignore").unlink()
    git(project, "rm", "--quiet", "--cached", ".gitignore")
    write(project, {".git/info/exclude": b"vault/\nout.json\n__pycache__/\n"})
    monitored(project)

    told = difference(project)

    source = told["source"]
    assert isinstance(source, list)
    assert {it["path"]: it["change"] for it in source} == {
        ".gitignore": "removed",
        "data.csv": "changed",
        "helper.py": "changed",
        "main.py": "changed",
        "moved.txt": "added",
    }
    assert drifted(told)[:2] == ["source", "inputs"]


def test_a_file_that_is_withheld_is_no_change_as_long_as_it_is_as_committed(project: Path, tmp_path: Path) -> None:
    write(project, {".env": b"KEY=1\n"})
    commit(project)
    git(project, "remote", "add", "origin", str(project))
    git(project, "fetch", "--quiet", "origin")
    monitored(project)
    write(project, {"helper.py": b"VALUE = 2\n"})
    commit(project)
    monitored(project)

    told = difference(project)

    first, second = (document(it, "context.json")["source"]["project"] for it in capsules(project)[-2:])
    assert ("withheld" in first, [it["path"] for it in second["withheld"]]) == (False, [".env"])
    source = told["source"]
    assert isinstance(source, list)
    assert [it["path"] for it in source] == ["helper.py"]
    assert ".env" not in json.dumps(told["aspects"])


def test_a_commit_that_is_neither_here_nor_kept_is_said_to_be_out_of_reach(project: Path, tmp_path: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2\n"})
    commit(project)
    monitored(project)
    for capsule in capsules(project):
        context = document(capsule, "context.json")
        context["source"]["project"]["repository"] = None
        (capsule / context["source"]["project"]["objects"]["file"]).unlink()
        (capsule / "context.json").write_text(json.dumps(context))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / "vault").rename(elsewhere / "vault")

    told = difference(elsewhere)

    assert drifted(told)[0] == "source"
    assert "commit: " in str(told["headline"])


def test_changes_are_told_though_the_repository_is_gone(project: Path, tmp_path: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2\n"})
    commit(project)
    write(project, {"main.py": PROGRAM + b"# more\n"})
    monitored(project)
    there, here = (str(shutil.move(it, tmp_path / it.name)) for it in capsules(project))
    shutil.rmtree(project)

    done = capsula("diff", there, here, "--json", cwd=tmp_path)

    source = json.loads(done.stdout)["source"]
    assert {it["path"]: it["patch"].splitlines()[-2:] for it in source} == {
        "helper.py": ["-VALUE = 1", "+VALUE = 2"],
        "main.py": [' json.dump({"a": 1.0, "b": helper.VALUE}, open("out.json", "w"))', "+# more"],
    }


def test_the_tolerance_of_an_item_is_that_of_its_results(project: Path) -> None:
    item = b"[monitor.item.it]\nrelative-tolerance = 0.9\n"
    write(project, {"capsula.toml": CONFIGURATION + item, "helper.py": b"VALUE = 2\n"})
    monitored(project)

    told = difference(project)

    assert grades(told) == {"stdout": "close", "out.json": "close"}
    assert str(told["headline"]).startswith("the same results; changed: source (")


def test_a_program_can_rely_on_the_keys(project: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2\n"})
    monitored(project)

    told: Any = difference(project)

    capsule = {"directory", "name", "memorable", "id"}
    aspect = {"aspect", "status", "reasons", "notes", "differences", "summary"}
    assert set(told) == {
        "format", "a", "b", "status", "headline", "aspects", "source", "results", "unkept", "cosmetic"
    }  # fmt: skip
    assert (told["format"], set(told["a"]), set(told["b"])) == (1, capsule, capsule)
    assert {key for it in told["aspects"] for key in it} == aspect
    assert [set(it) for it in told["source"]] == [{"path", "change", "patch", "why"}]
    assert {key for it in told["results"].values() for key in it} == {
        "grade", "kind", "reason", "max_absolute", "max_relative", "differing_numbers", "judged"
    }  # fmt: skip


def test_an_input_that_changed_is_blamed(project: Path) -> None:
    git(project, "rm", "--quiet", "--cached", "data.csv")
    write(project, {".git/info/exclude": b"data.csv\n"})
    git(project, "commit", "--quiet", "--message=.")
    monitored(project)
    write(project, {"data.csv": b"2,3\n"})
    monitored(project)

    told = difference(project)

    assert drifted(told)[0] == "inputs"
    assert grades(told) == {"stdout": "different"}
    assert "likeliest cause: inputs (data.csv changed)" in str(told["headline"])


def test_arguments_come_before_everything_else(project: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2\n"})
    monitored(project, "--seed", "2")

    assert drifted(difference(project))[:2] == ["arguments", "source"]


def test_a_variable_is_told_by_name_and_never_by_value(project: Path) -> None:
    monitored(project, MY_TOKEN="secret-one", LC_TIME="C")
    monitored(project, MY_TOKEN="secret-two", LC_TIME="C")

    done = capsula("diff", "@1", "@", cwd=project)
    told = difference(project)

    assert drifted(told) == ["environment"]
    assert "MY_TOKEN has another value" in done.stdout
    assert "the same results; changed: environment (MY_TOKEN has another value)" in str(told["headline"])
    assert "secret-" not in done.stdout + json.dumps(told)


def test_a_drawn_hash_seed_counts_once_results_differ(project: Path) -> None:
    program = b"print(hash('a'))\nopen('out.json', 'w').write('{}')\n"
    write(project, {"main.py": program})
    monitored(project, PYTHONHASHSEED=None)
    monitored(project, PYTHONHASHSEED=None)

    told = difference(project)

    assert grades(told) == {"stdout": "different"}
    assert drifted(told) == ["determinism"]
    assert "likeliest cause: determinism (PYTHONHASHSEED: " in str(told["headline"])


def test_results_are_compared_by_what_they_are(project: Path) -> None:
    write(project, {"main.py": PROGRAM.replace(b'{"a": 1.0, "b": helper.VALUE}', b'{"b": helper.VALUE, "a": 1.0}')})
    monitored(project)

    told = difference(project)

    assert grades(told) == {"out.json": "equivalent"}
    assert drifted(told) == ["source"]
    assert str(told["headline"]).startswith("the same results; changed: source (main.py changed)")


def test_streams_that_were_not_kept_are_not_judged(project: Path) -> None:
    monitored(project, options=("--no-output",))

    told: Any = difference(project)
    shown = capsula("diff", "@1", "@", cwd=project).stdout

    assert (told["status"], told["unkept"]) == ("same", ["stdout", "stderr"])
    assert list(told["results"]) == ["exit status", "out.json"]
    assert str(told["headline"]).startswith("the same results (stdout and stderr not judged); ")
    assert "stdout       unknown  not judged: not kept by both runs\n" in shown


def test_how_a_run_ended_is_a_result(project: Path) -> None:
    write(project, {"helper.py": b"import os; VALUE = 1; os.kill(os.getpid(), 9)\n"})
    capsula("monitor", sys.executable, "main.py", cwd=project)

    told = difference(project)

    assert grades(told) == {"exit status": "different", "stdout": "different", "out.json": "missing"}


def test_two_captures_are_compared_without_results(project: Path) -> None:
    assert capsula("capture", cwd=project).returncode == 0
    write(project, {"helper.py": b"VALUE = 3\n"})
    assert capsula("capture", cwd=project).returncode == 0

    told = difference(project)

    assert (told["results"], drifted(told)) == ({}, ["source"])
    assert str(told["headline"]).startswith("changed: source (helper.py changed)")


def test_without_the_facet_the_patches_tell(tmp_path: Path) -> None:
    settings = CONFIGURATION.replace(b"[capture]", b"[capture]\ninclude-source = false")
    root = repository(tmp_path / "project", {**FILES, "capsula.toml": settings})
    monitored(root)
    write(root, {"helper.py": b"VALUE = 2\n"})
    monitored(root)

    done = capsula("diff", "@1", "@", cwd=root)

    assert done.returncode == 1
    assert done.stdout.endswith("-VALUE = 1\n+VALUE = 2\n")


def test_control_characters_of_a_capsule_are_escaped(project: Path) -> None:
    write(project, {"helper.py": b"VALUE = 2  # \x1b[31m\n", "\x1b[2J.py": b""})
    monitored(project)

    for words in ((), ("--no-patch",), ("--json",)):
        printed = capsula("diff", "@1", "@", *words, cwd=project).stdout
        assert all(character.isprintable() or character == "\n" for character in printed)


@pytest.mark.parametrize("words", [("@", "nothing"), ("nothing", "@"), ("@",)])
def test_what_is_not_there_is_a_mistake(project: Path, words: tuple[str, ...]) -> None:
    assert capsula("diff", *words, cwd=project).returncode == 2
