"""``capsula check --secrets``: where something is said, and what never."""

import gzip
import io
import json
import lzma
import os
import random
import shutil
import string
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.running import PLAIN, capsula, files, only_capsule

SECRET = "ghp_" + "abcdefghij" * 4


def check(root: Path, *words: str, programs: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Search for secrets; of the scanners of others those in a folder are known, and no others."""
    path = os.defpath if programs is None else f"{programs}:{os.defpath}"
    return capsula("check", "--secrets", *words, cwd=root, PATH=path)


def gitleaks(programs: Path, script: str) -> None:
    """Make what is called so; its last argument is where the report is wanted."""
    program = programs / "gitleaks"
    program.write_text(f"#!/bin/sh\nfor report; do :; done\n{script}\n")
    program.chmod(0o755)


def captured(root: Path, wish: str = "") -> Path:
    (root / "capsula.toml").write_text(PLAIN + wish)
    assert capsula("capture", cwd=root).returncode == 0
    return only_capsule(root)


def test_a_capsule_without_secrets_is_discreet(tmp_path: Path) -> None:
    capsule = captured(tmp_path)

    checked = check(tmp_path)

    assert (checked.returncode, checked.stdout) == (0, "no secrets in 1 capsule\n")
    assert check(tmp_path, capsule.name, "--all").returncode == 2


def test_secrets_are_told_by_their_place_and_never_shown(tmp_path: Path) -> None:
    capsule = captured(tmp_path)
    (capsule / "data.txt").write_text(f"one\n{SECRET}\n")
    (capsule / "pre-run-info.json").write_text(json.dumps({"args": ["run", "--password", "hunter2"]}))
    with tarfile.open(capsule / ".capsula/source.tar.gz", "w:gz") as archive:
        content = f"\n\npassword=hunter2 {SECRET}\n".encode()
        member = tarfile.TarInfo("folder/.env")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))

    checked = check(tmp_path, capsule.name)

    assert checked.returncode == 1
    assert checked.stdout.splitlines() == [
        f"{capsule.name}/.capsula/source.tar.gz!folder/.env: line 3: named",
        f"{capsule.name}/.capsula/source.tar.gz!folder/.env: line 3: github",
        f"{capsule.name}/data.txt: line 2: github",
        f"{capsule.name}/pre-run-info.json: args > 2: named",
        "4 secrets in 1 capsule",
    ]


def test_archives_of_results_are_looked_into_and_what_cannot_be_is_said(tmp_path: Path) -> None:
    capsule = captured(tmp_path)
    with zipfile.ZipFile(capsule / "runs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first/log.txt", f"one\n{SECRET}\n")
        archive.writestr("second/log.gz", gzip.compress(f"password=hunter2 {SECRET}".encode()))
    with lzma.open(capsule / "log.xz", "w") as log:
        log.write(SECRET.encode())
    (capsule / "broken.npz").write_bytes((capsule / "runs.zip").read_bytes()[:-30])

    checked = check(tmp_path)

    assert checked.returncode == 1
    assert checked.stdout.splitlines() == [
        f"{capsule.name}/log.xz: line 1: github",
        f"{capsule.name}/runs.zip!first/log.txt: line 2: github",
        f"{capsule.name}/runs.zip!second/log.gz: line 1: named",
        f"{capsule.name}/runs.zip!second/log.gz: line 1: github",
        "4 secrets in 1 capsule",
    ]
    assert checked.stderr == f"capsula: {capsule.name} > broken.npz: is no sound zip archive\n"


def test_an_account_for_programs_holds_the_same(tmp_path: Path) -> None:
    capsule = captured(tmp_path, "[discretion]\nrules.named = false\n")
    (capsule / "data.txt").write_text(f"{SECRET} password=hunter2")
    (capsule / "broken.tar").write_bytes(b"no archive")

    checked = check(tmp_path, "--all", "--json")

    account = json.loads(checked.stdout)
    (told,) = account["capsules"]
    assert (checked.returncode, account["status"]) == (1, "exposed")
    assert told["capsule"]["directory"] == str(capsule)
    assert told["secrets"] == [{"file": "data.txt", "place": "line 1", "rule": "github"}]
    assert [(fault["path"], fault["kind"]) for fault in told["faults"]] == [(["broken.tar"], "unsearched")]


def test_what_cannot_be_searched_is_no_clean_record(tmp_path: Path) -> None:
    capsule = captured(tmp_path)
    os.mkfifo(capsule / "pipe")

    checked = check(tmp_path)

    assert (checked.returncode, checked.stdout) == (2, "no secrets in 1 capsule\n")
    assert checked.stderr == f"capsula: {capsule.name} > pipe: is not a regular file\n"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is on PATH alone, but for what every shell has."""
    (tmp_path / "programs").mkdir()
    return tmp_path / "programs"


def test_another_scanner_is_asked_where_there_is_one(tmp_path: Path, programs: Path) -> None:
    capsule = captured(tmp_path)
    report = [{"RuleID": "generic", "File": str(capsule / "context.json"), "StartLine": 3, "Secret": "REDACTED"}]
    gitleaks(programs, f"echo \"$*\" > '{tmp_path}/asked'; echo '{json.dumps(report)}' > \"$report\"")

    checked = check(tmp_path, programs=programs)

    assert checked.returncode == 1
    assert checked.stdout == f"{capsule.name}/context.json: line 3: gitleaks generic\n1 secret in 1 capsule\n"
    assert (tmp_path / "asked").read_text().startswith(f"dir {capsule} --no-banner --redact")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 126", "gitleaks did not search: it ended with 126"),
        ("echo '[' > \"$report\"", "gitleaks: JSONDecodeError"),
        ("echo '[]'", "gitleaks: No such file or directory"),
    ],
)
def test_a_scanner_that_cannot_search_is_no_clean_record(
    tmp_path: Path, programs: Path, script: str, told: str
) -> None:
    capsule = captured(tmp_path)
    before = files(capsule)
    gitleaks(programs, f"echo anything > ./-; {script}")

    checked = check(tmp_path, programs=programs)

    assert (checked.returncode, checked.stdout) == (2, "no secrets in 1 capsule\n")
    assert checked.stderr == f"capsula: {capsule.name}: {told}\n"
    assert files(capsule) == before


@pytest.mark.slow
def test_what_kingfisher_finds_is_told_by_its_place(tmp_path: Path, programs: Path) -> None:
    program = shutil.which("kingfisher", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("needs: kingfisher")
    (programs / "kingfisher").symlink_to(program)
    capsule = captured(tmp_path)
    letters = random.Random(1).choices(string.ascii_letters + string.digits, k=20)
    secret = f"glpat-{''.join(letters)}"
    (capsule / ".capsula/data.txt").write_text(f"one\n{secret}\n")
    with zipfile.ZipFile(capsule / "runs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first/log.txt", secret)

    checked = check(tmp_path, programs=programs)

    told = [line.removeprefix(f"{capsule.name}/") for line in checked.stdout.splitlines() if "gitlab" in line]
    places = [tuple(line.split(": ")) for line in told]
    assert {(file, place) for file, place, rule in places if rule.startswith("kingfisher ")} == {
        (".capsula/data.txt", "line 2"),
        ("runs.zip!first/log.txt", "line 1"),
    }
    assert {(file, place) for file, place, rule in places if rule == "gitlab"} == {
        (".capsula/data.txt", "line 2"),
        ("runs.zip!first/log.txt", "line 1"),
    }
    assert (checked.returncode, checked.stderr) == (1, "")


def test_a_mistake_is_told(tmp_path: Path) -> None:
    unknown = capsula("check", "--secrets", "nothing", cwd=tmp_path)
    unsaid = capsula("check", cwd=tmp_path)

    assert (unknown.returncode, unsaid.returncode) == (2, 2)
    assert "--secrets" in unsaid.stderr
