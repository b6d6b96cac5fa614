"""``capsula check --secrets``: where something is said, and what never."""

import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

from tests.running import PLAIN, capsula, only_capsule

SECRET = "ghp_" + "abcdefghij" * 4


def captured(root: Path, wish: str = "") -> Path:
    (root / "capsula.toml").write_text(PLAIN + wish)
    assert capsula("capture", cwd=root).returncode == 0
    return only_capsule(root)


def test_a_capsule_without_secrets_is_discreet(tmp_path: Path) -> None:
    capsule = captured(tmp_path)

    checked = capsula("check", "--secrets", cwd=tmp_path)

    assert (checked.returncode, checked.stdout) == (0, "no secrets in 1 capsule\n")
    assert capsula("check", "--secrets", capsule.name, "--all", cwd=tmp_path).returncode == 2


def test_secrets_are_told_by_their_place_and_never_shown(tmp_path: Path) -> None:
    capsule = captured(tmp_path)
    (capsule / "data.txt").write_text(f"one\n{SECRET}\n")
    (capsule / "pre-run-info.json").write_text(json.dumps({"args": ["run", "--password", "hunter2"]}))
    with tarfile.open(capsule / ".capsula/source.tar.gz", "w:gz") as archive:
        content = f"\n\npassword=hunter2 {SECRET}\n".encode()
        member = tarfile.TarInfo("folder/.env")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))

    checked = capsula("check", "--secrets", capsule.name, cwd=tmp_path)

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

    checked = capsula("check", "--secrets", cwd=tmp_path)

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

    checked = capsula("check", "--secrets", "--all", "--json", cwd=tmp_path)

    account = json.loads(checked.stdout)
    (told,) = account["capsules"]
    assert (checked.returncode, account["status"]) == (1, "exposed")
    assert told["capsule"]["directory"] == str(capsule)
    assert told["secrets"] == [{"file": "data.txt", "place": "line 1", "rule": "github"}]
    assert [(fault["path"], fault["kind"]) for fault in told["faults"]] == [(["broken.tar"], "unsearched")]


def test_what_cannot_be_searched_is_no_clean_record(tmp_path: Path) -> None:
    capsule = captured(tmp_path)
    os.mkfifo(capsule / "pipe")

    checked = capsula("check", "--secrets", cwd=tmp_path)

    assert (checked.returncode, checked.stdout) == (2, "no secrets in 1 capsule\n")
    assert checked.stderr == f"capsula: {capsule.name} > pipe: is not a regular file\n"


def test_another_scanner_is_asked_where_there_is_one(tmp_path: Path) -> None:
    capsule = captured(tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    report = [{"RuleID": "generic", "File": str(capsule / "context.json"), "StartLine": 3, "Secret": "REDACTED"}]
    (programs / "gitleaks").write_text(f"#!/bin/sh\necho \"$*\" > '{tmp_path}/asked'\necho '{json.dumps(report)}'\n")
    (programs / "gitleaks").chmod(0o755)

    checked = capsula("check", "--secrets", cwd=tmp_path, PATH=f"{programs}:{os.environ['PATH']}")

    assert checked.returncode == 1
    assert checked.stdout == f"{capsule.name}/context.json: line 3: gitleaks generic\n1 secret in 1 capsule\n"
    assert (tmp_path / "asked").read_text().startswith(f"dir {capsule} --no-banner --redact")


def test_a_mistake_is_told(tmp_path: Path) -> None:
    unknown = capsula("check", "--secrets", "nothing", cwd=tmp_path)
    unsaid = capsula("check", cwd=tmp_path)

    assert (unknown.returncode, unsaid.returncode) == (2, 2)
    assert "--secrets" in unsaid.stderr
