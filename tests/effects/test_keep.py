"""Keeping files: what is hashed is what is kept."""

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from returns.result import Failure, Success

from capsula.core.effect import Keep, Remove
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.settings import HashAlgorithm
from capsula.effects.keep import kept

MIB = 1024 * 1024


def keep(origin: Path, *, move: bool = False) -> Fragment:
    """Keep a file as ``kept`` in the capsule beside it."""
    answer = kept(Keep(origin, "kept", "sha256", move), origin.parent / "capsule")
    assert isinstance(answer, Success), answer
    fragment: Fragment = answer.unwrap()
    return fragment


def facts(origin: Path, content: bytes) -> dict[str, Json]:
    return {
        "hash_algorithm": "sha256",
        "file_hash": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "mode": f"{origin.stat().st_mode & 0o7777:04o}",
        "kept_as": "kept",
    }


@pytest.mark.parametrize("size", [0, 1, MIB // 16, MIB // 16 + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 17 * MIB])
def test_a_file_is_kept_and_hashed_whatever_its_size(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    origin = tmp_path / "origin"
    origin.write_bytes(content)

    fragment = keep(origin)

    assert fragment == Fragment(facts(origin, content))
    assert (tmp_path / "capsule/kept").read_bytes() == content
    assert origin.read_bytes() == content


@pytest.mark.parametrize(
    ("algorithm", "name"), [("md5", "md5"), ("sha1", "sha1"), ("sha256", "sha256"), ("sha3", "sha3_256")]
)
def test_hashes_are_those_that_others_compute(algorithm: HashAlgorithm, name: str, tmp_path: Path) -> None:
    (tmp_path / "origin").write_bytes(b"content")

    answer = kept(Keep(tmp_path / "origin", "a/b", algorithm), tmp_path)

    told = answer.unwrap().facts
    assert isinstance(told, dict)
    assert (told["hash_algorithm"], told["file_hash"]) == (algorithm, hashlib.new(name, b"content").hexdigest())


@pytest.mark.parametrize("size", [0, 3, 20 * MIB])
def test_without_an_algorithm_there_is_no_hash(size: int, tmp_path: Path) -> None:
    (tmp_path / "origin").write_bytes(b"x" * size)

    told = kept(Keep(tmp_path / "origin", "a"), tmp_path).unwrap().facts

    assert isinstance(told, dict)
    assert (told["hash_algorithm"], told["file_hash"], told["size"]) == (None, None, size)
    assert (tmp_path / "a").stat().st_size == size


@pytest.mark.parametrize(("mode", "its"), [(0o644, 0o600), (0o4755, 0o700), (0o400, 0o400), (0o044, 0o400)])
def test_the_mode_is_the_owners_and_recorded_in_full(mode: int, its: int, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"x")
    origin.chmod(mode)

    fragment = keep(origin)

    assert fragment == Fragment(facts(origin, b"x"))
    assert (tmp_path / "capsule/kept").stat().st_mode & 0o7777 == its


def test_the_time_of_change_is_kept(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"x")
    os.utime(origin, ns=(1_000_000_001, 2_000_000_002))

    keep(origin)

    assert (tmp_path / "capsule/kept").stat().st_mtime_ns == 2_000_000_002


@pytest.mark.parametrize(
    ("size", "data"),
    [
        (100 * MIB, {}),
        (100 * MIB, {0: b"first"}),
        (100 * MIB, {50 * MIB + 17: b"middle" * 1000}),
        (100 * MIB, {100 * MIB - 4: b"last"}),
        (100 * MIB, {9 * MIB: b"x" * 10 * MIB, 40 * MIB: b"y"}),
        (64 * 1024, {32 * 1024: b"small"}),
    ],
)
def test_holes_stay_holes(size: int, data: dict[int, bytes], tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    with origin.open("wb") as stream:
        stream.truncate(size)
        for place, content in data.items():
            stream.seek(place)
            stream.write(content)

    fragment = keep(origin)

    assert fragment == Fragment(facts(origin, origin.read_bytes()))
    target = tmp_path / "capsule/kept"
    assert target.read_bytes() == origin.read_bytes()
    assert target.stat().st_blocks <= origin.stat().st_blocks + 64


@pytest.mark.parametrize("name", ["/proc/self/environ", "/sys/kernel/fscaps"])  # of 0 bytes, and of a whole page
def test_a_file_that_does_not_know_its_size_is_kept(name: str, tmp_path: Path) -> None:
    content = Path(name).read_bytes()

    fragment = kept(Keep(Path(name), "a", "sha256"), tmp_path).unwrap()

    assert isinstance(fragment.facts, dict)
    assert fragment.facts["file_hash"] == hashlib.sha256(content).hexdigest()
    assert fragment.facts["size"] == len(content)
    assert (tmp_path / "a").read_bytes() == content


def test_of_a_moved_file_the_origin_is_left_to_another_effect(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"x")
    status = origin.stat()

    fragment = keep(origin, move=True)

    removal = Remove(origin, (status.st_dev, status.st_ino, 1, status.st_mtime_ns), at=("moved",))
    assert fragment == Fragment({**facts(origin, b"x"), "moved": True}, (removal,))
    assert origin.exists()


def test_a_link_is_kept_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"x")
    origin = tmp_path / "origin"
    origin.symlink_to("there")

    assert keep(origin) == Fragment(facts(origin, b"x"))
    assert not (tmp_path / "capsule/kept").is_symlink()


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "socket"])
def test_what_is_no_file_is_a_fault_at_once(kind: str, tmp_path: Path) -> None:
    origin = {"device": Path("/dev/zero")}.get(kind, tmp_path / kind)
    match kind:
        case "pipe":
            os.mkfifo(origin)
        case "folder":
            origin.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(origin))

    answer = kept(Keep(origin, "kept"), tmp_path / "capsule")

    assert isinstance(answer, Failure)
    assert not (tmp_path / "capsule").exists()


@pytest.mark.parametrize("target", ["there", "there/below"])
def test_what_stands_at_the_target_stays(target: str, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"new")
    (tmp_path / "there").write_bytes(b"old")

    answer = kept(Keep(origin, target), tmp_path)

    assert answer.failure().message == f"{origin} could not be kept: File exists"
    assert (tmp_path / "there").read_bytes() == b"old"


FLIPPING = """
import sys
file = open(sys.argv[1], "r+b", buffering=0)
for number in range(1_000_000_000):
    file.seek(0)
    file.write(bytes([number % 256]) * 1_000_000)
"""


@pytest.mark.parametrize("size", [1 * MIB, 20 * MIB])
def test_what_is_hashed_is_what_is_kept_while_another_writes(size: int, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(bytes(size))
    with subprocess.Popen([sys.executable, "-c", FLIPPING, str(origin)]) as writer:
        while origin.read_bytes()[0] == 0:
            pass

        answers = [kept(Keep(origin, str(number), "sha256", move=True), tmp_path / "capsule") for number in range(20)]

        writer.kill()

    told = [answer.unwrap() for answer in answers]
    hashes = [hashlib.sha256((tmp_path / f"capsule/{number}").read_bytes()).hexdigest() for number in range(20)]
    assert [part(fragment, "file_hash") for fragment in told] == hashes
    changed = [fragment for fragment in told if part(fragment, "changed_while_read")]
    assert changed
    stays = Fault("changed", "it was changed while it was read, and stays where it is", path=("moved",))
    assert all((fragment.faults, fragment.effects) == ((stays,), ()) for fragment in changed)


def part(fragment: Fragment, key: str) -> Json:
    assert isinstance(fragment.facts, dict)
    return fragment.facts.get(key)


KEPT = """
import sys
from pathlib import Path
from returns.result import Success
from capsula.core.effect import Keep
from capsula.effects.keep import kept
answer = kept(Keep(Path(sys.argv[1]), "a/b", "sha256", move=True), Path(sys.argv[2]))
print(answer.unwrap().facts["size"] if isinstance(answer, Success) else answer.failure())
"""


def limited(kind: str, most: int) -> str:
    """Return the script for a process that the system gives no more of something than so much."""
    return f"import resource; resource.setrlimit(resource.{kind}, ({most}, {most}))\n{KEPT}"


@pytest.mark.parametrize("size", [MIB * 11, MIB * 40])
def test_a_file_that_does_not_fit_leaves_nothing(size: int, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"x" * size)

    done = subprocess.run(
        [sys.executable, "-c", limited("RLIMIT_FSIZE", 10_000_000), str(origin), str(tmp_path / "capsule")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == f"{origin} could not be kept: File too large\n"
    assert os.listdir(tmp_path / "capsule/a") == []
    assert origin.stat().st_size == size


def test_where_no_thread_can_be_started_a_large_file_is_kept_by_this_one(tmp_path: Path) -> None:
    (tmp_path / "origin").write_bytes(b"x" * MIB * 20)
    script = limited("RLIMIT_AS", 3_000_000_000)  # less than the stack of a thread
    front = ("sh", "-c", 'ulimit -s 4000000; exec "$@"', "sh")

    done = subprocess.run(
        [*front, sys.executable, "-c", script, str(tmp_path / "origin"), str(tmp_path / "capsule")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == (f"{MIB * 20}\n", "")
    assert (tmp_path / "capsule/a/b").read_bytes() == b"x" * MIB * 20


FULL = """
set -e
mount -t tmpfs -o size=1m tmpfs "$2"
"$0" -c "$3" "$1" "$2"
ls -A "$2/a"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"x" * 2 * MIB)
    (tmp_path / "capsule").mkdir()

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", FULL, sys.executable, str(origin), str(tmp_path / "capsule"), KEPT],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("needs: root")  # who may mount a small disk
    assert done.stdout.endswith("could not be kept: No space left on device\n"), done
    assert origin.stat().st_size == 2 * MIB
