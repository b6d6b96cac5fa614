"""``capsula start`` and ``capsula finish``: a capsule around what is no command."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from capsula.effects.claim import claimed
from tests.running import PLAIN, capsula, capsules, document, faults, files, only_capsule

ITEM = '[monitor.item.it.files]\nresult = { hash = "sha256", move = true }\n'
IDENTIFIER = 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "capsula.toml").write_text(PLAIN + ITEM)
    return tmp_path


def listed(root: Path) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(capsula("list", "--json", cwd=root).stdout)
    return told


def test_what_was_made_between_start_and_finish_is_in_the_capsule(root: Path) -> None:
    (root / "old").write_text("as before")
    (root / "gone").write_text("")

    begun = capsula("start", "-i", "it", "--note", "laser at 3 mW", cwd=root)
    (root / "gone").unlink()
    (root / "measured").write_text("1")
    (root / "result").write_text("2")
    done = capsula("finish", cwd=root)

    capsule = only_capsule(root)
    after = document(capsule, "post-run-info.json")
    assert (begun.returncode, done.returncode, begun.stderr, done.stderr) == (0, 0, "", "")
    assert done.stdout == begun.stdout
    assert document(capsule, "pre-run-info.json")["note"] == "laser at 3 mW"
    assert {path: facts["change"] for path, facts in after["outputs"].items()} == {"gone": "removed", "measured": "new"}
    assert after["files"]["result"]["moved"]
    assert files(capsule) == {
        "context.json",
        "pre-run-info.json",
        "post-run-info.json",
        "result",
        ".capsula/glance.json",
        ".capsula/outputs/measured",
    }
    assert not (root / "result").exists()
    assert capsula("verify", "--integrity", "@", cwd=root).returncode == 0
    told = [(it["state"], it["exit_code"], it["note"]) for it in listed(root)]
    assert told == [("finished", None, "laser at 3 mW")]


def test_a_capsule_is_open_until_it_is_finished_wherever_the_process_went(root: Path) -> None:
    capsula("start", "--note", "a week of measuring", cwd=root)
    record = only_capsule(root) / "pre-run-info.json"
    record.write_text(record.read_text().replace('"boot_id": "', '"boot_id": "before-a-restart-'))

    table = capsula("list", cwd=root).stdout
    done = capsula("finish", "--status", "failed", cwd=root)

    assert "open" in table
    assert "a week of measuring" in table
    assert done.returncode == 0
    assert [(it["state"], it["run_time"][:2]) for it in listed(root)] == [("failed", "PT")]


def test_of_two_that_are_open_one_is_named(root: Path) -> None:
    first = json.loads(capsula("start", "--json", cwd=root).stdout)
    second = json.loads(capsula("start", "--json", cwd=root).stdout)

    unclear = capsula("finish", cwd=root)
    named = capsula("finish", second["memorable"], cwd=root)

    assert (unclear.returncode, unclear.stdout) == (2, "")
    assert f"2 capsules are open: {second['memorable']} ({second['name']})" in unclear.stderr
    assert named.returncode == 0
    assert {it["id"]: it["state"] for it in listed(root)} == {first["id"]: "open", second["id"]: "finished"}


def test_what_is_not_open_cannot_be_finished(root: Path) -> None:
    none = capsula("finish", cwd=root)
    capsula("start", cwd=root)
    capsula("finish", cwd=root)
    twice = capsula("finish", "@", cwd=root)

    name = only_capsule(root).name
    assert (none.returncode, twice.returncode) == (2, 2)
    assert none.stderr == f"capsula: no capsule in {root / 'vault'} is open (capsula start opens one)\n"
    assert twice.stderr == f"capsula: {name} is not open: it is finished\n"


def test_of_two_that_finish_at_once_one_does(root: Path) -> None:
    capsula("start", "-i", "it", cwd=root)
    name = only_capsule(root).name
    (root / "result").write_text("2")

    with claimed(only_capsule(root) / "pre-run-info.json"):
        second = capsula("finish", name, cwd=root)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: capsula("finish", name, cwd=root), range(4)))

    assert (second.returncode, second.stderr) == (2, f"capsula: {name} is being finished by another process\n")
    assert sorted(it.returncode for it in done) == [0, 2, 2, 2]
    assert (only_capsule(root) / "result").read_text() == "2"
    assert faults(document(only_capsule(root), "post-run-info.json")) == []


def test_a_shell_that_knows_of_the_capsule_records_into_it(root: Path) -> None:
    exports = capsula("start", "--export", cwd=root).stdout.splitlines()
    known = dict(line.removeprefix("export ").split("=", 1) for line in exports)
    capsula("start", cwd=root)

    capsula("monitor", "true", cwd=root, **known)
    done = capsula("finish", cwd=root, **known)

    outer = Path(known["CAPSULA_CAPSULE_DIR"])
    parents = {it["id"]: it["parent"] for it in listed(root)}
    assert (len(capsules(root)), len(known["CAPSULA_CAPSULE_ID"])) == (3, IDENTIFIER)
    assert done.stdout.endswith(f"{outer}\n")
    assert list(parents.values()).count(known["CAPSULA_CAPSULE_ID"]) == 1


def test_a_mistake_is_told_before_anything_is_opened(root: Path) -> None:
    done = capsula("start", "-i", "unknown", cwd=root)

    assert (done.returncode, capsules(root)) == (2, [])
    assert "monitor > item > unknown: no such item" in done.stderr


def test_a_capsule_is_finished_where_it_was_started(root: Path, tmp_path: Path) -> None:
    vault = f'vault-directory = "{tmp_path / "shared"}"\n'
    for name in ("here", "there"):
        (root / name).mkdir()
        (root / name / "capsula.toml").write_text(vault + PLAIN)
    started = json.loads(capsula("start", "--json", cwd=root / "here").stdout)

    refused = capsula("finish", cwd=root / "there")

    assert refused.returncode == 2
    assert refused.stderr == (
        f"capsula: {started['name']} was started in {root / 'here'}, not in {root / 'there'} "
        f"(use `capsula -C {root / 'here'} finish {started['name']}`)\n"
    )


def test_a_glance_that_is_gone_is_missed(root: Path) -> None:
    capsula("start", cwd=root)
    glance = only_capsule(root) / ".capsula/glance.json"
    glance.unlink()

    done = capsula("finish", cwd=root)

    told = f"capsula: what was there at the start cannot be read: {glance}: No such file or directory\n"
    assert (done.returncode, done.stderr) == (1, told)
    assert [it["state"] for it in listed(root)] == ["open"]


def test_a_glance_that_was_changed_costs_no_traceback(root: Path) -> None:
    capsula("start", cwd=root)
    (only_capsule(root) / ".capsula/glance.json").write_text('{"files": {"a": [1]}, "whole": true}')

    done = capsula("finish", cwd=root)

    assert (done.returncode, done.stderr) == (1, "capsula: .capsula/glance.json: is no glance at files\n")
    assert [it["state"] for it in listed(root)] == ["open"]


def test_a_glance_that_is_a_pipe_is_not_waited_for(root: Path) -> None:
    capsula("start", cwd=root)
    glance = only_capsule(root) / ".capsula/glance.json"
    glance.unlink()
    os.mkfifo(glance)

    done = capsula("finish", cwd=root)

    told = f"capsula: what was there at the start cannot be read: {glance}: is not a regular file\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_there_is_no_command_to_reproduce(root: Path) -> None:
    capsula("start", cwd=root)
    capsula("finish", cwd=root)

    done = capsula("reproduce", "@", cwd=root)

    assert done.returncode == 4
    assert "blocked: no command was run: it was opened with `capsula start`" in done.stdout
