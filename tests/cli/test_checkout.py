import json
import os
from pathlib import Path

import pytest

from tests.repositories import commit, git, head, repository, tree, write
from tests.running import PLAIN, capsula, only_capsule
from tests.sources import published

CONFIGURED = PLAIN.replace("include-source = false", "include-source = true").encode()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = repository(tmp_path / "project", {"a": b"a\n", "capsula.toml": CONFIGURED})
    write(top, {"new": b"new\n"})
    return top


def test_the_source_of_a_run_is_restored_after_the_work_went_on(top: Path, tmp_path: Path) -> None:
    there, then = tree(top), head(top)
    capsula("monitor", "--", "sh", "-c", "rm new; echo b > a", cwd=top)
    commit(top)

    done = capsula("checkout", "@", "../again", cwd=top)

    again = tmp_path / "again"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{again}\n", "")
    assert tree(again) == there
    assert head(again) == then
    assert git(again, "status", "--porcelain") == b"?? new\n"


def test_an_account_is_printed_as_json(top: Path, tmp_path: Path) -> None:
    write(top, {".env": b"x"})
    capsula("capture", cwd=top)

    done = capsula("checkout", "--json", "@", "../again", cwd=top)

    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "directory": str(tmp_path / "again"),
        "root": str(tmp_path / "again"),
        "commits": {"project": head(top)},
        "inputs": [],
        "fetched": [],
        "needs": [{"path": [".env"], "kind": "left out", "message": "looks like a secret"}],
    }


def test_what_is_missing_is_told(top: Path) -> None:
    write(top, {"k\x1b[2J.pem": b"x"})
    capsula("capture", cwd=top)

    done = capsula("checkout", "@", "../again", cwd=top)

    assert (done.returncode, done.stderr) == (1, "capsula: not restored: k\\x1b[2J.pem: looks like a secret\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("@", "."), "is not empty"),
        (("no-such-capsule", "../again"), "there is no capsule"),
        (("@", "a"), "is not a directory"),
    ],
)
def test_mistakes_are_said(words: tuple[str, ...], said: str, top: Path, tmp_path: Path) -> None:
    capsula("capture", cwd=top)

    done = capsula("checkout", *words, cwd=top)

    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "again").exists()


def test_a_place_inside_of_the_capsule_is_refused(top: Path) -> None:
    capsula("capture", cwd=top)
    capsule = only_capsule(top)
    before = tree(capsule)

    done = capsula("checkout", "@", os.fspath(capsule / "again"), cwd=top)

    assert (done.returncode, tree(capsule)) == (2, before)
    assert f"{capsule / 'again'} is inside the capsule" in done.stderr


def test_an_input_that_is_source_comes_from_there_and_one_that_was_changed_is_not_put_back(
    top: Path, tmp_path: Path
) -> None:
    files = '[capture.files]\n"a" = { hash = "sha256", copy = true }\n"in.csv" = { hash = "sha256", copy = true }\n'
    write(top, {"capsula.toml": CONFIGURED + files.encode(), ".gitignore": b"in.csv\nvault\n", "in.csv": b"1\n"})
    capsula("capture", cwd=top)
    whole = capsula("checkout", "--json", "@", "../whole", cwd=top)
    kept = only_capsule(top) / "in.csv"
    kept.write_bytes(b"2\n")

    done = capsula("checkout", "--json", "@", "../again", cwd=top)

    fault = {"path": ["in.csv"], "kind": "integrity", "message": f"{kept} is not what was recorded"}
    first, second = json.loads(whole.stdout), json.loads(done.stdout)
    assert (whole.returncode, first["inputs"], first["needs"]) == (0, ["in.csv"], [])
    assert (done.returncode, second["inputs"], second["needs"]) == (1, [], [fault])
    assert not (tmp_path / "again/in.csv").exists()


def test_a_damaged_capsule_is_refused(top: Path, tmp_path: Path) -> None:
    capsula("capture", cwd=top)
    archive = only_capsule(top) / ".capsula" / "source" / "project.tar.gz"
    archive.write_bytes(bytes(archive.stat().st_size))

    done = capsula("checkout", "@", "../again", cwd=top)

    assert (done.returncode, done.stdout) == (5, "")
    assert list((tmp_path / "again").iterdir()) == []


def test_a_capsule_without_source_says_so(top: Path) -> None:
    write(top, {"capsula.toml": PLAIN.encode()})
    capsula("capture", cwd=top)

    done = capsula("checkout", "@", "../again", cwd=top)

    assert done.returncode == 1
    assert "does not hold the source" in done.stderr


def test_a_capsule_from_elsewhere_is_restored_with_what_can_be_fetched(top: Path, tmp_path: Path) -> None:
    published(top)
    there = tree(top)
    capsula("capture", cwd=top)
    capsule = only_capsule(top).rename(tmp_path / "capsule")
    top.rename(tmp_path / "gone")
    (tmp_path / "elsewhere").mkdir()

    refused = capsula("checkout", os.fspath(capsule), "refused", cwd=tmp_path / "elsewhere")
    done = capsula("checkout", "--fetch", os.fspath(capsule), "again", cwd=tmp_path / "elsewhere")

    assert (refused.returncode, done.returncode) == (1, 0), done.stderr
    assert "--fetch" in refused.stderr
    assert tree(tmp_path / "elsewhere" / "again") == there


@pytest.mark.parametrize("key", ["../out", "way/in.csv", ".git/hooks/x"])
def test_an_input_is_not_put_where_it_does_not_belong(key: str, top: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (top / "way").symlink_to(tmp_path / "outside")
    settings = CONFIGURED + b'[capture.files]\n"capsula.toml" = { hash = "sha256", copy = true }\n'
    write(top, {"capsula.toml": settings})
    capsula("capture", cwd=top)
    context = only_capsule(top) / "context.json"
    document = json.loads(context.read_text())
    document["files"][key] = document["files"].pop("capsula.toml")
    context.write_text(json.dumps(document))

    capsula("checkout", "@", "../again/project", cwd=top)

    assert list((tmp_path / "outside").iterdir()) == []
    assert not (tmp_path / "again" / "out").exists()
    assert not (tmp_path / "again" / "project" / ".git" / "hooks" / "x").exists()
