"""Vaults that take nothing, or that others could lead elsewhere: the command runs, and one line says what is lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.repositories import git
from tests.running import PLAIN, behind, capsula, capsules, document, only_capsule

STRANGER = 65_432
COMMAND = ("sh", "-c", "touch ran; echo out; echo err >&2; exit 3")
MONITOR = ("monitor", *COMMAND)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "capsula.toml").write_text(PLAIN)
    return root


def is_a_file(vault: Path) -> None:
    vault.write_text("")


def leads_nowhere(vault: Path) -> None:
    vault.symlink_to("nowhere")


def is_open_to_all(vault: Path) -> None:
    vault.mkdir()
    vault.chmod(0o777)


def belongs_to_another(vault: Path) -> None:
    vault.mkdir()
    os.chown(vault, STRANGER, STRANGER)


def is_a_link_of_another(vault: Path) -> None:
    (vault.parent / "elsewhere").mkdir()
    vault.symlink_to("elsewhere")
    os.lchown(vault, STRANGER, STRANGER)


def has_a_planted_folder(vault: Path) -> None:
    vault.mkdir()
    (vault.parent / "elsewhere").mkdir()
    (vault / ".capsula").symlink_to("../elsewhere")
    os.lchown(vault / ".capsula", STRANGER, STRANGER)


def leads_to_anothers(vault: Path) -> None:
    (vault.parent / "elsewhere").mkdir()
    os.chown(vault.parent / "elsewhere", STRANGER, STRANGER)
    vault.symlink_to("elsewhere")


def has_a_folder_that_leads_to_anothers(vault: Path) -> None:
    vault.mkdir()
    (vault.parent / "elsewhere").mkdir()
    os.chown(vault.parent / "elsewhere", STRANGER, STRANGER)
    (vault / ".capsula").symlink_to("../elsewhere")


FLAWS: Mapping[Callable[[Path], None], str] = {
    is_a_file: "the vault {} cannot be written: File exists (set vault-directory to a place that can be)",
    leads_nowhere: "the vault {} cannot be written: File exists (set vault-directory to a place that can be)",
    is_open_to_all: "nothing is put into the vault {0}: {0} can be changed by every user",
    belongs_to_another: "nothing is put into the vault {0}: {0} belongs to another user",
    is_a_link_of_another: "nothing is put into the vault {0}: {0} belongs to another user",
    has_a_planted_folder: "nothing is put into the vault {0}: {0}/.capsula belongs to another user",
    leads_to_anothers: "nothing is put into the vault {0}: {0} belongs to another user",
    has_a_folder_that_leads_to_anothers: "nothing is put into the vault {0}: {0}/.capsula belongs to another user",
}
NEED_ROOT = {*FLAWS} - {is_a_file, leads_nowhere, is_open_to_all}


@pytest.mark.parametrize(
    "flaw", [pytest.param(it, id=it.__name__, marks=needs_root if it in NEED_ROOT else ()) for it in FLAWS]
)
def test_a_vault_that_cannot_be_used_costs_the_record_alone(flaw: Callable[[Path], None], root: Path) -> None:
    vault = root / "vault"
    flaw(vault)

    strict = capsula("monitor", "--strict", *COMMAND, cwd=root)
    was_run = (root / "ran").exists()
    captured = capsula("capture", cwd=root)
    done = capsula(*MONITOR, cwd=root)

    told = FLAWS[flaw].format(vault)
    assert (strict.returncode, strict.stdout, was_run) == (125, "", False)
    assert (captured.returncode, captured.stdout, len(captured.stderr.splitlines())) == (1, "", 1)
    assert captured.stderr.startswith(f"capsula: {told}")
    assert (done.returncode, done.stdout) == (3, "out\n")
    loud, err = sorted(done.stderr.splitlines())
    assert (loud.startswith(f"capsula: this run is not recorded: {told}"), err) == (True, "err")
    assert not (root / "elsewhere").exists() or os.listdir(root / "elsewhere") == []


def test_a_command_that_there_is_not_is_told_where_nothing_is_recorded(root: Path) -> None:
    is_a_file(root / "vault")

    done = capsula("monitor", "no-such-command", cwd=root)

    not_found, unrecorded = done.stderr.splitlines()
    assert (done.returncode, not_found) == (
        127,
        "capsula: no-such-command: not found (check its spelling and PATH)",
    )
    assert unrecorded.startswith("capsula: this run is not recorded: ")


def mounted(options: str, words: tuple[str, ...], root: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line where the vault is a file system of its own, which nobody else sees."""
    (root / "vault").mkdir(exist_ok=True)
    script = 'mount -t tmpfs -o "$1" tmpfs vault && shift && "$@"; status=$?; ls -A vault; exit $status'
    return behind(("unshare", "-m", "sh", "-c", script, "sh", options), *words, cwd=root)


@pytest.fixture
def mounting(root: Path) -> Path:
    if shutil.which("unshare") is None or mounted("size=64k", ("--version",), root).returncode:
        pytest.skip("needs: root")
    return root


FULL = {"a read-only disk": "ro,size=64k,mode=700", "a disk with no room": "size=4k,nr_inodes=3,mode=700"}


@pytest.mark.parametrize("options", FULL.values(), ids=FULL)
def test_a_disk_that_takes_nothing_costs_the_record_alone(options: str, mounting: Path) -> None:
    strict = mounted(options, ("monitor", "--strict", *COMMAND), mounting)
    was_run = (mounting / "ran").exists()
    captured = mounted(options, ("capture",), mounting)
    done = mounted(options, MONITOR, mounting)

    loud = [line for line in done.stderr.splitlines() if line != "err"]
    assert (strict.returncode, was_run) == (125, False)
    assert (captured.returncode, len(captured.stderr.splitlines())) == (1, 1)
    assert (done.returncode, done.stdout.splitlines()[0], len(loud)) == (3, "out", 1)
    assert loud[0].startswith("capsula: this run is not recorded: ")
    assert "Traceback" not in strict.stderr + captured.stderr + done.stderr


def test_a_disk_that_fills_up_during_the_run_keeps_what_was_there(mounting: Path) -> None:
    command = ("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; exit 3")

    done = mounted("size=64k,mode=700", ("monitor", *command), mounting)

    (loud,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout.count("x")) == (3, 200_000)
    assert loud.startswith("capsula: not all is recorded: ")
    assert "No space left on device" in loud


def test_a_vault_that_vanishes_during_the_run_costs_the_end_of_the_record(root: Path) -> None:
    done = capsula("monitor", "sh", "-c", "echo out; rm -r vault; exit 3", cwd=root)

    (loud,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "out\n")
    gone = f"the vault {root / 'vault'} cannot be written: No such file or directory"
    assert loud == f"capsula: not all is recorded: {gone} (set vault-directory to a place that can be)"


@needs_root
def test_what_another_user_puts_in_the_place_of_a_capsule_is_left_alone(root: Path) -> None:
    swap = 'mv "$CAPSULA_CAPSULE_DIR" away; ln -s ../elsewhere "$CAPSULA_CAPSULE_DIR"; mkdir elsewhere; '
    swap += f'chown -h {STRANGER} "$CAPSULA_CAPSULE_DIR"; echo out'

    done = capsula("monitor", "sh", "-c", swap, cwd=root)

    (loud,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "out\n")
    assert "belongs to another user" in loud
    assert os.listdir(root / "elsewhere") == []
    assert not (root / "away/post-run-info.json").exists()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A root in which the group of a stranger may write, who cannot come to the directories of pytest."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        os.chown(root, -1, STRANGER)
        root.chmod(0o770)
        (root / "capsula.toml").write_text(PLAIN + "[monitor.item.it.files]\nout = { copy = true }\n")
        yield root


@needs_root
def test_a_vault_that_another_user_puts_in_the_place_of_ours_during_the_run_is_left_alone(shared: Path) -> None:
    (shared / "private").mkdir(0o700)
    plant = f"mv vault away; mkdir -p vault/$CAPSULA_CAPSULE_NAME; cd vault/*; ln -s {shared}/private .capsula; id -u"
    become = f"import os; open('out', 'w'); os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER}); "
    become += f"os.execv('/bin/sh', ['sh', '-c', {plant!r}])"

    done = capsula("monitor", "-i", "it", sys.executable, "-c", become, cwd=shared)

    (loud,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, f"{STRANGER}\n")
    assert f"{shared / 'vault'} belongs to another user" in loud
    assert [*(shared / "private").iterdir()] == []
    assert [os.listdir(it) for it in (shared / "vault").iterdir()] == [[".capsula"]]


@needs_root
def test_a_folder_of_the_template_that_another_user_planted_is_not_followed(root: Path) -> None:
    (root / "capsula.toml").write_text('capsule-template = "group/%H/%M"\n' + PLAIN)
    (root / "elsewhere").mkdir()
    (root / "vault").mkdir()
    (root / "vault/group").symlink_to("../elsewhere")
    os.lchown(root / "vault/group", STRANGER, STRANGER)

    done = capsula("capture", cwd=root)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"{root / 'vault/group'} belongs to another user" in done.stderr
    assert os.listdir(root / "elsewhere") == []


def test_a_vault_that_came_with_the_repository_as_a_link_is_not_followed(root: Path) -> None:
    (root / "vault").symlink_to("../elsewhere")
    git(root, "init", "--quiet")
    git(root, "add", "vault")
    (root.parent / "elsewhere").mkdir()

    done = capsula("capture", cwd=root)

    told = f"capsula: nothing is put into the vault {root / 'vault'}: {root / 'vault'} is a link that git tracks"
    assert (done.returncode, done.stderr.startswith(told)) == (1, True)
    assert [*(root.parent / "elsewhere").iterdir()] == []


def test_what_gets_no_name_is_not_left_half_built(root: Path) -> None:
    (root / "capsula.toml").write_text('capsule-template = "group/%H"\n' + PLAIN)
    (root / "vault").mkdir()
    (root / "vault/group").write_text("")

    done = capsula("capture", cwd=root)

    assert (done.returncode, os.listdir(root / "vault/.capsula/building")) == (1, [])


def test_links_of_the_user_lead_where_the_user_wants(root: Path) -> None:
    (root / "large").mkdir(0o700)
    (root / "vault").symlink_to("large")

    done = capsula("capture", cwd=root)

    assert (done.returncode, done.stderr) == (0, "")
    assert document(only_capsule(root), "context.json")["capsula"]["status"] == "complete"


@pytest.mark.parametrize(
    ("link", "told"), [("link", "has another name"), ("symlink", "Too many levels of symbolic links")]
)
def test_a_record_is_not_written_into_a_file_with_another_name(link: str, told: str, root: Path) -> None:
    script = f"""
import os, capsula
place = capsula.get_capsule_dir() / ".capsula/records"
place.mkdir()
open("mine", "w").close()
os.{link}(os.path.abspath("mine"), place / f"{{os.getpid()}}.jsonl")
capsula.record("a", 1)
"""
    done = capsula("monitor", sys.executable, "-c", script, cwd=root)

    assert told in done.stderr
    assert (root / "mine").read_text() == ""
    assert len(capsules(root)) == 1
