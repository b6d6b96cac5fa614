"""``capsula list`` and ``capsula show``, on capsules of real runs and on hostile ones."""

import io
import json
import os
import pty
import subprocess
import sys
import termios
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pygit2
import pytest
from attrs import frozen

from capsula.cli import list as listing
from capsula.cli import show
from capsula.cli.console import Console
from capsula.cli.tables import aligned, lasting, moment, shortened
from capsula.core.config import Config, Surroundings
from capsula.core.document import dumps
from capsula.core.fault import Json
from capsula.core.naming import memorable
from capsula.core.settings import CaptureSettings, FileSettings, Settings
from capsula.flows.capsule import Capsule
from capsula.flows.monitor import monitor

OTTER = "15a5" + "0" * 28


@frozen
class Said:
    status: int
    out: str
    err: str


def said(command: ModuleType, root: Path, *words: str) -> Said:
    """Run a command in this process, for a configuration in ``root``."""
    parser = ArgumentParser()
    parser.set_defaults(directory=root)
    command.arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    status = command.run(parser.parse_args(words), Console(stdout=out, stderr=err, environ={}))
    return Said(status, out.getvalue(), err.getvalue())


def monitored(root: Path, *argv: str, files: Mapping[str, FileSettings] | None = None) -> Capsule:
    capturing = CaptureSettings(
        include_cpu=False, include_python_packages=False, environment_variables=("HOME", "UNSET"), files=files or {}
    )
    surroundings = Surroundings(root, {**os.environ, "HOME": "/home/user"}, argv, sys.executable)
    capsule = monitor(Config(root, Settings(capture=capturing), surroundings)).capsule
    assert capsule is not None
    return capsule


def written(root: Path, name: str = "a", day: int = 1, /, **facts: Json) -> Path:
    """Write the capsule of a run that ended; both of its documents have the facts."""
    directory = root / "vault" / name
    directory.mkdir(parents=True)
    header: dict[str, Json] = {"format": 1, "id": OTTER, "taken": f"2024-01-{day:02}T12:00:00+00:00", "faults": []}
    for file, status in (("pre-run-info.json", "running"), ("post-run-info.json", "finished")):
        (directory / file).write_bytes(dumps({"capsula": {**header, "status": status}, **facts}))
    return directory


def repository(root: Path) -> str:
    """Make a repository with one commit and an untracked file, and return the commit."""
    made = pygit2.init_repository(root, initial_head="main")
    someone = pygit2.Signature("A", "a@b")
    tree = made.index.write_tree()
    (root / "new.txt").write_text("new\n")
    return str(made.create_commit("HEAD", someone, someone, "first", tree, []))


@pytest.mark.parametrize(
    ("words", "out"),
    [((), "there is no capsule in {} yet; make one: capsula monitor -- COMMAND\n"), (("--json",), "[]\n")],
)
def test_an_empty_vault_says_what_to_type(tmp_path: Path, words: tuple[str, ...], out: str) -> None:
    assert said(listing, tmp_path, *words) == Said(0, out.format(tmp_path / "vault"), "")


def test_a_list_tells_a_run_in_a_line(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    capsule = monitored(tmp_path, "sh", "-c", "exit 3")

    listed = said(listing, tmp_path)

    titles, line = listed.out.splitlines()
    words = line.split()
    assert titles.split() == ["CAPSULE", "NAME", "WHEN", "STATE", "EXIT", "TOOK", "COMMIT", "RAN"]
    assert words[:2] + words[3:5] == [memorable(capsule.header.id), capsule.name, "failed", "3"]
    assert words[7:] == [f"{commit[:7]}*", "sh", "-c", "'exit", "3'"]
    assert (listed.status, listed.err) == (0, "")


def test_a_list_for_programs_has_every_key(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    capsule = monitored(tmp_path, "sh", "-c", "exit 3")

    listed = said(listing, tmp_path, "--json")

    (account,) = json.loads(listed.out)
    run_time = capsule.documents["post-run-info.json"]["run_time"]
    assert account == {
        "directory": str(capsule.directory),
        "name": capsule.name,
        "memorable": memorable(capsule.header.id),
        "id": capsule.header.id,
        "state": "failed",
        "taken": capsule.header.taken.isoformat(),
        "run_time": run_time,
        "exit_code": 3,
        "command": ["sh", "-c", "exit 3"],
        "function": None,
        "commit": commit,
        "dirty": True,
        "parent": None,
        "note": None,
    }


def test_a_call_is_told_as_python_has_it(tmp_path: Path) -> None:
    written(tmp_path, function_name="main", args=[10, "a", {"type": "set", "repr": "{1}"}], kwargs={"seed": None})

    (account,) = json.loads(said(listing, tmp_path, "--json").out)

    call = "main(10, 'a', {1}, seed=None)"
    assert (account["function"], account["command"]) == (call, None)
    assert said(listing, tmp_path).out.endswith(f"  {call}\n")


def test_a_broken_capsule_is_listed_among_the_others(tmp_path: Path) -> None:
    written(tmp_path, "a")
    (written(tmp_path, "b", 2) / "post-run-info.json").write_text("{")

    listed = said(listing, tmp_path, "--json")

    assert [(it["name"], it["state"]) for it in json.loads(listed.out)] == [("b", "broken"), ("a", "finished")]
    assert (listed.status, listed.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "names", "last"),
    [
        ((), [f"run{day}" for day in range(25, 5, -1)], "5 more; see capsula list --all"),
        (("-n", "2"), ["run25", "run24"], "23 more; see capsula list --all"),
        (("--all",), [f"run{day}" for day in range(25, 0, -1)], None),
    ],
)
def test_a_list_is_bounded_and_says_what_it_leaves_out(
    tmp_path: Path, words: tuple[str, ...], names: list[str], last: str | None
) -> None:
    for day in range(1, 26):
        written(tmp_path, f"run{day}", day)

    _, *lines = said(listing, tmp_path, *words).out.splitlines()

    shown = lines[:-1] if last else lines
    assert [line.split()[1] for line in shown] == names
    assert last is None or lines[-1] == last


def test_a_list_for_programs_is_whole(tmp_path: Path) -> None:
    for day in range(1, 26):
        written(tmp_path, f"run{day}", day)

    assert len(json.loads(said(listing, tmp_path, "--json").out)) == 25
    assert len(json.loads(said(listing, tmp_path, "--json", "-n", "3").out)) == 3


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "²", "9" * 5000])
def test_a_count_that_is_none_is_a_mistake(tmp_path: Path, count: str) -> None:
    with pytest.raises(SystemExit):
        said(listing, tmp_path, "-n", count)


def test_a_vault_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "vault").touch()

    assert said(listing, tmp_path).status == 1
    assert said(show, tmp_path).status == 1


def test_a_name_that_begins_as_json_does_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "vault" / "{a").mkdir(parents=True)
    (tmp_path / "vault" / "{a" / "context.json").write_text("broken")

    assert said(listing, tmp_path, "--names") == Said(0, "{a\n", "")


def test_a_duration_beyond_all_numbers_is_told_as_it_stands(tmp_path: Path) -> None:
    endless = f"P{'9' * 5000}D"
    written(tmp_path, run_time=endless)

    assert endless in said(listing, tmp_path).out


def test_a_mistaken_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text("odd = 1\n")

    assert [said(listing, tmp_path).status, said(show, tmp_path).status] == [2, 2]


def test_nothing_that_a_capsule_holds_reaches_the_terminal_unescaped(tmp_path: Path) -> None:
    evil = "\x1b]0;pwned\x07\x9b2J\r\n\udce9"
    directory = written(
        tmp_path,
        f"a{evil}".replace("\n", ""),
        args=[evil],
        cwd=evil,
        items=[evil],
        run_time=evil,
        exit_code=evil,
        signal=evil,
        stdout=evil,
        stderr=evil,
        records={evil: evil},
        files={evil: {"file_hash": evil, "hash_algorithm": evil, "kept_as": evil}},
        exception_info={"error_type": evil, "error_message": evil},
        return_value=evil,
    )
    (directory / "context.json").write_bytes(
        dumps(
            {
                "git": {evil: {"sha": evil, "branch": evil, "dirty": True, "changes": {evil: evil}}},
                "environment_variables": {evil: evil},
                "python_packages": {"interpreter": {"version": evil, "executable": evil}, "distributions": {}},
                "cpu": {"brand_raw": evil},
                "capsula": {"format": 1, "id": OTTER, "parent": evil, "faults": [{"path": [evil], "message": evil}]},
            }
        )
    )

    printed = [said(command, tmp_path, *words) for command in (listing, show) for words in ((), ("--json",))]

    assert [it.status for it in printed] == [0, 0, 0, 0]
    assert all(character.isprintable() or character == "\n" for it in printed for character in it.out + it.err)


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [[]], {"a": 1}, [{"a": {}}], True])
def test_facts_of_any_kind_are_shown(tmp_path: Path, odd: Json) -> None:
    keys = "args cwd items run_time exit_code signal stdout records files exception_info git environment_variables cpu"
    facts = dict.fromkeys([*keys.split(), "python_packages", "platform", "source_file", "kwargs"], odd)
    directory = written(tmp_path, "a", 1, **facts)
    header: dict[str, Json] = {"format": 1, "id": OTTER, "faults": odd, "parent": odd, "status": odd}
    (directory / "context.json").write_bytes(dumps({**facts, "capsula": header}))

    printed = [said(command, tmp_path, *words).status for command in (listing, show) for words in ((), ("--json",))]

    assert printed == [0, 0, 0, 0]


def test_show_tells_what_is_known_of_a_run(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    script = "seq 12; echo oh >&2; kill -9 $$"
    capsule = monitored(tmp_path, "sh", "-c", script, files={"new.txt": FileSettings(hash="sha256", copy=True)})

    shown = said(show, tmp_path)

    name = memorable(capsule.header.id)
    took = lasting(capsule.documents["post-run-info.json"]["run_time"])
    assert shown.out.splitlines() == [
        f"{name}  {capsule.name}  killed",
        f"  taken        {capsule.header.taken:%Y-%m-%d %H:%M:%S %z}, took {took}",
        f"  ran          sh -c '{script}'",
        f"  in           {tmp_path}",
        "  exit         137, killed by SIGKILL",
        f"  git          {tmp_path.name}: {commit[:7]} on main, dirty (1 untracked)",
        "  environment  HOME=/home/user",
        "  files        new.txt: 4 bytes, sha256 7aa7a5359173, kept",
        f"  python       {sys.version.split()[0]}",
        "  stdout       (2 more before)",
        *(f"               {number}" for number in range(3, 13)),
        "  stderr       oh",
        "  faults       context.json > environment_variables > UNSET: UNSET is not set",
        f"  holds        {capsule.directory}",
        "                 .capsula/manifest.json",
        f"                 .capsula/source/{tmp_path.name}.pack",
        f"                 .capsula/source/{tmp_path.name}.tar.gz",
        "                 context.json",
        "                 new.txt",
        "                 post-run-info.json",
        "                 pre-run-info.json",
        "                 stderr.log",
        "                 stdout.log",
        f"                 {tmp_path.name}.diff",
    ]
    assert (shown.status, shown.err) == (0, "")


def test_show_tells_what_is_known_of_a_call(tmp_path: Path) -> None:
    raised = {"error_type": "ValueError", "error_message": "no"}
    given: dict[str, Json] = {
        "source_file": "/pi.py",
        "source_line": 12,
        "function_name": "main",
        "args": [],
        "kwargs": {},
    }
    written(tmp_path, "a", 1, **given, return_value=None, exception_info=raised, records={"loss": 0.5})

    lines = said(show, tmp_path).out.splitlines()

    assert lines[2:7] == [
        "  ran          main()",
        "  source       /pi.py:12",
        "  returned     null",
        "  raised       ValueError",
        "               no",
    ]
    assert lines[7] == "  records      loss = 0.5"


def test_show_for_programs_gives_the_documents(tmp_path: Path) -> None:
    capsule = monitored(tmp_path, "true")

    shown = json.loads(said(show, tmp_path, capsule.name, "--json").out)

    assert shown == {
        "directory": str(capsule.directory),
        "name": capsule.name,
        "memorable": memorable(capsule.header.id),
        "state": "finished",
        "documents": {path.name: json.loads(path.read_bytes()) for path in capsule.directory.glob("*.json")},
    }


def test_show_finds_an_older_one(tmp_path: Path) -> None:
    written(tmp_path, "a", 1)
    written(tmp_path, "b", 2)

    assert said(show, tmp_path, "@1").out.startswith("brave-otter  a  finished\n")


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("brave-oter", "there is no capsule 'brave-oter'; did you mean brave-otter? (see capsula list)"),
        (
            "run",
            (
                "'run' may be any of 2 capsules: run2 (brave-otter), run1 (brave-otter)"
                " (write more of the name, or the path)"
            ),
        ),
        ("\x1b", "there is no capsule '\\x1b' (see capsula list)"),
    ],
)
def test_show_tells_which_capsule_is_not_known(tmp_path: Path, reference: str, told: str) -> None:
    written(tmp_path, "run1", 1)
    written(tmp_path, "run2", 2)

    assert said(show, tmp_path, reference) == Said(2, "", f"capsula: {told}\n")


def test_show_tells_what_cannot_be_read_and_shows_the_rest(tmp_path: Path) -> None:
    (written(tmp_path, args=["true"]) / "context.json").write_text("{")

    shown = said(show, tmp_path)

    assert shown.status == 1
    assert "  ran          true\n" in shown.out
    assert shown.err.startswith("capsula: context.json: ")
    assert shown.err.count("\n") == 1


def test_a_terminal_is_kept_to_and_coloured(tmp_path: Path) -> None:
    written(tmp_path, "20240101_120000", args=["echo", "word" * 50])
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    environ = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}

    command = [sys.executable, "-m", "capsula", "-C", str(tmp_path), "list"]
    subprocess.run(command, stdout=terminal, env={**environ, "TERM": "xterm"}, check=True)

    _, line = os.read(controller, 65536).decode().splitlines()
    for descriptor in (controller, terminal):
        os.close(descriptor)
    plain = line.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[32m", "")
    assert "\x1b[1mbrave-otter\x1b[0m" in line
    assert "\x1b[32mfinished\x1b[0m" in line
    assert (len(plain), plain[-1]) == (80, "…")


def test_a_pipe_gets_all_of_it(tmp_path: Path) -> None:
    written(tmp_path, args=["echo", "word" * 500])

    assert said(listing, tmp_path).out.endswith("  echo " + "word" * 500 + "\n")


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (datetime(2024, 7, 12, 18, 9, tzinfo=UTC), "18:09"),
        (datetime(2024, 7, 11, 18, 9, tzinfo=UTC), "11 Jul 18:09"),
        (datetime(2023, 7, 12, 18, 9, tzinfo=UTC), "2023-07-12"),
    ],
)
def test_a_moment_is_told_as_short_as_it_is_clear(when: datetime, expected: str) -> None:
    assert moment(when, datetime(2024, 7, 12, 23, 0, tzinfo=UTC)) == expected


def test_wide_characters_take_their_room() -> None:
    assert aligned([["結果", "x"], ["a", "y"]]) == [["結果", "x"], ["a   ", "y"]]
    assert [shortened("結果です", 8), shortened("結果です", 6), shortened("abc", 2)] == ["結果です", "結果…", "a…"]
    assert len(shortened("a" + "\u0301" * 100_000, 8)) == 9
