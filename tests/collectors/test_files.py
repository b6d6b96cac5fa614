"""The files facet, on real files."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from capsula.collectors.files import collect
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Keep
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.settings import CaptureSettings, FileSettings, HashAlgorithm, Settings
from capsula.effects.files import folders
from tests.repositories import git, repository, write

PLAIN = FileSettings()
COPY = FileSettings(copy=True)
MOVE = FileSettings(move=True)
NONE: dict[str, Json] = {"hash_algorithm": None, "file_hash": None, "size": 0}


def collected(root: Path, *keys: str, **wishes: FileSettings) -> Fragment:
    """Return what the facet answers for keys without any wish, and for files with one."""
    return asked(root, {**dict.fromkeys(keys, PLAIN), **wishes})


def asked(root: Path, files: Mapping[str, FileSettings], vault: str = "vault") -> Fragment:
    settings = Settings(vault_directory=vault, capture=CaptureSettings(files=files))
    answer = collect(Config(root, settings, Surroundings(root, {}, (), "python")))
    fragment: Fragment = answer.unwrap()
    return fragment


def names(fragment: Fragment) -> list[str]:
    assert isinstance(fragment.facts, dict)
    return list(fragment.facts)


def faults(fragment: Fragment) -> dict[tuple[str, ...], str]:
    return {fault.path: fault.kind for fault in fragment.faults}


def files(root: Path, *paths: str) -> Path:
    write(root, dict.fromkeys(paths, b""))
    return root


@pytest.mark.parametrize(
    ("algorithm", "name"), [("md5", "md5"), ("sha1", "sha1"), ("sha256", "sha256"), ("sha3", "sha3_256")]
)
def test_hashes_are_those_that_others_compute(algorithm: HashAlgorithm, name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")

    fragment = collected(tmp_path, a=FileSettings(hash=algorithm))

    digest = hashlib.new(name, b"content").hexdigest()
    assert fragment == Fragment({"a": {"hash_algorithm": algorithm, "file_hash": digest, "size": 7}})


def test_without_an_algorithm_both_keys_are_null(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")

    assert collected(tmp_path, "a") == Fragment({"a": {"hash_algorithm": None, "file_hash": None, "size": 7}})


def test_no_files_are_an_empty_table(tmp_path: Path) -> None:
    assert collected(tmp_path) == Fragment({})


def test_a_missing_file_costs_only_itself(tmp_path: Path) -> None:
    files(tmp_path, "a")

    fragment = collected(tmp_path, "gone", "a", "a/below")

    assert fragment.facts == {"a": NONE}
    assert fragment.faults == (
        Fault("missing", f"{tmp_path / 'gone'}: No such file or directory", path=("gone",)),
        Fault("missing", f"{tmp_path / 'a/below'}: Not a directory", path=("a/below",)),
    )


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("d", ["d/.hidden", "d/a.csv", "d/b.txt", "d/e/c.csv"]),
        ("d/", ["d/.hidden", "d/a.csv", "d/b.txt", "d/e/c.csv"]),
        ("./d/e", ["d/e/c.csv"]),
        (".", ["d/.hidden", "d/a.csv", "d/b.txt", "d/e/c.csv", "x.csv"]),
        ("**", ["d/.hidden", "d/a.csv", "d/b.txt", "d/e/c.csv", "x.csv"]),
        ("**/**/*.csv", ["d/a.csv", "d/e/c.csv", "x.csv"]),
        ("**/*.csv", ["d/a.csv", "d/e/c.csv", "x.csv"]),
        ("d/**/*.csv", ["d/a.csv", "d/e/c.csv"]),
        ("d/**", ["d/.hidden", "d/a.csv", "d/b.txt", "d/e/c.csv"]),
        ("**/e/**", ["d/e/c.csv"]),
        ("*", ["x.csv"]),
        ("*/*", ["d/.hidden", "d/a.csv", "d/b.txt"]),
        ("*/*/*", ["d/e/c.csv"]),
        ("d/[ab].*", ["d/a.csv", "d/b.txt"]),
        ("d/[!a].*", ["d/b.txt"]),
        ("d/?.csv", ["d/a.csv"]),
        ("d/.*", ["d/.hidden"]),
    ],
)
def test_a_directory_or_a_glob_covers_files(key: str, found: list[str], tmp_path: Path) -> None:
    files(tmp_path, "x.csv", "d/a.csv", "d/b.txt", "d/.hidden", "d/e/c.csv")

    fragment = collected(tmp_path, key)

    assert names(fragment) == found
    assert fragment.faults == ()


@pytest.mark.parametrize("key", ["*.txt", "gone/*.txt", "gone/**", "a/*", "empty", "empty/**", "[ab"])
def test_a_key_that_covers_nothing_is_a_fault(key: str, tmp_path: Path) -> None:
    files(tmp_path, "a")
    (tmp_path / "empty").mkdir()

    fragment = collected(tmp_path, key)

    assert fragment == Fragment({}, (), (Fault("missing", f"no file is there: {tmp_path / key}", path=(key,)),))


@pytest.mark.parametrize("name", ["*", "a[b].txt", "what?", "**"])
def test_a_file_whose_name_looks_like_a_glob_is_that_file(name: str, tmp_path: Path) -> None:
    files(tmp_path, name, "other", "ab.txt", "what!")

    assert names(collected(tmp_path, name)) == [name]


def test_a_folder_whose_name_looks_like_a_glob_is_that_folder(tmp_path: Path) -> None:
    files(tmp_path, "run[1]/a.csv", "run1/b.csv")

    assert names(collected(tmp_path, "run[1]/*.csv")) == ["run[1]/a.csv"]
    assert names(collected(tmp_path, "run[1]")) == ["run[1]/a.csv"]


def test_a_file_that_is_named_counts_for_its_own_key(tmp_path: Path) -> None:
    files(tmp_path, "d/a", "d/b", "d/c")

    fragment = asked(tmp_path, {"d": PLAIN, "./d/a": FileSettings(hash="md5"), "d/[bc]": COPY})

    assert fragment.facts == {
        "d/b": NONE,
        "d/c": NONE,
        "./d/a": {**NONE, "hash_algorithm": "md5", "file_hash": hashlib.md5(b"").hexdigest()},
    }
    assert fragment.effects == ()


def test_what_is_no_file_is_a_fault_and_nothing_hangs(tmp_path: Path) -> None:
    files(tmp_path, "d/a")
    os.mkfifo(tmp_path / "d/pipe")
    (tmp_path / "d/device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "d/socket"))

        fragment = asked(tmp_path, {"d": FileSettings(hash="md5"), "d/pipe": COPY, "/dev/null": PLAIN})

    assert names(fragment) == ["d/a"]
    assert faults(fragment) == {(key,): "not a file" for key in ("d/device", "d/socket", "d/pipe", "/dev/null")}


def test_links_are_followed_to_files_but_not_into_folders(tmp_path: Path) -> None:
    files(tmp_path, "there/a", "d/b")
    (tmp_path / "d/file").symlink_to("b")
    (tmp_path / "d/folder").symlink_to("../there")
    (tmp_path / "d/loop").symlink_to("loop")
    (tmp_path / "d/up").symlink_to("..")
    (tmp_path / "d/dangling").symlink_to("nowhere")

    fragment = collected(tmp_path, "d")

    assert names(fragment) == ["d/b", "d/file"]
    assert faults(fragment) == {("d/dangling",): "missing", ("d/loop",): "failed"}


def test_a_link_to_a_folder_that_is_named_is_followed(tmp_path: Path) -> None:
    files(tmp_path, "there/a")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "loop").symlink_to("loop")

    assert names(collected(tmp_path, "link")) == ["link/a"]
    assert names(collected(tmp_path, "*/a")) == ["link/a", "there/a"]


def test_names_that_are_not_utf8_are_names(tmp_path: Path) -> None:
    files(tmp_path, "d/\udce9.txt", "\udcff")

    assert names(collected(tmp_path, "d/*.txt", "\udcff")) == ["d/\udce9.txt", "\udcff"]


def test_what_is_outside_the_root_has_the_path_that_leads_there(tmp_path: Path) -> None:
    files(tmp_path, "out/a.txt", "out/b.txt", "root/x")
    outside = str(tmp_path / "out/b.txt")

    fragment = asked(
        tmp_path / "root", {"../out/a.txt": COPY, outside: COPY, "../out/*a*": COPY, f"{tmp_path}/out": COPY}
    )

    kept = f"outside{tmp_path}/out"
    assert {effect.at: effect.target for effect in fragment.effects if isinstance(effect, Keep)} == {
        ("../out/a.txt",): f"{kept}/a.txt",
        (outside,): f"{kept}/b.txt",
    }


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a/b", "a/b"),
        ("files/a", "files/files/a"),
        ("outside", "files/outside"),
        ("Outside/a", "files/Outside/a"),
        ("./x/../a/b", "a/b"),
    ],
)
def test_a_file_asks_for_a_place_that_says_where_it_is_from(path: str, target: str, tmp_path: Path) -> None:
    files(tmp_path, os.path.normpath(path), "x/y")

    assert asked(tmp_path, {path: COPY}) == Fragment({}, (Keep(tmp_path / path, target, plain=True, at=(path,)),))


def test_what_is_kept_is_pending_with_its_wish(tmp_path: Path) -> None:
    files(tmp_path, "a", "b")

    fragment = asked(tmp_path, {"a": MOVE._replace(hash="sha3"), "b": COPY._replace(hash="md5")})

    assert fragment == Fragment(
        {},
        (
            Keep(tmp_path / "a", "a", "sha3", move=True, plain=True, at=("a",)),
            Keep(tmp_path / "b", "b", "md5", plain=True, at=("b",)),
        ),
    )


@pytest.mark.parametrize("vault", ["vault", "./x/../vault", "link"])
@pytest.mark.parametrize("key", ["vault", "vault/c/context.json", "link", "link/c", "to-file", "vault/*", "vault/**"])
def test_the_vault_is_never_captured(key: str, vault: str, tmp_path: Path) -> None:
    files(tmp_path, "vault/c/context.json", "x/y")
    (tmp_path / "link").symlink_to("vault")
    (tmp_path / "to-file").symlink_to("vault/c/context.json")

    fragment = asked(tmp_path, {key: MOVE}, vault)

    assert (fragment.facts, fragment.effects) == ({}, ())
    assert [fault.kind for fault in fragment.faults] == ["refused"]


@pytest.mark.parametrize("key", [".", "**", "*/**", "**/c/*", "*/*", "**/*o-file"])
def test_the_vault_and_what_is_gits_are_passed_over(key: str, tmp_path: Path) -> None:
    files(tmp_path, "vault/c/context.json", "vault/x", ".git/config", "sub/.git/HEAD", "sub/x", "sub/c/y")
    (tmp_path / "link").symlink_to("vault")
    (tmp_path / "sub/to-file").symlink_to("../vault/x")

    fragment = collected(tmp_path, key)

    found = set(names(fragment))
    assert found <= {"sub/x", "sub/c/y"}
    assert found or key == "**/*o-file"


def test_a_file_that_git_tracks_is_copied_instead_of_moved(tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {"d/tracked": b"", "d/changed": b""})
    files(root, "d/untracked")
    write(root, {"d/changed": b"x"})

    fragment = asked(root, {"d": MOVE})

    assert {effect.at: effect.move for effect in fragment.effects if isinstance(effect, Keep)} == {
        ("d/changed",): False,
        ("d/tracked",): False,
        ("d/untracked",): True,
    }
    message = f"{root}/d/tracked is tracked by git, and was copied instead of moved"
    assert fragment.faults[1] == Fault("copied", message, path=("d/tracked", "moved"))
    assert faults(fragment) == {("d/changed", "moved"): "copied", ("d/tracked", "moved"): "copied"}


def test_a_file_that_git_may_track_is_copied_instead_of_moved(tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {"tracked": b""})
    (root / ".git/index").write_bytes(b"broken")

    fragment = asked(root, {"tracked": MOVE})

    assert faults(fragment) == {("tracked", "moved"): "copied"}
    assert [effect.move for effect in fragment.effects if isinstance(effect, Keep)] == [False]


def test_a_link_is_copied_instead_of_moved(tmp_path: Path) -> None:
    files(tmp_path, "a")
    (tmp_path / "link").symlink_to("a")

    fragment = asked(tmp_path, {"link": MOVE})

    assert faults(fragment) == {("link", "moved"): "copied"}
    assert fragment.effects == (Keep(tmp_path / "link", "link", at=("link",)),)


@pytest.mark.parametrize("key", ["../out/a", "link/a"])
def test_what_is_outside_is_copied_instead_of_moved(key: str, tmp_path: Path) -> None:
    files(tmp_path, "out/a", "root/x")
    (tmp_path / "root/link").symlink_to("../out")

    fragment = asked(tmp_path / "root", {key: MOVE})

    assert faults(fragment) == {(key, "moved"): "copied"}
    assert [effect.move for effect in fragment.effects if isinstance(effect, Keep)] == [False]


def test_a_repository_below_the_root_is_asked_for_its_own_files(tmp_path: Path) -> None:
    repository(tmp_path / "sub", {"tracked": b""})
    git(tmp_path / "sub", "status")
    files(tmp_path, "sub/untracked", "beside")

    fragment = asked(tmp_path, {"sub": MOVE, "beside": MOVE})

    assert faults(fragment) == {("sub/tracked", "moved"): "copied"}


READING = """
import json, os, sys
from pathlib import Path
from capsula.collectors.files import collect
from capsula.core.config import Config, Surroundings
from capsula.core.settings import CaptureSettings, FileSettings, Settings
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
root = Path(sys.argv[1])
files = {key: FileSettings(hash="md5") for key in sys.argv[2:]}
config = Config(root, Settings(capture=CaptureSettings(files=files)), Surroundings(root, {}, (), "python"))
fragment = collect(config).unwrap()
print(json.dumps([list(fragment.facts), {fault.path[0]: fault.kind for fault in fragment.faults}]))
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that any user may come to, as they may not to those of pytest."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_what_may_not_be_read_costs_only_itself(reachable: Path) -> None:
    root = files(reachable / "root", "a", "secret", "locked/b", "listed/c", "**x")
    (root / "secret").chmod(0)
    (root / "locked").chmod(0)
    (root / "listed").chmod(0o444)

    done = subprocess.run(
        [sys.executable, "-c", READING, str(root), ".", "locked/b", "locked/*", "listed/*", "locked"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    (root / "locked").chmod(0o755)
    (root / "listed").chmod(0o755)
    forbidden = dict.fromkeys(["secret", "locked", "locked/b", "listed/c"], "forbidden")
    assert json.loads(done.stdout) == [["**x", "a"], forbidden]


def test_a_directory_of_thousands_of_files_takes_no_longer_for_each(tmp_path: Path) -> None:
    files(tmp_path, *(f"d/{number}" for number in range(3_000)))

    fragment = asked(tmp_path, {"d": MOVE})

    assert len(fragment.effects) == 3_000
    assert fragment.faults == ()


def test_a_deep_directory_is_walked_to_its_end(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["d"] * 1_200)
    folders(deep)
    (deep / "a").write_text("")

    fragment = collected(tmp_path, "d", "**/a")
    subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)  # what shutil does is recursive

    assert names(fragment) == [f"{'d/' * 1_200}a"]
