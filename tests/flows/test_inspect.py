"""Finding capsules again, in vaults that real runs and odd hands have filled."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from returns.result import Failure, Result, Success

from capsula.core.config import Config, Surroundings
from capsula.core.document import LARGEST, dumps
from capsula.core.fault import Fault, Json
from capsula.core.settings import CaptureSettings, GitSettings, Settings
from capsula.effects.surroundings import process, started
from capsula.flows.capture import capture
from capsula.flows.inspect import Entry, capsules, found, held, inspected, kept
from capsula.flows.monitor import monitor

OTTER = "15a5f" + "0" * 27
SECOND_OTTER = "15a5" + "1" * 28
WOLF = "15f9" + "a" * 28


def written(directory: Path, identity: str = OTTER, day: int = 1, **documents: Mapping[str, Json]) -> Path:
    """Write a capsule by hand; ``before`` and ``after`` are its run, ``context`` what is around it."""
    names = {"context": "context.json", "before": "pre-run-info.json", "after": "post-run-info.json"}
    directory.mkdir(parents=True)
    for key, facts in (documents or {"context": {}}).items():
        taken = f"2024-01-{day:02}T12:00:00+00:00"
        header: dict[str, Json] = {"format": 1, "id": identity, "taken": taken, "status": "running", "faults": []}
        given = facts.get("capsula", {})
        assert isinstance(given, Mapping)
        (directory / names[key]).write_bytes(dumps({**facts, "capsula": {**header, **given}}))
    return directory


def config(root: Path, *argv: str, template: str = "%Y%m%d_%H%M%S") -> Config:
    capturing = CaptureSettings(include_cpu=False, include_python_packages=False, git=GitSettings({}))
    settings = Settings(capsule_template=template, capture=capturing)
    return Config(root, settings, Surroundings(root, dict(os.environ), argv, "python"))


def names(vault: Path) -> list[str]:
    return [entry.name for entry in capsules(vault).unwrap()]


def state(directory: Path) -> str:
    return inspected(only(directory.parent)).state


def only(vault: Path) -> Entry:
    (entry,) = capsules(vault).unwrap()
    return entry


@contextmanager
def sleeping() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        yield sleeper.pid
        sleeper.kill()


def directory_of(answer: Result[Entry, Fault]) -> Path:
    return answer.unwrap().directory


def test_a_captured_context_is_listed_and_read(tmp_path: Path) -> None:
    capsule = capture(config(tmp_path)).unwrap()

    entry = only(tmp_path / "vault")

    header = capsule.header
    assert entry == Entry(capsule.directory, capsule.name, header.id, header.taken)
    assert inspected(entry).state == "captured"
    assert inspected(entry).documents == capsule.documents
    assert inspected(entry).faults == ()


@pytest.mark.parametrize(
    ("command", "expected"),
    [("true", "finished"), ("exit 3", "failed"), ("kill -9 $$", "killed"), ("exit 130", "interrupted")],
)
def test_a_run_that_ended_says_how(tmp_path: Path, command: str, expected: str) -> None:
    capsule = monitor(config(tmp_path, "sh", "-c", command)).capsule
    assert capsule is not None

    read = inspected(only(tmp_path / "vault"))

    assert (read.state, read.documents, read.faults) == (expected, capsule.documents, ())


def test_a_run_is_running_while_its_process_lives_and_lost_after(tmp_path: Path) -> None:
    with sleeping() as pid:
        there = {**process(), "pid": pid, "started": started(pid)}
        directory = written(tmp_path / "vault" / "a", before={"capsula": {"process": there}})

        during = state(directory)

    assert (during, state(directory)) == ("running", "lost")


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        ({}, "running"),
        ({"boot_id": "00000000-0000-0000-0000-000000000000"}, "lost"),
        ({"started": 1}, "lost"),
        ({"host": "elsewhere"}, "unknown, last seen on elsewhere"),
        ({"boot_id": None}, "unknown"),
    ],
)
def test_a_process_is_told_from_every_other(tmp_path: Path, difference: Mapping[str, Json], expected: str) -> None:
    there = {**process(), **difference}

    directory = written(tmp_path / "vault" / "a", before={"capsula": {"process": there}})

    assert state(directory) == expected


def test_a_process_is_known_whatever_it_is_called() -> None:
    name = Path("/proc/self/comm")
    called, known = name.read_text(), process()["started"]

    name.write_text("a) R 1 (b")
    try:
        seen = started(os.getpid())
    finally:
        name.write_text(called)

    assert seen == known


def test_a_run_that_was_refused_says_so(tmp_path: Path) -> None:
    directory = written(tmp_path / "vault" / "a", before={}, after={"capsula": {"status": "refused"}})

    assert state(directory) == "refused"


def test_capsules_are_found_at_any_depth_the_newest_first(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    written(vault / "2024" / "01" / "02_10", day=2)
    written(vault / "b", day=3)
    written(vault / "a", day=3, before={})
    written(vault / "2023", day=1)

    assert names(vault) == ["b", "a", "2024/01/02_10", "2023"]


def test_a_nested_template_is_found(tmp_path: Path) -> None:
    capsule = capture(config(tmp_path, template="%Y/%m/%d_%H%M%S")).unwrap()

    assert only(tmp_path / "vault").name == capsule.directory.relative_to(tmp_path / "vault").as_posix()


def test_what_is_no_capsule_of_the_vault_is_not_listed(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    written(vault / "a")
    written(vault / "a" / "files" / "kept", day=2)
    written(vault / ".capsula" / "building" / "b")
    (vault / "link").symlink_to(written(tmp_path / "elsewhere" / "c"))
    (vault / "empty").mkdir()
    (vault / ".gitignore").write_text("*\n")

    assert names(vault) == ["a"]


def test_a_vault_that_is_not_there_is_empty_and_one_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert capsules(tmp_path / "vault") == Success(())
    assert isinstance(capsules(tmp_path / "file"), Failure)


def test_reading_writes_nothing(tmp_path: Path) -> None:
    directory = written(tmp_path / "vault" / "a", before={})
    for path in (directory / "pre-run-info.json", directory, tmp_path / "vault"):
        os.utime(path, (1, 1))

    inspected(only(tmp_path / "vault"))

    paths = [directory.parent, directory, directory / "pre-run-info.json"]
    assert [*tmp_path.rglob("*")] == paths
    assert [path.stat().st_mtime for path in paths] == [1, 1, 1]


def test_a_malformed_document_costs_only_itself(tmp_path: Path) -> None:
    directory = written(tmp_path / "vault" / "a", before={}, after={"capsula": {"status": "finished"}})
    (directory / "context.json").write_text("{")

    read = inspected(only(tmp_path / "vault"))

    assert (read.state, [*read.documents]) == ("finished", ["pre-run-info.json", "post-run-info.json"])
    assert [(fault.kind, fault.path) for fault in read.faults] == [("malformed", ("context.json",))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"", "broken"), (b"[1]", "broken"), (b"\xff", "broken"), (b'{"capsula": {"format": 2}}', "newer")],
)
def test_a_capsule_that_cannot_be_read_is_listed(tmp_path: Path, text: bytes, expected: str) -> None:
    directory = tmp_path / "vault" / "a"
    directory.mkdir(parents=True)
    (directory / "context.json").write_bytes(text)
    os.utime(directory, (1_700_000_000, 1_700_000_000))

    entry = only(tmp_path / "vault")

    assert entry == Entry(directory, "a", None, datetime.fromtimestamp(1_700_000_000, UTC))
    assert (entry.memorable, inspected(entry).state, len(inspected(entry).faults)) == (None, expected, 1)


def test_a_broken_document_leaves_the_id_to_the_next(tmp_path: Path) -> None:
    directory = written(tmp_path / "vault" / "a", before={}, context={})
    (directory / "pre-run-info.json").write_text("{")

    entry = only(tmp_path / "vault")

    assert (entry.id, inspected(entry).state) == (OTTER, "broken")


def test_a_document_that_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "vault" / "a").mkdir(parents=True)
    (tmp_path / "vault" / "b" / "pre-run-info.json").mkdir(parents=True)
    os.mkfifo(tmp_path / "vault" / "a" / "context.json")

    assert [inspected(entry).state for entry in capsules(tmp_path / "vault").unwrap()] == ["broken", "broken"]


def test_a_document_without_bounds_is_not_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a/context.json").symlink_to("/dev/zero")
    with (tmp_path / "b/context.json").open("wb") as large:
        large.truncate(LARGEST + 1)

    told = {it.name: inspected(it).faults[0].message for it in capsules(tmp_path).unwrap()}

    assert told == {"a": "is not a regular file", "b": f"is larger than {LARGEST} bytes"}


@pytest.mark.parametrize("taken", ["yesterday", 5, None, "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_that_of_the_directory(tmp_path: Path, taken: Json) -> None:
    directory = written(tmp_path / "vault" / "a", context={"capsula": {"taken": taken}})
    os.utime(directory, (1_700_000_000, 1_700_000_000))

    assert only(tmp_path / "vault").taken == datetime.fromtimestamp(1_700_000_000, UTC)


def test_a_capsule_without_headers_is_read(tmp_path: Path) -> None:
    directory = tmp_path / "vault" / "20230712_180929"
    directory.mkdir(parents=True)
    timestamp = "2023-07-12T18:09:29.490877+09:00"
    (directory / "pre-run-info.json").write_bytes(dumps({"timestamp": timestamp, "args": ["python", "pi.py"]}))
    (directory / "context.json").write_bytes(dumps({"cwd": "/"}))
    (directory / "post-run-info.json").write_bytes(dumps({"timestamp": timestamp, "run_time": "PT2S", "exit_code": 0}))

    entry = only(tmp_path / "vault")
    read = inspected(entry)

    ids = {document["capsula"]["id"] for document in read.documents.values()}  # type: ignore[index, call-overload]  # Json
    assert (ids, entry.taken) == ({entry.id}, datetime.fromisoformat(timestamp))
    assert (read.state, read.faults) == ("finished", ())


@pytest.mark.parametrize(
    "reference",
    [
        "2024/01/02_10",
        "2024/01/02_10/",
        "02_10",
        "brave-otter",
        "Brave-Otter",
        "brave-o",
        "BRAVE-O",
        OTTER,
        OTTER[:5],
        OTTER[:5].upper(),
        "2024/",
        "@1",
        "vault/2024/01/02_10",
        "./vault/../vault/2024/01/02_10/",
    ],
)
def test_a_capsule_is_found_by_any_of_its_names(tmp_path: Path, reference: str) -> None:
    vault = tmp_path / "vault"
    wanted = written(vault / "2024" / "01" / "02_10", OTTER, day=2)
    written(vault / "b", WOLF, day=3)
    written(vault / "a", "0" * 32, day=1)

    answer = found(reference, vault, tmp_path)

    taken = datetime(2024, 1, 2, 12, tzinfo=UTC)
    assert answer == Success(Entry(wanted, "2024/01/02_10", OTTER, taken))


def test_an_at_sign_is_the_newest(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        written(tmp_path / "vault" / str(day), day=day)

    found_ones = [found(reference, tmp_path / "vault", tmp_path) for reference in ("@", "@0", "@1", "@2")]

    assert [answer.unwrap().name for answer in found_ones] == ["3", "3", "2", "1"]


def test_a_whole_name_goes_before_the_beginning_of_another(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    wanted = written(vault / "run")
    written(vault / "run_2", WOLF)

    assert directory_of(found("run", vault, tmp_path)) == wanted


@pytest.mark.parametrize("reference", [".", "../c", "{}/elsewhere/c"])
def test_a_capsule_outside_the_vault_is_found_by_its_path(tmp_path: Path, reference: str) -> None:
    directory = written(tmp_path / "elsewhere" / "c")

    answer = found(reference.format(tmp_path), tmp_path / "vault", directory)

    assert (directory_of(answer), answer.unwrap().name) == (directory, "c")


@pytest.mark.parametrize("reference", ["brave-otter", "bra", "run", "15a5"])
def test_an_ambiguous_reference_lists_the_candidates(tmp_path: Path, reference: str) -> None:
    vault = tmp_path / "vault"
    written(vault / "run_1", OTTER, day=1)
    written(vault / "run_2", SECOND_OTTER, day=2)

    message = f"'{reference}' may be any of 2 capsules: run_2 (brave-otter), run_1 (brave-otter)"
    fault = Fault("ambiguous", message, "write more of the name, or the path")
    assert found(reference, vault, tmp_path) == Failure(fault)


def test_only_so_many_candidates_are_listed(tmp_path: Path) -> None:
    for number in range(12):
        written(tmp_path / "vault" / f"run_{number}")

    answer = found("run", tmp_path / "vault", tmp_path)

    assert answer.failure().message.endswith("run_11 (brave-otter), run_10 (brave-otter), 2 more")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("brave-oter", "there is no capsule 'brave-oter'; did you mean brave-otter?"),
        ("15a", "there is no capsule '15a'"),
        ("", "there is no capsule ''"),
        ("/", "there is no capsule ''"),
        ("x" * 5000, f"there is no capsule '{'x' * 5000}'"),
        ("@1", "@1 is none: there is only one capsule"),
        ("@" + "9" * 5000, f"there is no capsule '@{'9' * 5000}'"),
    ],
)
def test_an_unknown_capsule_is_told_with_the_nearest(tmp_path: Path, reference: str, message: str) -> None:
    written(tmp_path / "vault" / "run")

    answer = found(reference, tmp_path / "vault", tmp_path)

    assert answer == Failure(Fault("unknown capsule", message, "see capsula list"))


def test_an_empty_vault_says_what_to_do(tmp_path: Path) -> None:
    answer = found("@", tmp_path / "vault", tmp_path)

    message = f"there is no capsule in {tmp_path / 'vault'} yet"
    assert answer == Failure(Fault("unknown capsule", message, "make one: capsula monitor -- COMMAND"))


def test_a_name_that_is_not_text_is_listed_and_found(tmp_path: Path) -> None:
    directory = written(tmp_path / "vault" / os.fsdecode(b"caf\xe9"))

    assert only(tmp_path / "vault").name == "caf\udce9"
    assert directory_of(found("caf", tmp_path / "vault", tmp_path)) == directory


def test_what_a_capsule_holds_is_listed(tmp_path: Path) -> None:
    directory = written(tmp_path / "a")
    (directory / "files" / "b").mkdir(parents=True)
    (directory / "files" / "b" / "c.txt").touch()

    assert held(directory) == ("context.json", "files/b/c.txt")


@pytest.mark.parametrize(
    "place", ["../out", "/etc/hostname", "link", "way/out", "a\0b", "\ud800", "d", "gone", 1, None]
)
def test_what_a_capsule_does_not_hold_it_does_not_keep(tmp_path: Path, place: Json) -> None:
    capsule = tmp_path / "capsule"
    (capsule / "d").mkdir(parents=True)
    (tmp_path / "out").write_text("")
    (capsule / "link").symlink_to("../out")
    (capsule / "way").symlink_to("..")

    assert kept(capsule, {"kept_as": place}) is None


def test_a_file_that_a_capsule_holds_is_found(tmp_path: Path) -> None:
    (tmp_path / "capsule/d").mkdir(parents=True)
    (tmp_path / "capsule/d/a").write_text("")
    (tmp_path / "way").symlink_to("capsule")

    assert kept(tmp_path / "way", {"kept_as": "d/a"}) == tmp_path / "way/d/a"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs: linux")
def test_a_capsule_that_last_changed_in_no_year_of_ours_is_listed() -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        capsule = Path(folder, "capsule")
        capsule.mkdir()
        (capsule / "context.json").touch()
        os.utime(capsule, (1e12, 1e12))

        (entry,) = capsules(Path(folder)).unwrap()

    assert (entry.name, entry.taken) == ("capsule", datetime.fromtimestamp(0, UTC))
