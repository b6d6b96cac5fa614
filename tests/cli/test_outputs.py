"""What a command writes below the root is found, without being declared."""

import hashlib
from pathlib import Path

from tests.running import PLAIN, capsula, document, faults, only_capsule


def outputs(project: Path, command: str, *words: str) -> dict[str, dict[str, object]]:
    capsula("monitor", *words, "sh", "-c", command, cwd=project)
    found: dict[str, dict[str, object]] = document(only_capsule(project), "post-run-info.json")["outputs"]
    return found


def kept(content: bytes, change: str, path: str) -> dict[str, object]:
    return {
        "change": change,
        "hash_algorithm": "sha256",
        "file_hash": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "mode": "0644",
        "kept_as": f".capsula/outputs/{path}",
    }


def test_new_changed_and_removed_files_are_told_and_kept(project: Path) -> None:
    for name in ("changed", "same", "removed"):
        (project / name).write_text("before")

    found = outputs(project, "umask 022; mkdir -p d; printf 1 > d/new; printf 2 > changed; cat same; rm removed")

    capsule = only_capsule(project)
    (project / "changed").chmod(0o644)
    assert {**found, "changed": {**found["changed"], "mode": "0644"}} == {
        "changed": kept(b"2", "changed", "changed"),
        "d/new": kept(b"1", "new", "d/new"),
        "removed": {"change": "removed"},
    }
    assert (capsule / ".capsula/outputs/d/new").read_bytes() == b"1"


def test_where_there_are_thousands_of_files_the_command_finds_nobody_beside_it(project: Path) -> None:
    for number in range(2100):
        (project / f"{number}").write_text("")
    (project / "d").mkdir()
    (project / "d/changed").write_text("before")

    others = "for each in $(cat /proc/$PPID/task/*/children); do cat /proc/$each/comm; done"
    found = outputs(project, f"rm 7; {others} > d/changed")

    assert {*(project / "d/changed").read_text().split()} == {"sh"}, "no child like us is left"
    assert {path: told["change"] for path, told in found.items()} == {"7": "removed", "d/changed": "changed"}


def test_a_file_that_the_capture_moves_was_never_there(project: Path) -> None:
    (project / "capsula.toml").write_text(PLAIN + '[capture.files]\n"a.txt" = { move = true }\n')
    (project / "a.txt").write_text("a")

    assert outputs(project, "ls") == {}


def test_a_run_that_writes_nothing_has_no_outputs(project: Path) -> None:
    assert outputs(project, "cat capsula.toml") == {}


def test_what_is_declared_is_told_once(project: Path) -> None:
    (project / "capsula.toml").write_text(PLAIN + '[monitor.item.run.files]\n"a.txt" = { copy = true }\n')

    found = outputs(project, "echo 1 > a.txt; echo 2 > b.txt", "-i", "run")

    after = document(only_capsule(project), "post-run-info.json")
    assert (list(found), list(after["files"])) == (["b.txt"], ["a.txt"])


def test_caches_and_hidden_folders_are_no_outputs(project: Path) -> None:
    command = "mkdir -p __pycache__ .cache venv; touch __pycache__/a .cache/b venv/pyvenv.cfg venv/d"

    assert outputs(project, command) == {}


def test_capsules_are_no_outputs_in_whatever_vault_they_are(project: Path) -> None:
    found = outputs(project, "mkdir -p other/.capsula other/run; touch other/run/context.json beside")

    assert list(found) == ["beside"]


def test_beyond_the_limit_the_smaller_files_are_kept_and_the_others_told(project: Path) -> None:
    (project / "capsula.toml").write_text(f"{PLAIN}[monitor]\noutput-limit = 10\n")

    found = outputs(project, "printf 12345678 > a; printf 123 > b; printf 12345 > c; head -c 200 /dev/zero > d")

    assert [path for path, entry in found.items() if "kept_as" in entry] == ["b", "c"]
    assert found["a"]["file_hash"] == hashlib.sha256(b"12345678").hexdigest()
    assert found["d"] == {"change": "new", "hash_algorithm": None, "file_hash": None, "size": 200}


def test_a_link_is_told_and_not_followed(project: Path) -> None:
    found = outputs(project, "ln -s /etc/passwd link")

    assert found == {"link": {"change": "new", "link": "/etc/passwd"}}


def test_looking_for_outputs_can_be_switched_off(project: Path) -> None:
    (project / "capsula.toml").write_text(f"{PLAIN}[monitor]\nfind-outputs = false\n")

    capsula("monitor", "touch", "new", cwd=project)

    after = document(only_capsule(project), "post-run-info.json")
    assert ("outputs" in after, faults(after)) == (False, [])
