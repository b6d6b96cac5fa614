"""The vault: capsules appear in it whole, each under a name of its own, or not at all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import pytest
from returns.result import Failure, Success

from capsula.core.fault import Fault
from capsula.core.settings import Durability
from capsula.effects.files import written
from capsula.effects.vault import building, discarded, published

MOMENT = datetime(2024, 2, 29, 12, 34, 56).astimezone()
STRANGER = 65_432
REMEDY = "set vault-directory to a place that can be"


def built(vault: Path, identity: str = "id") -> Path:
    aside = building(vault, identity).unwrap()
    written(aside / "context.json", [identity.encode()])
    return aside


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_vault_is_private_and_hidden_from_git(tmp_path: Path) -> None:
    vault = tmp_path / "deep/vault"

    aside = built(vault)

    assert [mode(path) for path in (tmp_path / "deep", vault, *aside.parents[:2], aside)] == [0o700] * 5
    assert mode(vault / ".gitignore") == 0o600
    assert (vault / ".gitignore").read_bytes() == b"*\n"
    assert (aside / ".capsula").is_dir()


def test_a_vault_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir(0o750)
    (vault / ".gitignore").write_text("mine")

    built(vault)

    assert (mode(vault), (vault / ".gitignore").read_text()) == (0o750, "mine")


@pytest.mark.parametrize("durability", ["full", "fast"])
def test_a_capsule_gets_its_name_from_the_template(durability: Durability, tmp_path: Path) -> None:
    aside = built(tmp_path)

    place = published(aside, tmp_path, "%Y/%m/%d_%H", MOMENT, durability)

    assert place == Success(tmp_path / "2024/02/29_12")
    assert (tmp_path / "2024/02/29_12/context.json").read_bytes() == b"id"
    assert [mode(tmp_path / path) for path in ("2024", "2024/02", "2024/02/29_12")] == [0o700] * 3
    assert not aside.exists()


def test_a_name_that_is_taken_is_numbered_whatever_took_it(tmp_path: Path) -> None:
    built(tmp_path)
    (tmp_path / "name").mkdir()
    (tmp_path / "name_2").write_text("")
    (tmp_path / "name_3").symlink_to("nowhere")
    published(built(tmp_path, "first"), tmp_path, "name_4", MOMENT, "fast")

    place = published(built(tmp_path, "second"), tmp_path, "name", MOMENT, "fast")

    assert place == Success(tmp_path / "name_5")
    assert os.listdir(tmp_path / "name") == []
    assert (tmp_path / "name_4/context.json").read_bytes() == b"first"


def test_a_capsule_that_was_discarded_leaves_nothing(tmp_path: Path) -> None:
    aside = built(tmp_path)

    discarded(aside)
    discarded(aside)

    assert os.listdir(tmp_path / ".capsula/building") == []


def test_a_vault_that_is_a_file_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("")

    answer = building(tmp_path / "vault", "id")

    message = f"the vault {tmp_path / 'vault'} cannot be written: File exists"
    assert answer == Failure(Fault("failed", message, REMEDY))


def test_a_vault_that_leads_nowhere_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "vault").symlink_to("nowhere")

    assert building(tmp_path / "vault", "id").failure().remedy == REMEDY


def test_a_template_whose_folder_is_a_file_is_one_fault(tmp_path: Path) -> None:
    aside = built(tmp_path)
    (tmp_path / "2024").write_text("")

    answer = published(aside, tmp_path, "%Y/%m", MOMENT, "full")

    assert answer.failure().remedy == REMEDY
    assert (tmp_path / "2024").read_text() == ""


PUBLISHING = """
import os, sys
from datetime import datetime
from pathlib import Path
from capsula.effects.files import written
from capsula.effects.vault import building, published
vault = Path(sys.argv[1], "vault")
print("ready", flush=True)
sys.stdin.read()
aside = building(vault, os.urandom(16).hex()).unwrap()
written(aside / "context.json", [sys.argv[2].encode()])
print(published(aside, vault, "a/same", datetime(2024, 2, 29), "fast").unwrap(), end="")
"""


def test_processes_publish_the_same_name_at_the_same_moment(tmp_path: Path) -> None:
    waiting, gate = os.pipe()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISHING, str(tmp_path), str(number)],
            stdin=waiting,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(20)
    ]
    os.close(waiting)
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    os.close(gate)

    places = [process.communicate()[0] for process in processes]

    names = {"same", *(f"same_{number}" for number in range(2, 21))}
    assert set(os.listdir(tmp_path / "vault/a")) == names
    assert set(places) == {str(tmp_path / "vault/a" / name) for name in names}
    assert [Path(place, "context.json").read_text() for place in places] == [str(number) for number in range(20)]
    assert os.listdir(tmp_path / "vault/.capsula/building") == []


READ_ONLY = """
import os, shutil, sys  # all that is needed: another user may not read where the interpreter is
from pathlib import Path
from capsula.effects.vault import building
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
print(building(Path(sys.argv[1]), "id").failure())
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that any user may come to, as they may not to those of pytest."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_a_vault_that_is_read_only_is_one_fault(reachable: Path) -> None:
    vault = reachable / "vault"
    vault.mkdir()
    vault.chmod(0o555)

    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(vault)], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout == f"the vault {vault} cannot be written: Permission denied ({REMEDY})\n"
    assert os.listdir(vault) == []


UNDER_A_UMASK = """
import os, sys
from pathlib import Path
from capsula.effects.vault import building
os.umask(0)
building(Path(sys.argv[1]), "id").unwrap()
"""


def test_a_vault_is_private_whatever_the_umask(tmp_path: Path) -> None:
    vault = tmp_path / "vault"

    subprocess.run([sys.executable, "-c", UNDER_A_UMASK, str(vault)], check=True, timeout=60)

    found = [vault, *vault.rglob("*")]
    assert {path.name.rpartition("-")[2]: mode(path) for path in found} == {
        "vault": 0o700,
        ".gitignore": 0o600,
        ".capsula": 0o700,
        "building": 0o700,
        "id": 0o700,
    }


BUILT = ["building(vault, 'a' * 32).unwrap()", "workplace(vault, 'a' * 32)"]


@pytest.mark.parametrize("place", BUILT, ids=["capsule", "file"])
def test_what_a_killed_process_left_half_built_is_swept_after_a_while(place: str, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    script = "import os, sys; from pathlib import Path; from capsula.effects.vault import building, workplace; "
    script += f"vault = Path(sys.argv[1]); building(vault, 'd' * 32); left = {place}; left.exists() or left.touch(); "
    script += "print(left, flush=True); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", script, vault], stdout=subprocess.PIPE, text=True, check=False)
    left = Path(killed.stdout.strip())
    mine = building(vault, "b" * 32).unwrap()
    recent = left.exists()
    for folder in (left, mine):
        os.utime(folder, (0, 0))

    building(vault, "c" * 32)

    assert (recent, left.exists(), mine.is_dir()) == (True, False, True)


def test_what_is_half_built_is_left_to_another_host_and_to_who_lives(tmp_path: Path) -> None:
    mine = building(tmp_path, "b" * 32).unwrap()
    host, boot, pid, start, identity = mine.name.split("-")
    names = {
        "of this process": mine.name,
        "of another host": f"{'0' * 8}-{boot}-{pid}-0-{identity}",
        "of before the machine was started again": f"{host}-{'0' * 8}-{pid}-{start}-{identity}",
        "of a process that had the same number": f"{host}-{boot}-{pid}-0-{identity}",
        "of nobody that is known": "folder",
        "of this host and nobody that is known": f"{host}-folder",
    }
    for name in names.values():
        mine.with_name(name).mkdir(exist_ok=True)
        os.utime(mine.with_name(name), (0, 0))

    building(tmp_path, "c" * 32)

    left = {what for what, name in names.items() if mine.with_name(name).exists()}
    unknown = {"of nobody that is known", "of this host and nobody that is known"}
    assert left == {"of this process", "of another host", *unknown}


def test_what_is_swept_by_another_process_meanwhile_is_in_nobodys_way(tmp_path: Path) -> None:
    building(tmp_path, "b" * 32).unwrap().with_name("vanished").symlink_to("nowhere")

    assert isinstance(building(tmp_path, "c" * 32), Success)


RACING = """
import os, sys
from pathlib import Path
from capsula.effects.vault import building
vault = Path(sys.argv[1])
faster = []
def overtake(event, arguments):
    path = Path(os.fsdecode(arguments[0])) if event in ("os.mkdir", "open") else None
    if path not in (None, *faster) and path.is_relative_to(vault) and "building" not in path.parent.parts:
        faster.append(path)
        path.mkdir() if event == "os.mkdir" else path.touch()
sys.addaudithook(overtake)
building(vault, "id").unwrap()
print([str(path.relative_to(vault)) for path in faster])
"""
"""Whatever of a vault is about to be made, another process makes a moment before."""


def test_who_is_slower_in_making_a_vault_takes_what_is_there(tmp_path: Path) -> None:
    vault = tmp_path / "vault"

    done = subprocess.run(
        [sys.executable, "-c", RACING, str(vault)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['.', '.capsula', '.capsula/building', '.gitignore']\n"
    assert (vault / ".gitignore").read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
def test_a_vault_that_another_user_puts_in_the_place_of_ours_is_looked_at_again(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    building(vault, "b" * 32).unwrap()
    vault.rename(tmp_path / "away")
    (vault / ".capsula/building").mkdir(parents=True)
    os.chown(vault, STRANGER, -1)

    refused = building(vault, "c" * 32).failure()

    assert (refused.kind, [*(vault / ".capsula/building").iterdir()]) == ("unsafe", [])


def test_a_vault_where_nobody_removes_what_is_anothers_is_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    assert isinstance(building(tmp_path, "id"), Success)


PUBLISHED = """
import sys
from datetime import datetime
from pathlib import Path
from capsula.effects.vault import published
aside, vault, moment = sys.argv[1:]
print(published(Path(aside), Path(vault), "a", datetime.fromisoformat(moment), "fast").unwrap())
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_who_is_slower_gets_the_next_name(tmp_path: Path) -> None:
    vault, trace = tmp_path / "vault", tmp_path / "trace"
    slow, fast = built(vault, "slow"), built(vault, "fast")
    slowly = ("strace", "-qq", "-o", str(trace), "-e", "trace=rename", "-e", "inject=rename:delay_enter=1000000")

    argv = [*slowly, sys.executable, "-c", PUBLISHED, str(slow), str(vault), MOMENT.isoformat()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as slower:
        while not (trace.exists() and "rename(" in trace.read_text()) and slower.poll() is None:
            sleep(0.005)
        first = published(fast, vault, "a", MOMENT, "fast")
        second, trouble = slower.communicate(timeout=60)

    if "ptrace" in trouble.lower():
        pytest.skip("needs: strace")
    assert (first, second, trouble) == (Success(vault / "a"), f"{vault}/a_2\n", "")
    assert [(vault / name / "context.json").read_text() for name in ("a", "a_2")] == ["fast", "slow"]
