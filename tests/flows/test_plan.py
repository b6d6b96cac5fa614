"""The plan of a reproduction: what it says is what is then done, and what it needs it says beforehand."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repositories import git, repository
from tests.running import capsula, capsules, document

SETTINGS = b"[capture]\ninclude-cpu = false\ninclude-system = false\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository(tmp_path / "project", {"capsula.toml": SETTINGS, "main.py": b"print('done')\n"})


def planned(project: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status of the plan of the newest capsule, and its steps by phase."""
    done = capsula("reproduce", "--plan", "--json", *words, capsules(project)[-1].name, cwd=project, **caching(project))
    assert done.stderr == ""
    return done.returncode, {step["phase"]: step for step in json.loads(done.stdout)}


def caching(project: Path) -> dict[str, str | None]:
    return {"XDG_CACHE_HOME": str(project.parent / "cache")}


def test_what_the_plan_says_is_what_is_then_run(project: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    capsula("monitor", "../venv/bin/python", str(project / "main.py"), cwd=project)

    status, steps = planned(project)
    done = capsula("reproduce", "--json", capsules(project)[-1].name, cwd=project, **caching(project))

    account = json.loads(done.stdout)
    replay = document(Path(account["replays"][0]), "pre-run-info.json")
    environment = Path(replay["args"][0]).parents[1]
    assert (status, done.returncode, account["verdict"]) == (0, 0, "identical")
    assert steps["run"]["title"] == f"run: {shlex.join(replay['args'])}"
    assert steps["run"]["details"][0] == f"in {replay['root_directory']}"
    assert steps["environment"]["details"][1].endswith(str(environment))
    assert f"VIRTUAL_ENV={environment}" in steps["variables"]["details"]


def test_a_word_that_was_marked_as_a_secret_blocks_the_run(project: Path) -> None:
    capsula("monitor", sys.executable, "main.py", "--password=correct-horse-battery", cwd=project)

    status, steps = planned(project, "--no-rebuild")

    assert (status, steps["run"]["fidelity"]) == (4, "needs")
    assert steps["run"]["why"].startswith("not recorded, and impossible to guess: --password=[redacted ")


def test_a_commit_that_is_on_a_remote_alone_is_fetched_by_a_command_that_is_named(
    project: Path, tmp_path: Path
) -> None:
    remote = (tmp_path / "remote").as_uri()
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    git(project, "remote", "add", "origin", remote)
    git(project, "push", "--quiet", "origin", "HEAD:main")
    capsula("monitor", sys.executable, "main.py", cwd=project)
    shutil.rmtree(project / ".git")

    status, steps = planned(project, "--no-rebuild")
    allowed, fetched = planned(project, "--no-rebuild", "--fetch")

    assert (status, steps["source"]["fidelity"]) == (4, "needs")
    assert steps["source"]["why"].endswith(f"fetch it from {remote} with --fetch")
    command = shlex.split(fetched["source"]["details"][0])
    assert (allowed, command[:2], command[-3:-1]) == (0, ["run", "git"], ["--", remote])


def test_a_repository_that_was_moved_is_found_by_who_stands_in_it(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "remote")
    git(project, "remote", "add", "origin", (tmp_path / "remote").as_uri())
    git(project, "push", "--quiet", "origin", "HEAD:main")
    capsula("monitor", sys.executable, "main.py", cwd=project)
    moved = project.rename(tmp_path / "moved")

    status, steps = planned(moved, "--no-rebuild")
    brought_back = capsula("reproduce", "--no-rebuild", "--discard", cwd=moved, XDG_CACHE_HOME=str(tmp_path / "cache"))
    checked_out = capsula("checkout", "@1", str(tmp_path / "again"), cwd=moved)

    assert (status, steps["source"]["details"]) == (0, [f"from {moved / '.git'}"])
    assert brought_back.stdout.startswith("identical: ")
    assert (checked_out.returncode, (tmp_path / "again" / "main.py").is_file()) == (0, True)


def test_another_version_of_python_blocks_the_run_unless_it_may_stand_in(project: Path) -> None:
    capsula("monitor", sys.executable, "main.py", cwd=project)
    capsule = capsules(project)[-1]
    text = (capsule / "context.json").read_text()
    recorded = document(capsule, "context.json")["python_packages"]["interpreter"]["version"]
    (capsule / "context.json").write_text(text.replace(f'"version": "{recorded}"', f'"version": "{recorded}9"'))

    status, steps = planned(project)
    anyway, stood_in = planned(project, "--anyway")

    assert (status, steps["environment"]["fidelity"]) == (4, "needs")
    assert f"uv python install {recorded}9" in steps["environment"]["why"]
    assert (anyway, stood_in["environment"]["fidelity"]) == (0, "approximate")
