"""Files that nobody would make on purpose: each is kept as it is, or told, and nothing hangs, grows or is lost."""

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsula.collectors.files import MOST_FILES, collect
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Keep
from capsula.core.fragment import Fragment
from capsula.core.settings import CaptureSettings, FileSettings, Settings
from capsula.effects.files import folders, removed
from capsula.effects.keep import kept
from tests.effects.wrapping import powerless
from tests.repositories import repository, write
from tests.running import PLAIN, behind, capsula, document, faults, only_capsule

COPY = '{ hash = "sha256", copy = true }'
TOML = b'[capture.files]\n"a" = { copy = true }\n'
MOVE = '{ hash = "sha256", move = true }'


def configured(root: Path, *lines: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / "capsula.toml").write_text("\n".join((PLAIN, "[capture.files]", *lines, "")))
    return root


def covered(root: Path, key: str, wish: FileSettings) -> Fragment:
    """Return what the facet answers for a key."""
    settings = Settings(capture=CaptureSettings(files={key: wish}))
    fragment: Fragment = collect(Config(root, settings, Surroundings(root, {}, (), "python"))).unwrap()
    return fragment


@pytest.mark.parametrize("key", ["data", "data/*", "**/*.pem", "*/*", "data/**"])
@pytest.mark.parametrize("wish", [COPY, MOVE])
def test_the_content_of_a_file_elsewhere_is_not_kept_because_a_link_was_found(
    key: str, wish: str, tmp_path: Path
) -> None:
    private = tmp_path / "private/id.pem"
    write(tmp_path, {"private/id.pem": b"private", "root/data/own.pem": b"own"})
    root = configured(tmp_path / "root", f'"{key}" = {wish}')
    (root / "data/link.pem").symlink_to("../../private/id.pem")

    done = capsula("capture", cwd=root)

    capsule = only_capsule(root)
    context = document(capsule, "context.json")
    assert (done.returncode, faults(context)) == (0, [(("files", "data/link.pem", "kept_as"), "left")])
    assert context["files"]["data/link.pem"] == {
        "hash_algorithm": "sha256",
        "file_hash": hashlib.sha256(b"private").hexdigest(),
        "size": 7,
        "link": "../../private/id.pem",
    }
    assert (capsule / "data/own.pem").read_bytes() == b"own"
    assert not os.path.lexists(capsule / "data/link.pem")
    assert private.read_bytes() == b"private"


def test_behind_a_linked_folder_that_no_key_names_nothing_is_kept(tmp_path: Path) -> None:
    write(tmp_path, {"private/a": b"private", "root/data/a": b"own"})
    root = tmp_path / "root"
    (root / "link").symlink_to("../private")
    copy = FileSettings(copy=True)

    matched = covered(root, "*/a", copy)
    named = covered(root, "link/*", copy)

    assert [effect.at for effect in matched.effects] == [("data/a",)]
    assert [fault.path for fault in matched.faults] == [("link/a", "kept_as")]
    assert ([effect.at for effect in named.effects], named.faults) == ([("link/a",)], ())


def test_a_link_that_a_key_names_is_kept_as_what_it_leads_to(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/a": b"mine"})
    root = configured(tmp_path / "root", f'"link" = {COPY}')
    (root / "link").symlink_to("../elsewhere/a")

    done = capsula("capture", cwd=root)

    assert (done.returncode, done.stderr) == (0, "")
    assert (only_capsule(root) / "link").read_bytes() == b"mine"


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"private": b"private", "a": b"a", "data/b": b"b"})
    wished = [*covered(tmp_path, "a", FileSettings(copy=True)).effects]
    wished += covered(tmp_path, "data", FileSettings(copy=True)).effects
    for path in (tmp_path / "a", tmp_path / "data/b"):
        path.unlink()
        path.symlink_to(tmp_path / "private")

    answers = [kept(effect, tmp_path / "capsule") for effect in wished if isinstance(effect, Keep)]

    assert [answer.failure().kind for answer in answers] == ["failed", "failed"]
    assert not (tmp_path / "capsule").exists()


ODD_NAMES = (
    *("a\nb", "\n", "\x1b[2J", "-rf", "--", "~", "$(touch ran)", "`id`", "a'b\"c", "%s", "{}", "\\", " ", " x ", "*"),
    *("\udcff\udce9", "a\u202eb", "é" * 100, "x" * 255, "COM1", "con.txt", "e\u0301", "\u00e9", "a\x7f", "[a]"),
)


def test_whatever_a_file_is_called_it_is_kept_under_that_name_and_no_other(tmp_path: Path) -> None:
    root = configured(tmp_path / "root", f'"data" = {COPY}')
    write(root, {f"data/{name}": name.encode("utf-8", "surrogateescape") for name in ODD_NAMES})

    done = capsula("capture", cwd=root)

    capsule = only_capsule(root)
    facts = document(capsule, "context.json")
    assert (done.returncode, done.stderr, faults(facts)) == (0, "", [])
    assert {os.fsencode(path.name): path.read_bytes() for path in (capsule / "data").iterdir()} == {
        os.fsencode(name): os.fsencode(name) for name in ODD_NAMES
    }
    assert len(facts["files"]) == len(ODD_NAMES)


def test_names_that_differ_in_case_alone_and_names_of_capsulas_own_are_kept_apart(tmp_path: Path) -> None:
    paths = [
        "a",
        "A",
        "D/x",
        "d/X",
        "d/x",
        "context.json",
        "Context.JSON",
        ".capsula/x",
        "files/a",
        "outside/y",
        "after",
    ]
    root = configured(tmp_path / "root", *(f'"{path}" = {MOVE}' for path in paths))
    write(root, {path: path.encode() for path in paths})

    done = capsula("capture", cwd=root)

    capsule = only_capsule(root)
    context = document(capsule, "context.json")
    places = {path: context["files"][path]["kept_as"] for path in paths}
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: (capsule / place).read_bytes() for path, place in places.items()} == {
        path: path.encode() for path in paths
    }
    assert len({place.casefold() for place in places.values()}) == len(paths)
    assert not any((root / path).exists() for path in paths)


def test_what_a_file_is_besides_its_bytes_is_kept_or_told(tmp_path: Path) -> None:
    root = configured(tmp_path / "root", f'"run.sh" = {COPY}', f'"open" = {COPY}', f'"setuid" = {COPY}')
    write(root, {"run.sh": b"#!/bin/sh\n", "open": b"", "setuid": b""})
    for name, mode in {"run.sh": 0o755, "open": 0o666, "setuid": 0o4755}.items():
        (root / name).chmod(mode)
        os.utime(root / name, ns=(1_000_000_001, 1_234_567_890_123_456_789))

    assert capsula("capture", cwd=root).returncode == 0

    capsule = only_capsule(root)
    facts = document(capsule, "context.json")["files"]
    here = {name: (capsule / name).stat() for name in ("run.sh", "open", "setuid")}
    assert {name: facts[name]["mode"] for name in here} == {"run.sh": "0755", "open": "0666", "setuid": "4755"}
    assert {name: stat.S_IMODE(it.st_mode) for name, it in here.items()} == {
        "run.sh": 0o700,
        "open": 0o600,
        "setuid": 0o700,
    }
    assert {it.st_mtime_ns for it in here.values()} == {1_234_567_890_123_456_789}


def test_a_hole_takes_no_room(tmp_path: Path) -> None:
    root = configured(tmp_path / "root", '"hole" = { copy = true }')
    (root / "hole").touch()
    os.truncate(root / "hole", 1 << 29)

    done = capsula("capture", cwd=root)

    status = (only_capsule(root) / "hole").stat()
    assert (done.returncode, status.st_size) == (0, 1 << 29)
    assert status.st_blocks * 512 < 1 << 20


@pytest.mark.slow
def test_of_too_many_files_none_is_looked_at(tmp_path: Path) -> None:
    ways = 500
    write(tmp_path, {f"data/{number}": b"" for number in range(MOST_FILES // ways + 1)})
    for number in range(ways):
        (tmp_path / f"way{number}").symlink_to("data")

    fragment = covered(tmp_path, "way*/*", FileSettings(hash="sha256"))

    assert (fragment.facts, [(it.path, it.kind) for it in fragment.faults]) == ({}, [(("way*/*",), "too many")])


def test_folders_that_match_in_ever_so_many_ways_are_looked_at_once(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["a"] * 40)
    deep.mkdir(parents=True)
    (deep / "b").write_text("")

    fragment = covered(tmp_path, "/".join(["**", "a"] * 12 + ["**", "b"]), FileSettings())

    assert isinstance(fragment.facts, dict)
    assert list(fragment.facts) == [f"{'a/' * 40}b"]


DEEP = "/".join(["d"] * 1100)
"""A folder in more folders than Python would call functions inside one another."""


@pytest.fixture
def bottomless(tmp_path: Path) -> Iterator[Path]:
    """A project with a file in very many folders."""
    root = configured(tmp_path / "root", f'"{DEEP}/kept" = {COPY}')
    (root / "capsula.toml").write_text((root / "capsula.toml").read_text().replace("source = false", "source = true"))
    folders(root / DEEP)
    (root / DEEP / "kept").write_text("deep")
    yield root
    removed(root)  # what pytest does not


@pytest.mark.slow
def test_however_deep_a_file_lies_it_is_kept_and_told(bottomless: Path) -> None:
    write_deeper = ("sh", "-c", f"echo out > {DEEP}/out")

    monitored = capsula("monitor", *write_deeper, cwd=bottomless)
    shown, checked = capsula("show", "@", cwd=bottomless), capsula("check", "--secrets", cwd=bottomless)
    sound = capsula("verify", "--integrity", "@", cwd=bottomless)

    capsule = only_capsule(bottomless)
    assert [(it.returncode, it.stderr) for it in (monitored, shown, checked, sound)] == [(0, "")] * 4
    assert faults(document(capsule, "context.json")) == []
    assert (capsule / DEEP / "kept").read_text() == "deep"
    assert document(capsule, "post-run-info.json")["outputs"][f"{DEEP}/out"]["size"] == 4


def limited(root: Path, limit: str, *words: str) -> subprocess.CompletedProcess[str]:
    return behind(("sh", "-c", f'{limit} && exec "$@"', "sh"), *words, cwd=root)


@pytest.mark.parametrize("descriptors", [12, 16, 24])
def test_with_few_descriptors_the_command_runs_and_no_record_is_half_written(descriptors: int, tmp_path: Path) -> None:
    root = repository(tmp_path / "root", {"a": b"a"})
    write(root, {"capsula.toml": f'[capture]\ninclude-cpu = false\n[capture.files]\n"a" = {COPY}\n'.encode()})

    done = limited(root, f"ulimit -n {descriptors}", "monitor", "sh", "-c", "echo out; exit 3")
    listed = capsula("list", "--json", cwd=root)

    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "out\n", False)
    states = [it["state"] for it in json.loads(listed.stdout)]
    assert states == ["failed"] if "is not recorded" not in done.stderr else states == []


@pytest.mark.parametrize("words", [("capture",), ("list",), ("show",), ("verify",)])
def test_in_a_directory_that_is_gone_one_line_says_so(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()

    done = limited(tmp_path / "gone", "rmdir ../gone", *words)

    assert (done.returncode, done.stdout) == (2, "")
    told = "the working directory cannot be used: it was removed, or is closed to you"
    assert done.stderr == f"capsula: {tmp_path}/gone: {told}\n"


@pytest.mark.parametrize(("words", "ending"), [((), (1, "out\n")), (("--strict",), (125, ""))])
def test_in_a_directory_that_is_gone_a_command_runs_unrecorded_but_not_if_strict(
    words: tuple[str, ...], ending: tuple[int, str], tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()

    done = limited(tmp_path / "gone", "rmdir ../gone", "monitor", *words, "bash", "-c", "echo out; false")

    assert (done.returncode, done.stdout) == ending
    assert "this run is not recorded: " in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("again", [False, True])
def test_below_a_configuration_a_run_in_a_directory_that_is_gone_is_recorded_but_for_that(
    again: bool, tmp_path: Path
) -> None:
    """It runs where it is, and not in another directory of that name."""
    (tmp_path / "capsula.toml").write_text(PLAIN)
    (tmp_path / "gone").mkdir()
    replaced = "rmdir ../gone" + (" && mkdir ../gone && touch ../gone/fresh" if again else "")

    done = limited(tmp_path / "gone", replaced, "monitor", "ls", "-A")

    capsule = only_capsule(tmp_path)
    told = f"cwd: the working directory was removed, or is closed to you: {tmp_path}/gone"
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"capsula: not all is recorded: {told}; `capsula show ")
    assert (
        faults(document(capsule, "context.json"))
        == faults(document(capsule, "pre-run-info.json"))
        == [(("cwd",), "gone")]
    )


@pytest.mark.parametrize(
    ("config", "told"), [(None, "this run is not recorded: "), (PLAIN, "not all is recorded: cwd: ")]
)
def test_a_command_runs_in_a_directory_that_is_closed_to_its_user(
    config: str | None, told: str, tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir()
    if config:
        (tmp_path / "capsula.toml").write_text(config)

    front = ("sh", "-c", 'chmod 000 .; "$@"; ended=$?; chmod 700 .; exit $ended', "sh", *powerless())
    done = behind(front, "monitor", "sh", "-c", "echo out; exit 3", cwd=tmp_path / "closed")

    assert (done.returncode, done.stdout) == (3, "out\n")
    assert done.stderr.startswith(f"capsula: {told}")


@pytest.mark.slow
def test_a_root_that_is_not_utf8_is_a_root_like_any_other(tmp_path: Path) -> None:
    root = repository(tmp_path / "caf\udce9\n", {"a": b"a\n", "capsula.toml": TOML})
    write(root, {"a": b"b\n", "\udcff": b"c"})

    done = [
        capsula(*words, cwd=root, XDG_CACHE_HOME=str(tmp_path / "cache"))
        for words in (
            *(("monitor", "sh", "-c", "echo out > out"), ("list",), ("show",), ("verify", "@"), ("capture",)),
            *(("diff", "@1", "@"), ("checkout", "@1", "../again"), ("reproduce", "--no-rebuild", "@1")),
        )
    ]

    assert [(it.args[4:], it.returncode, it.stderr) for it in done if it.returncode and "diff" not in it.args] == []
    assert (tmp_path / "again/a").read_bytes() == b"b\n"
    assert (tmp_path / "again/\udcff").read_bytes() == b"c"
    assert not [it for it in done if any("\udc80" <= character <= "\udcff" for character in it.stdout + it.stderr)]


@pytest.mark.skipif(not Path("/proc/self/pagemap").exists(), reason="needs: linux")
@pytest.mark.parametrize("wish", [COPY, '{ hash = "sha256" }'])
def test_a_file_below_proc_that_has_no_end_is_not_read_for_ever(wish: str, tmp_path: Path) -> None:
    root = configured(tmp_path / "root", f'"/proc/self/pagemap" = {wish}', f'"/proc/version" = {wish}')

    done = capsula("capture", cwd=root)

    context = document(only_capsule(root), "context.json")
    (told,) = context["capsula"]["faults"]
    assert (done.returncode, told["path"]) == (0, ["files", "/proc/self/pagemap"])
    assert "it tells no size, and holds more than" in told["message"]
    assert context["files"]["/proc/version"]["size"] == len(Path("/proc/version").read_bytes())
