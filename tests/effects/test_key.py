"""The key of a vault: one for ever, whoever asks first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from returns.result import Success

from capsula.core.effect import Seal
from capsula.effects.key import key, known_key, resealed, sealed, signature, vault_of
from tests.running import files

ASKING = """
import sys
from pathlib import Path
from capsula.effects.key import key
print(key(Path(sys.argv[1])).unwrap().hex())
"""


def test_a_key_is_drawn_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    first = key(tmp_path)

    assert first == key(tmp_path) == known_key(tmp_path)
    assert len(first.unwrap()) == 32
    assert files(tmp_path) == {".capsula/key", ".gitignore"}
    assert (tmp_path / ".capsula/key").stat().st_mode & 0o777 == 0o600
    assert key(tmp_path / "other") != first


def test_processes_that_draw_at_once_get_one_key(tmp_path: Path) -> None:
    asked = [
        subprocess.Popen([sys.executable, "-c", ASKING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]

    answers = {process.communicate()[0].strip() for process in asked}

    assert answers == {key(tmp_path).unwrap().hex()}
    assert files(tmp_path) == {".capsula/key", ".gitignore"}


SLOWER = """
import os, sys
from pathlib import Path
from capsula.effects.key import key
vault = Path(sys.argv[1])
def overtake(event, arguments):
    if event == "os.link":
        (vault / ".capsula/key").write_bytes(bytes(range(32)))
sys.addaudithook(overtake)
print(key(vault).unwrap() == bytes(range(32)), len(os.listdir(vault / ".capsula/building")))
"""
"""Another process has put its key into the vault once this one has drawn its own."""


def test_who_is_slower_in_drawing_takes_the_key_that_is_there(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SLOWER, tmp_path], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("True 0\n", "")


def test_looking_for_a_key_draws_none(tmp_path: Path) -> None:
    assert known_key(tmp_path).failure().kind == "missing"
    assert signature(tmp_path, b"").failure().kind == "missing"
    assert resealed({"A": "1"}, tmp_path).failure().kind == "missing"
    assert list(tmp_path.iterdir()) == []


def test_no_key_is_put_where_others_could_take_it_away(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    answer = key(tmp_path)

    assert answer.failure().kind == "unsafe"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_what_is_no_key_is_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".capsula").mkdir()
    (tmp_path / ".capsula/key").write_bytes(content)

    assert key(tmp_path).failure().kind == "malformed"


def test_a_key_is_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / ".capsula").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"x" * 32)
    (tmp_path / ".capsula/key").symlink_to(tmp_path / "elsewhere")

    assert key(tmp_path).failure().kind == "failed"


def test_what_waits_for_a_writer_is_no_key(tmp_path: Path) -> None:
    (tmp_path / ".capsula").mkdir()
    os.mkfifo(tmp_path / ".capsula/key")

    assert key(tmp_path).failure().kind == "malformed"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_where_a_file_has_no_second_name_a_key_is_drawn_all_the_same(tmp_path: Path) -> None:
    without_links = (
        "strace",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        "trace=link,linkat",
        "-e",
        "inject=link,linkat:error=EPERM",
    )

    done = subprocess.run(
        [*without_links, sys.executable, "-c", ASKING, tmp_path], capture_output=True, text=True, check=False
    )

    if "ptrace" in done.stderr.lower():
        pytest.skip("needs: strace")
    assert (done.stdout, done.stderr) == (f"{known_key(tmp_path).unwrap().hex()}\n", "")
    assert files(tmp_path) == {".capsula/key", ".gitignore"}


SIGNING = """
import os, sys
from pathlib import Path
from capsula.effects.key import signature
os.setuid(int(sys.argv[2]))
print(signature(Path(sys.argv[1]), b"text").unwrap())
"""


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/etc/machine-id").is_file(), reason="needs: root")
def test_a_signature_is_of_one_user_and_one_machine() -> None:
    def signed(*front: str, user: int = 0) -> str:
        argv = [*front, sys.executable, "-c", SIGNING, directory, str(user)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if done.stderr.startswith(("unshare:", "mount:")):
            pytest.skip("needs: root")
        return done.stdout + done.stderr

    elsewhere = ("unshare", "--mount", "sh", "-c", 'mount --bind /etc/hostname /etc/machine-id; exec "$@"', "sh")

    with TemporaryDirectory() as directory:
        key(Path(directory))
        for path in (".", ".capsula", ".capsula/key"):  # anybody may read it
            Path(directory, path).chmod(0o755)
        signatures = [signed(), signed(), signed(user=65534), signed(*elsewhere)]
        os.chown(f"{directory}/.capsula/key", 65534, 65534)
        signatures.append(signed())

    assert signatures[0] == signatures[1]
    assert (len({*signatures}), {*map(len, signatures)}) == (4, {65})


def test_digests_tell_values_and_names_apart(tmp_path: Path) -> None:
    values = {"A": "1", "B": "1", "C": "2", "D": "\udcff"}

    digests = sealed(Seal(tmp_path, values)).unwrap().facts

    assert isinstance(digests, dict)
    assert list(digests) == ["A", "B", "C", "D"]
    assert len(set(digests.values())) == 4
    assert resealed({"A": "1"}, tmp_path) == Success({"A": digests["A"]})
    assert resealed({"A": "2"}, tmp_path) != Success({"A": digests["A"]})


def test_the_vault_of_a_capsule_is_found_however_deep(tmp_path: Path) -> None:
    key(tmp_path / "vault")

    assert vault_of(tmp_path / "vault/2024/02/capsule") == tmp_path / "vault"
    assert vault_of(tmp_path / "capsule") is None


def test_a_key_that_was_drawn_anew_is_read_anew(tmp_path: Path) -> None:
    first = [key(tmp_path).unwrap() for _ in range(3)]
    (tmp_path / ".capsula/key").unlink()

    second = key(tmp_path).unwrap()

    assert first == [first[0]] * 3
    assert (second, second == first[0]) == ((tmp_path / ".capsula/key").read_bytes(), False)
