"""Configurations that somebody else wrote: each name that would lead out of its place is refused, with its place."""

import os
from pathlib import Path

import pytest

from capsula.core.config import Surroundings
from capsula.core.strict import MOST_TOLD
from capsula.flows.load import LARGEST, load
from tests.repositories import git, repository, tree
from tests.running import PLAIN, capsula

NAMES = {
    "upwards": ("../evil", "has the component '..'"),
    "far upwards": ("a/../../../evil", "has the component '..'"),
    "absolute": ("/tmp/evil", "is absolute"),
    "a NUL": ("a\\u0000b", "holds a control character"),
    "an escape sequence": ("a\\u001b[2J", "holds a control character"),
    "a line's end": ("a\\nb", "holds a control character"),
    "a long component": ("a" * 256, "has a component of more than 200 bytes"),
    "a long path": ("/".join(["a" * 100] * 41), "has more than 1000 bytes"),
    "nothing": ("", "is empty"),
    "a name of Capsula's own": (".capsula/evil", "Capsula"),
}


@pytest.mark.parametrize(("name", "flaw"), NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("place", ["capsule-template", "repositories"])
def test_a_name_that_would_leave_its_place_is_refused_before_anything_runs(
    place: str, name: str, flaw: str, tmp_path: Path
) -> None:
    lines = {
        "capsule-template": f'capsule-template = "{name}"\n[capture]\n',
        "repositories": f'[capture.git.repositories]\n"{name}" = "."\n[capture]\n',
    }
    root = tmp_path / "root"
    root.mkdir()
    (root / "capsula.toml").write_text(f"{lines[place]}pre-capture-commands = ['touch ../ran']\n")
    before = tree(tmp_path)

    captured = capsula("capture", cwd=root)
    monitored = capsula("monitor", "touch", "../ran", cwd=root)

    assert (captured.returncode, monitored.returncode) == (2, 125)
    assert tree(tmp_path) == before
    for told in (captured.stderr, monitored.stderr):
        assert (told.count("\n"), place in told, flaw in told) == (1, True, True)
        assert told.isascii()
        assert "\x1b" not in told


@pytest.mark.parametrize("key", ["../secret", "/etc/hostname", "a/../../secret", "."])
@pytest.mark.parametrize("table", ["capture.files", "monitor.item.it.files"])
def test_nothing_is_moved_from_outside_the_root(table: str, key: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    (root / "capsula.toml").write_text(f'{PLAIN}[{table}]\n"{key}" = {{ move = true }}\n')
    before = tree(tmp_path)

    done = capsula("monitor", "-i", "it", "touch", "../ran", cwd=root)

    assert done.returncode == 125
    assert f"capsula.toml: {table.replace('.', ' > ')} > {key}: " in done.stderr
    assert "would be moved from outside the root directory" in done.stderr
    assert tree(tmp_path) == before


@pytest.mark.parametrize("vault", ["", "..", "../..", "/", "~/evil", "a\\u0000b", "."])
def test_a_vault_around_the_root_or_of_no_name_is_refused(vault: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "capsula.toml").write_text(f'vault-directory = "{vault}"\n')

    done = capsula("capture", cwd=root)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("capsula: capsula.toml: vault-directory: ")
    assert list(tree(tmp_path)) == ["root/capsula.toml"]


@pytest.mark.parametrize("link", ["vault", "data"])
def test_a_link_that_came_with_a_repository_is_not_followed_to_a_vault(link: str, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    toml = PLAIN if link == "vault" else f"vault-directory = 'data/vault'\n{PLAIN}"
    origin = repository(tmp_path / "origin", {"capsula.toml": toml.encode()})
    (origin / link).symlink_to("../private")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message=.")
    git(tmp_path, "clone", "--quiet", os.fspath(origin), "root")
    root = tmp_path / "root"

    captured = capsula("capture", cwd=root)
    monitored = capsula("monitor", "sh", "-c", "exit 3", cwd=root)

    assert (captured.returncode, monitored.returncode) == (1, 3)
    for told in (captured.stderr, monitored.stderr):
        assert (told.count("\n"), f"{root / link} is a link that git tracks" in told) == (1, True)
    assert os.listdir(tmp_path / "private") == []


MANY = 20_000

HUGE = {
    "files of no kind": "[capture.files]\n" + "".join(f"f{number} = 1\n" for number in range(MANY)),
    "unknown keys": "".join(f"f{number} = 1\n" for number in range(MANY)),
    "a list of no kind": f"[capture]\nenvironment-variables = [{'1,' * MANY}]\n",
    "moved from outside": "[capture.files]\n" + "".join(f'"../{it}" = {{ move = true }}\n' for it in range(MANY)),
    "odd rules": "[discretion.rules]\n" + "".join(f"f{number} = false\n" for number in range(MANY)),
    "repositories that clash": "[capture.git.repositories]\n"
    + "".join(f'"{it}" = "."\n"{it}.diff/{it}" = "."\n' for it in range(MANY)),
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE)
def test_of_very_many_mistakes_the_first_are_told_in_time_that_grows_with_their_number(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / "capsula.toml").write_text(content)

    mistakes = load(None, Surroundings(tmp_path, {}, (), "python")).failure()

    assert len(mistakes) == MOST_TOLD + 1
    assert str(mistakes[-1]) == "capsula.toml: there are more mistakes"


def test_very_many_sound_settings_are_taken(tmp_path: Path) -> None:
    files, repositories = ("".join(f'"{it}/{it}" = {value}\n' for it in range(MANY)) for value in ("{}", "'.'"))
    (tmp_path / "capsula.toml").write_text(f"[capture.files]\n{files}[capture.git.repositories]\n{repositories}")

    capture = load(None, Surroundings(tmp_path, {}, (), "python")).unwrap().settings.capture

    assert (len(capture.files), len(capture.git.repositories or ())) == (MANY, MANY)


def test_a_key_without_end_is_told_in_part(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"{'a' * (LARGEST - 10)} = 1\n")

    (mistake,) = load(None, Surroundings(tmp_path, {}, (), "python")).failure()

    assert len(str(mistake)) < 300


def test_a_configuration_without_bounds_is_refused_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_bytes(b"a = " + b"[" * 100_000 + b"\n" + b"#" * 20_000_000)

    done = capsula("monitor", "touch", "ran", cwd=tmp_path)

    assert (done.returncode, (tmp_path / "ran").exists()) == (125, False)
    assert done.stderr == f"capsula: capsula.toml: is larger than {LARGEST} bytes\n"


def test_of_a_configuration_without_end_no_more_is_read_than_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "capsula.toml").open("wb") as endless:
        endless.truncate(1 << 40)

    (mistake,) = load(None, Surroundings(tmp_path, {}, (), "python")).failure()

    assert str(mistake) == f"capsula.toml: is larger than {LARGEST} bytes"
