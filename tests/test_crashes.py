"""Whatever fails, and wherever: a capsule is whole or says that it is not, and nothing of the user's is lost.

Each operation on the vault and on a file that is moved into it is made to fail in its turn, and the process to die at
it. `make crash` tries all of them; without EVERY_OPERATION it is all deaths of a capture, and a sample of the rest.
"""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from signal import SIGINT, SIGKILL
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pygit2
import pytest
from attrs import frozen

from capsula.effects.manifest import integrity
from tests.faulty import INTERRUPT, KILL, Ended, Faulty, faulty
from tests.running import PLAIN, capsula, capsules, document, environment, faults

pytestmark = pytest.mark.slow

CONTENT = b"the only copy of what took a week\n" * 100
COMMAND = ("sh", "-c", "yes 'the only copy of what took a week' | head -n 100 > moved; echo out; echo err >&2; exit 3")
CONFIGURATION = f"""
vault-directory = "{{vault}}"
{PLAIN}
[capture.files]
{{captured}}
[monitor.item.it.files]
moved = {{{{ hash = "sha256", move = true }}}}
"""
MOVED = '"moved" = { hash = "sha256", move = true }'
DOCUMENTS = ("context.json", "pre-run-info.json", "post-run-info.json")

WORDS = {"capture": ("capture",), "monitor": ("monitor", "-i", "it", *COMMAND)}
FAULTS = {
    "a death": (KILL, False),
    "a full disk": (errno.ENOSPC, True),
    "a full quota": (errno.EDQUOT, True),
    "an error of the disk": (errno.EIO, False),
    "a refusal": (errno.EACCES, False),
}
INTERRUPTED = {
    "capture": {(-SIGINT,), (-SIGINT, "captured")},
    "monitor": {(-SIGINT,), (-SIGINT, "lost"), (3, "failed")},
}
"""How that may end, and what is in the vault then."""
TAKEN_SPACE = {errno.ENOSPC, errno.EDQUOT}
"""With these, what was begun can still be removed."""
SAMPLE = 11


@frozen
class Place:
    """A root with one file to move, and the vault it is moved into."""

    root: Path
    vault: Path

    @property
    def moved(self) -> Path:
        return self.root / "moved"

    @property
    def capsules(self) -> list[Path]:
        if not self.vault.is_dir():
            return []
        return sorted(it for it in self.vault.iterdir() if it.is_dir() and it.name != ".capsula")

    @property
    def half_built(self) -> Iterator[Path]:
        return (self.vault / ".capsula/building").glob("*")

    @property
    def watched(self) -> tuple[Path, Path]:
        return self.vault, self.moved


@frozen
class Stage:
    """What runs the command line, a project to copy, and places on two file systems, where there are two."""

    runner: Faulty
    project: Path
    disk: Path
    memory: Path
    """Waits for no disk."""

    def place(self, name: str, verb: str, *, is_near: bool = True) -> Place:
        """Return a fresh root with its vault beside it, or on the other file system."""
        root = (self.memory if is_near else self.disk) / name
        vault = self.memory / f"vault-{name}"
        shutil.copytree(self.project, root)
        captured = MOVED if verb == "capture" else ""
        (root / "capsula.toml").write_text(CONFIGURATION.format(vault=vault, captured=captured))
        place = Place(root, vault)
        if verb == "capture":
            place.moved.write_bytes(CONTENT)
        return place


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with faulty(tmp_path_factory.mktemp("faulty")) as made:
        yield made


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a change that is not committed."""
    root = tmp_path_factory.mktemp("project")
    (root / "code.py").write_text("a = 1\n")
    repository = pygit2.init_repository(root)
    repository.index.add("code.py")
    repository.index.write()
    author = pygit2.Signature("A", "a@example.org", 1, 0)
    repository.create_commit("HEAD", author, author, "one", repository.index.write_tree(), [])
    (root / "code.py").write_text("a = 2\n")
    return root


@pytest.fixture
def stage(runner: Faulty, project: Path, tmp_path: Path) -> Iterator[Stage]:
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as memory:
        yield Stage(runner, project, tmp_path, Path(memory))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("verb", "is_near"), [("capture", True), ("capture", False), ("monitor", True)], ids=["near", "far", "monitor"]
)
def test_nothing_is_lost_or_feigned_wherever_it_fails(verb: str, is_near: bool, fault: str, stage: Stage) -> None:
    error, sticky = FAULTS[fault]
    is_all = "EVERY_OPERATION" in os.environ or (error == KILL and verb == "capture" and is_near)
    step = 1 if is_all else SAMPLE
    tried = 0

    for at in range(1 + list(FAULTS).index(fault) % step, 1000, step):
        place = stage.place(str(at), verb, is_near=is_near)
        ended = stage.runner.run(WORDS[verb], place.root, place.watched, error=error, at=at, sticky=sticky)
        if not ended.was_hit:
            break
        tried += 1
        where = next(line for line in ended.operations if line.startswith("!"))
        wrong = troubles(verb, error, place, ended, stage.runner)
        assert wrong == [], f"{fault} at operation {at}: {where}\n{ended.stderr}"
        shutil.rmtree(place.root)
        shutil.rmtree(place.vault, ignore_errors=True)

    assert tried >= 20 // step


@pytest.mark.parametrize("verb", WORDS)
def test_an_interrupt_leaves_nothing_half_built_and_ends_us_before_the_command_alone(verb: str, stage: Stage) -> None:
    step = 1 if "EVERY_OPERATION" in os.environ else SAMPLE

    for at in range(2, 1000, step):
        place = stage.place(str(at), verb)
        ended = stage.runner.run(WORDS[verb], place.root, place.watched, error=INTERRUPT, at=at)
        if not ended.was_hit:
            break
        states = listed(place, stage.runner)
        assert (ended.status, *states.values()) in INTERRUPTED[verb]
        assert (any(place.half_built), is_safe(verb, place, ended.status == -SIGINT)) == (False, True), (at, ended)
        assert [it for capsule in place.capsules for it in flaws(capsule, states[capsule.name])] == []
        assert "Traceback" not in ended.stderr
        shutil.rmtree(place.root)
        shutil.rmtree(place.vault, ignore_errors=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_could_not_be_finished_is_open_and_can_be(fault: str, stage: Stage) -> None:
    error, sticky = FAULTS[fault]
    step = 1 if "EVERY_OPERATION" in os.environ else SAMPLE

    for at in range(1 + list(FAULTS).index(fault), 1000, step):
        place = stage.place(str(at), "start")
        stage.runner.run(("start", "-i", "it"), place.root)
        place.moved.write_bytes(CONTENT)
        ended = stage.runner.run(("finish",), place.root, place.watched, error=error, at=at, sticky=sticky)
        states = [*listed(place, stage.runner).values()]
        is_kept = is_safe("finish", place, is_dead=False)
        again = stage.runner.run(("finish", "@"), place.root)

        assert ("Traceback" in ended.stderr, is_kept) == (False, True), (at, ended)
        assert (states, again.status) in [(["open"], 0), (["finished"], 2)]
        assert (ended.status == 0) == (states == ["finished"])
        assert [it for capsule in place.capsules for it in flaws(capsule, "lost")] == []
        assert [*listed(place, stage.runner).values()] == ["finished"]
        shutil.rmtree(place.root)
        shutil.rmtree(place.vault)
        if not ended.was_hit:
            break


def test_what_is_told_again_since_a_file_could_not_be_removed_agrees_with_the_manifest_at_every_death(
    stage: Stage,
) -> None:
    calm = stage.place("calm", "capture")
    told = stage.runner.run(("capture",), calm.root, calm.watched, at=1000, held=calm.moved)
    (capsule,) = calm.capsules
    operations = [it for it in told.operations if not it.startswith("from ")]
    named = operations.index(f"rename {capsule}") + 1

    ends = [_after_a_death(stage, at) for at in range(named + 1, len(operations) + 1)]

    assert (told.status, "Permission denied" in told.stderr, calm.moved.exists()) == (0, True, True)
    assert document(capsule, "context.json")["files"]["moved"]["kept_as"] == "moved"
    assert (len(ends) > 10, [at for at, is_whole in enumerate(ends, named + 1) if not is_whole]) == (True, [])


def _after_a_death(stage: Stage, at: int) -> bool:
    place = stage.place(str(at), "capture")
    ended = stage.runner.run(("capture",), place.root, place.watched, at=at, held=place.moved)
    (capsule,) = place.capsules
    return ended.was_hit and place.moved.read_bytes() == CONTENT and integrity(capsule) == ()


def test_a_capsule_that_the_disk_may_lose_is_there_and_what_was_moved_into_it_stays_too(stage: Stage) -> None:
    calm, place = stage.place("calm", "capture"), stage.place("torn", "capture")
    operations = stage.runner.run(("capture",), calm.root, calm.watched).operations
    calls = [it for it in operations if not it.startswith("from ")]
    last = max(number for number, it in enumerate(calls, 1) if it == f"fsync {calm.vault}")

    ended = stage.runner.run(("capture",), place.root, place.watched, error=errno.EIO, at=last)

    (capsule,) = place.capsules
    told = f"what is new in {place.vault} is there, and may be lost if the power fails: Input/output error"
    assert (ended.status, ended.stderr.splitlines()[0].count(told)) == (0, 1)
    assert (place.moved.read_bytes(), (capsule / "moved").read_bytes()) == (CONTENT, CONTENT)
    assert "moved" not in document(capsule, "context.json")["files"]["moved"]
    assert integrity(capsule) == ()


def test_an_end_that_the_disk_may_lose_is_there_and_what_was_moved_stays_too(stage: Stage) -> None:
    place = stage.place("root", "monitor")
    words = ("monitor", "-i", "it", "cp", str(stage.project / "code.py"), "moved")
    at = last(words, r"fsync {vault}/[^./]+", place, stage.runner)

    ended = stage.runner.run(words, place.root, place.watched, error=errno.EIO, at=at)

    capsule = place.capsules[-1]
    end = document(capsule, "post-run-info.json")
    lost = f"what is new in {capsule} is there, and may be lost if the power fails: Input/output error"
    assert (ended.status, ended.stderr.count(lost)) == (0, 2)
    assert (place.moved.read_text(), (capsule / "moved").read_text()) == ("a = 2\n", "a = 2\n")
    assert [it["path"] for it in end["capsula"]["faults"]] == [["files", "moved", "moved"]]
    assert end["capsula"]["faults"][0]["message"] == f"it stays where it is: {lost}"
    assert (status(capsule, "post-run-info.json"), integrity(capsule)) == ("finished", ())


def test_a_manifest_that_cannot_be_written_costs_the_end_of_a_run_nothing_else(stage: Stage) -> None:
    place = stage.place("root", "monitor")
    words = WORDS["monitor"]
    at = last(words, r"create {vault}/[^./]+/\.capsula/manifest\.json\..*", place, stage.runner)

    ended = stage.runner.run(words, place.root, place.watched, error=errno.EIO, at=at)

    capsule = place.capsules[-1]
    (fault,) = document(capsule, "post-run-info.json")["capsula"]["faults"]
    told = "the manifest could not be brought up to date: Input/output error"
    assert (ended.status, ended.stdout, ended.stderr.count(told)) == (3, b"out\n", 1)
    assert (fault["path"], fault["message"]) == ([], told)
    assert (status(capsule, "post-run-info.json"), (capsule / "moved").read_bytes()) == ("failed", CONTENT)
    assert not place.moved.exists()


def test_a_command_is_refused_where_not_even_that_can_be_recorded(stage: Stage) -> None:
    place = stage.place("root", "monitor")
    words = ("monitor", "--strict", "touch", "ran")
    at = last(words, r"fsync {vault}", place, stage.runner)
    (place.root / "ran").unlink()

    ended = stage.runner.run(words, place.root, place.watched, error=errno.EIO, at=at, sticky=True)

    capsule = place.capsules[-1]
    lost, refused = ended.stderr.splitlines()
    assert (ended.status, ended.stdout, (place.root / "ran").exists()) == (125, b"", False)
    assert lost.startswith(f"capsula: not all is recorded: what is new in {place.vault} is there, and may be lost")
    assert f"the end of the run could not be recorded in {capsule}: Input/output error" in lost
    assert refused == "capsula: the command was not run, as --strict asks"
    assert listed(place, stage.runner)[capsule.name] == "lost"


def test_a_log_whose_end_the_disk_refuses_when_it_is_closed_is_told(stage: Stage) -> None:
    place = stage.place("root", "monitor")
    at = last(WORDS["monitor"], r"close {vault}/[^./]+/\w+\.log", place, stage.runner)

    ended = stage.runner.run(WORDS["monitor"], place.root, place.watched, error=errno.EIO, at=at)

    capsule = place.capsules[-1]
    (hit,) = (Path(line).stem for line in ended.operations if line.startswith("!close"))
    assert (ended.status, ended.stdout) == (3, b"out\n")
    assert f"{hit}: the log may be cut off: Input/output error" in ended.stderr
    assert faults(document(capsule, "post-run-info.json")) == [(("logs", hit), "failed")]
    assert integrity(capsule) == ()


def last(words: Sequence[str], pattern: str, place: Place, runner: Faulty) -> int:
    """Return the number of the last operation that is like this, where a run is not the first in its vault."""
    runner.run(words, place.root)
    operations = runner.run(words, place.root, place.watched).operations
    calls = [it for it in operations if not it.startswith("from ")]
    wanted = re.compile(pattern.format(vault=re.escape(str(place.vault))))
    return max(number for number, it in enumerate(calls, 1) if wanted.fullmatch(it))


@pytest.mark.parametrize("verb", WORDS)
def test_what_has_a_name_is_on_the_disk_before_it_gets_it(verb: str, stage: Stage) -> None:
    place = stage.place("root", verb)

    ended = stage.runner.run(WORDS[verb], place.root, (place.vault.parent,))

    (capsule,) = place.capsules
    assert ended.status == (0 if verb == "capture" else 3)
    assert unsafe(ended.operations, capsule, place.moved) == []


def test_a_clock_that_is_set_back_during_a_run_changes_no_duration_and_no_state(stage: Stage) -> None:
    place, past = stage.place("root", "monitor"), stage.memory / "past"

    first = stage.runner.run(("monitor", "touch", str(past)), place.root, past=past)
    second = stage.runner.run(("monitor", "true"), place.root, past=past)

    told = json.loads(stage.runner.run(("list", "--json"), place.root).stdout)
    records = [document(place.vault / it["name"], "post-run-info.json") for it in told]
    assert ((first.status, first.stderr), (second.status, second.stderr)) == ((0, ""), (0, ""))
    assert [it["state"] for it in told] == ["finished", "finished"]
    assert all(re.fullmatch(r"PT\d\.\d+S", record["run_time"]) for record in records)
    assert records[0]["timestamp"] < records[0]["started"]


LINES = 2000
KILLS = 50 if "EVERY_OPERATION" in os.environ else 10


def test_killed_at_any_moment_a_run_is_lost_or_whole(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN + '[capture.files]\n"moved-*" = { hash = "sha256", move = true }\n')
    (tmp_path / "write").write_text(f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i + 1)); done")
    words = [sys.executable, "-P", "-m", "capsula", "monitor", "sh", "write"]
    random, printed = Random(0), "".join(f"line {number}\n" for number in range(LINES))
    begun = monotonic()
    whole = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    usual = monotonic() - begun

    arrived = []
    for number in range(KILLS):
        (tmp_path / f"moved-{number}").write_text(str(number))
        with subprocess.Popen(words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as run:
            with suppress(subprocess.TimeoutExpired):
                arrived.append(run.communicate(timeout=random.uniform(0, usual))[0])
            run.kill()
    (tmp_path / f"moved-{KILLS}").write_text(str(KILLS))  # all others may be moved by now
    last = capsula("monitor", "sh", "-c", "exit 3", cwd=tmp_path)
    listed = json.loads(capsula("list", "--json", cwd=tmp_path).stdout)

    made = {tmp_path / "vault" / it["name"]: it["state"] for it in listed}
    moved = [text for file in tmp_path.rglob("moved-*") if ".capsula" not in file.parts for text in [file.read_text()]]
    logs = {capsule: capsule / "stdout.log" for capsule in made if (capsule / "stdout.log").exists()}
    assert (whole.stdout, last.returncode, last.stderr) == (printed, 3, "")
    assert all(printed.startswith(text) for text in (*arrived, *(log.read_text() for log in logs.values())))
    assert {state for capsule, state in made.items() if not is_true(capsule, state)} == set()
    assert sorted(made) == capsules(tmp_path)
    assert sorted(set(moved), key=int) == [str(number) for number in range(KILLS + 1)]
    assert [it for capsule, state in made.items() for it in flaws(capsule, state)] == []


def unsafe(operations: Sequence[str], capsule: Path, moved: Path) -> list[str]:
    """Return what a power cut could undo at a moment when somebody relies on it already: a content, or a name."""
    contents: set[str] = set()
    names: set[str] = set()
    found: list[str] = []
    for number, line in enumerate(operations):
        operation, _, path = line.partition(" ")
        match operation:
            case "create" | "mkdir" | "link":
                names.add(path)
            case "write" | "ftruncate64" | "fchmod" | "futimens" | "chmod":
                contents.add(path)
            case "fsync":
                contents.discard(path)
                names = {name for name in names if str(Path(name).parent) != path}
            case "rename":
                origin = operations[number + 1].removeprefix("from ")
                if Path(path).name != "manifest.json":  # it is synchronised with the capsule that it stands in
                    relied = contents | names - {origin}
                    found += [f"{it} before {line}" for it in relied if Path(it).is_relative_to(origin)]
                names = {name for name in names if name != origin} | {path}
                contents = {path if it == origin else it for it in contents}
            case "unlink" if path == str(moved):
                found += [f"{it} before {line}" for it in contents | names if _is_needed(it, capsule)]
            case "unlink" if path in contents:  # which has another name by now
                found.append(f"{path} before {line}")
    return found + [f"{it} at the end" for it in contents | names if _is_needed(it, capsule)]


def _is_needed(path: str, capsule: Path) -> bool:
    return Path(path).is_relative_to(capsule) or capsule.is_relative_to(path) or Path(path).name == "key"


def troubles(verb: str, error: int, place: Place, ended: Ended, runner: Faulty) -> list[str]:
    """Return what is not as it must be after a run that was disturbed."""
    told = [] if error == KILL else told_wrongly(verb, place, ended)
    is_dead = ended.status == -SIGKILL
    states = listed(place, runner)
    return [
        *told,
        *(["it should have died"] if is_dead != (error == KILL) else []),
        *([] if is_safe(verb, place, is_dead) else ["the moved file is gone"]),
        *([] if error not in TAKEN_SPACE or not any(place.half_built) else ["something half-built is left"]),
        *(f"{capsule.name}: {it}" for capsule in place.capsules for it in flaws(capsule, states.get(capsule.name))),
        *([] if sorted(states) == [it.name for it in place.capsules] else [f"listed: {states}"]),
        *(f"{it.name} is {states.get(it.name)}" for it in place.capsules if not is_true(it, states.get(it.name))),
        *([] if runner.run(("capture",), place.root).status == 0 else ["the next capture fails"]),
    ]


def told_wrongly(verb: str, place: Place, ended: Ended) -> Iterator[str]:
    """Yield what the user was told that is not so, or not told that is."""
    lines = [line for line in ended.stderr.splitlines() if line != "err"]
    if "Traceback" in ended.stderr or any(not line.startswith("capsula: ") for line in lines):
        yield "not one line each"
    if verb == "monitor":
        if (ended.status, ended.stdout, "err\n" in ended.stderr) != (3, b"out\n", True):
            yield f"the command ended with {ended.status}, {ended.stdout!r}"
        is_whole = bool(place.capsules) and status(place.capsules[0], "post-run-info.json") == "failed"
    else:
        if ended.status not in {0, 1}:
            yield f"it ended with {ended.status}"
        if not (ended.status == 0) == bool(ended.stdout) == bool(place.capsules):
            yield "it does not say whether there is a capsule"
        is_whole = ended.status == 0
    if not lines and not is_whole:
        yield "it says nothing"


def is_safe(verb: str, place: Place, is_dead: bool) -> bool:
    copies = [it for it in (place.moved, *(capsule / "moved" for capsule in place.capsules)) if it.exists()]
    whole = any(copy.read_bytes() == CONTENT for copy in copies)
    return whole or (verb == "monitor" and is_dead and not copies)  # the command was never started


def listed(place: Place, runner: Faulty) -> dict[str, str]:
    told = json.loads(runner.run(("list", "--json"), place.root).stdout)
    return {it["name"]: it["state"] for it in told}


def is_true(capsule: Path, state: str | None) -> bool:
    """Tell whether the state is what the documents on the disk amount to."""
    if (capsule / "post-run-info.json").exists():
        return state == status(capsule, "post-run-info.json")
    return state == ("lost" if (capsule / "pre-run-info.json").exists() else "captured")


def flaws(capsule: Path, state: str | None) -> Iterator[str]:
    """Yield what is not whole in a capsule that has a name, and what is not as it claims.

    The end record comes last: until it is there, if only aside, the manifest may differ in it, and the run is lost.
    """
    documents = [capsule / name for name in DOCUMENTS if (capsule / name).exists()]
    for file in documents:
        files: dict[str, Any] = json.loads(file.read_bytes()).get("files", {})
        for facts in files.values():
            if "kept_as" in facts and digest(capsule / facts["kept_as"]) != facts["file_hash"]:
                yield f"{file.name}: the hash of {facts['kept_as']} is not what it claims"
    if not documents:
        yield "holds no document"
    faults = [fault for fault in integrity(capsule) if state != "lost" or "post-run-info.json" not in fault.path[0]]
    yield from map(str, faults)


def status(capsule: Path, name: str) -> str | None:
    file = capsule / name
    return str(json.loads(file.read_bytes())["capsula"]["status"]) if file.exists() else None


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()
