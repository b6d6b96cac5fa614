"""Manifests: what was changed in a capsule is found, and who made it."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from capsula.core.content import Sum
from capsula.core.document import LARGEST
from capsula.core.fault import Fault
from capsula.effects.manifest import NAME, Signer, integrity, is_own, signed
from tests.running import PLAIN, capsula, document, only_capsule

CONFIGURATION = PLAIN + '\n[capture.files]\n"kept.txt" = { hash = "sha256", copy = true }\n'


@pytest.fixture
def capsule(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "capsula.toml").write_text(CONFIGURATION)
    (root / "kept.txt").write_text("kept")
    assert capsula("monitor", "echo", "hello", cwd=root).returncode == 0
    return only_capsule(root)


def test_a_capsule_is_as_its_manifest_says(capsule: Path) -> None:
    listed = document(capsule, NAME)["files"]

    assert isinstance(listed, dict)
    assert listed == {
        path.relative_to(capsule).as_posix(): {
            "size": path.stat().st_size,
            "sha256": sha256(path.read_bytes()).hexdigest(),
        }
        for path in capsule.rglob("*")
        if path.is_file() and path != capsule / NAME
    }
    assert {"context.json", "kept.txt", "stdout.log", "post-run-info.json"} <= set(listed)
    assert (integrity(capsule), is_own(capsule)) == ((), True)


def test_each_missing_changed_or_further_file_is_named(capsule: Path) -> None:
    (capsule / "stderr.log").unlink()
    (capsule / "stdout.log").write_text("Hello\n")
    (capsule / "kept.txt").unlink()
    (capsule / "kept.txt").symlink_to("/etc/hostname")
    (capsule / ".capsula/further").write_text("")

    found = {(fault.kind, fault.path) for fault in integrity(capsule)}

    assert found == {
        ("missing", ("stderr.log",)),
        ("changed", ("stdout.log",)),
        ("changed", ("kept.txt",)),
        ("extra", (".capsula/further",)),
    }


def test_a_change_that_the_manifest_was_made_to_fit_is_not_our_own(capsule: Path) -> None:
    manifest = document(capsule, NAME)
    (capsule / "stdout.log").write_text("forged")
    manifest["files"]["stdout.log"] = {"size": 6, "sha256": sha256(b"forged").hexdigest()}
    (capsule / NAME).write_text(json.dumps(manifest))

    assert (integrity(capsule), is_own(capsule)) == ((), False)


def test_a_capsule_of_another_vault_is_whole_and_not_our_own(capsule: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "capsula.toml").write_text(PLAIN)
    assert capsula("capture", cwd=elsewhere).returncode == 0
    foreign = elsewhere / "vault/foreign"
    shutil.copytree(capsule, foreign)

    assert (integrity(foreign), is_own(foreign)) == ((), False)


def test_a_copy_of_a_vault_and_its_key_does_not_make_its_capsules_ours(capsule: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(capsule.parent, copy)

    assert (integrity(copy / capsule.name), is_own(copy / capsule.name)) == ((), False)


def test_a_key_inside_of_the_capsule_itself_is_none(capsule: Path, tmp_path: Path) -> None:
    shutil.copytree(capsule, tmp_path / "alone")
    shutil.copy(capsule.parent / ".capsula/key", tmp_path / "alone/.capsula/key")

    assert is_own(tmp_path / "alone") is False


def test_a_capsule_without_a_manifest_says_so(capsule: Path) -> None:
    (capsule / NAME).unlink()

    (fault,) = integrity(capsule)

    assert (fault.kind, fault.path, is_own(capsule)) == ("unsealed", (NAME,), False)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "status": "", "files": {"a": 1}}']
)
def test_a_manifest_that_is_none_is_malformed(capsule: Path, text: str) -> None:
    (capsule / NAME).write_text(text)

    (fault,) = integrity(capsule)

    assert (fault.kind, fault.path[0], is_own(capsule)) == ("malformed", NAME, False)


def test_a_manifest_without_bounds_is_malformed(capsule: Path) -> None:
    with (capsule / NAME).open("wb") as large:
        large.truncate(LARGEST + 1)

    assert integrity(capsule) == (Fault("malformed", f"is larger than {LARGEST} bytes", path=(NAME,)),)


def test_a_signature_of_odd_letters_is_not_our_own(capsule: Path) -> None:
    facts = document(capsule, NAME)
    (capsule / NAME).write_text(json.dumps({**facts, "signature": "\xe9" * 64}))

    assert is_own(capsule) is False


def test_a_link_in_the_place_of_a_file_is_not_that_file(capsule: Path) -> None:
    (capsule / "kept.txt").rename(capsule.parent / "x")
    (capsule / "kept.txt").symlink_to("../x")  # as long as the file, which holds "kept"
    (capsule / "folder").symlink_to("..")

    assert [(fault.path, fault.kind) for fault in integrity(capsule)] == [
        (("kept.txt",), "changed"),
        (("folder",), "extra"),
    ]


def test_what_is_no_file_is_listed_too_and_never_opened(tmp_path: Path) -> None:
    capsule = tmp_path / "vault/capsule"
    (capsule / ".capsula").mkdir(parents=True)
    (capsule / "link").symlink_to("nowhere")
    os.mkfifo(capsule / "pipe")

    signed(Signer(capsule, tmp_path / "vault", "0" * 32, "complete"), {}, {})

    assert (integrity(capsule), is_own(capsule)) == ((), True)
    (capsule / "link").unlink()
    (capsule / "link").symlink_to("another")
    (capsule / "pipe").unlink()
    (capsule / "pipe").write_text("")
    assert {fault.path: fault.kind for fault in integrity(capsule)} == {("link",): "changed", ("pipe",): "changed"}


def test_a_name_that_leads_out_of_the_capsule_is_never_followed(capsule: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    total = {"size": 1, "sha256": sha256(b"x").hexdigest()}
    (capsule / NAME).write_text(
        json.dumps(
            {"format": 1, "status": "running", "files": {"../../../secret": total, str(tmp_path / "secret"): total}}
        )
    )

    assert [fault.kind for fault in integrity(capsule)] == ["missing", "missing"]


def test_a_run_without_an_end_is_as_its_manifest_says(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    script = "echo early; kill -9 $PPID"

    assert capsula("monitor", "sh", "-c", script, cwd=tmp_path).returncode < 0

    capsule = only_capsule(tmp_path)
    assert (capsule / "stdout.log").read_text() in {"early\n", ""}
    assert (integrity(capsule), is_own(capsule)) == ((), True)


def test_names_that_are_not_utf_8_are_listed_exactly(tmp_path: Path) -> None:
    capsule = tmp_path / "vault/capsule"
    (capsule / ".capsula").mkdir(parents=True)
    odd = b"\xff\n".decode("utf-8", "surrogateescape")
    (capsule / odd).write_bytes(b"x")

    sums = signed(Signer(capsule, tmp_path / "vault", "0" * 32, "complete"), {}, {})

    assert sums == {odd: Sum(1, sha256(b"x").hexdigest())}
    assert (integrity(capsule), is_own(capsule)) == ((), True)
    (capsule / odd).unlink()
    assert integrity(capsule) == (Fault("missing", "is missing", path=(odd,)),)
