"""The first configuration."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import tomli
from returns.result import Failure, Success

from capsula.core.config import Surroundings
from capsula.core.fault import Fault
from capsula.core.settings import CaptureSettings, FileSettings, GitSettings, MonitorSettings, Settings
from capsula.core.strict import structured
from capsula.flows.init import starter, write_starter
from capsula.flows.load import load
from tests.running import files_limited_to

KEPT = FileSettings(hash="sha256", copy=True)


def read(text: str) -> Settings:
    return structured(tomli.loads(text), "capsula.toml", Path("/root/of/it")).unwrap()


def uncommented(line: str) -> str:
    """Return the line, an example made to count; prose has a space after its mark."""
    return line[1:] if line.startswith("#") and not line.startswith("# ") else line


def test_in_an_empty_directory_the_starter_says_what_holds_anyway(tmp_path: Path) -> None:
    assert read(starter(tmp_path)) == Settings()


def test_the_files_that_pin_packages_are_kept(tmp_path: Path) -> None:
    names = ["pyproject.toml", "uv.lock", "requirements-dev.txt", "requirements.txt", 'requirements "é".txt']
    for name in [*names, "notes.txt", "requirements\n.txt"]:
        (tmp_path / name).touch()
    (tmp_path / "poetry.lock").mkdir()

    text = starter(tmp_path)

    assert read(text) == Settings(capture=CaptureSettings(files=dict.fromkeys(names, KEPT)))
    assert '#pre-capture-commands = ["uv lock --check"]' in text.splitlines()


def test_a_git_repository_is_left_to_the_default_and_said_so(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    text = starter(tmp_path)

    assert "Left out: the one that this directory is in;" in text
    assert read(text).capture.git == GitSettings(None)


@pytest.mark.parametrize("name", ["notes.txt", "poetry.lock"])
def test_every_example_counts_as_soon_as_its_mark_is_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    lines = starter(tmp_path).splitlines()
    marked = [i for i, line in enumerate(lines) if uncommented(line) != line]

    one_at_a_time = [read("\n".join([*lines[:i], uncommented(lines[i]), *lines[i + 1 :]])) for i in marked]
    together = read("\n".join(map(uncommented, lines)))

    assert len(one_at_a_time) >= 12
    assert together.monitor.item["train"].files == {"results.csv": FileSettings(hash="sha256", move=True)}
    assert together.capture.git == GitSettings({"project": "."})


def test_the_examples_show_every_setting(tmp_path: Path) -> None:
    document = tomli.loads("\n".join(map(uncommented, starter(tmp_path).splitlines())))

    shown = {*document, *document["capture"], *document["monitor"]}

    names = (*Settings._fields, *CaptureSettings._fields, *MonitorSettings._fields)
    assert shown == {name.replace("_", "-") for name in names}


def test_the_starter_is_written_and_loads(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")

    written = write_starter(tmp_path)

    config = load(None, Surroundings(tmp_path, {}, (), "python")).unwrap()
    assert written == Success(tmp_path / "capsula.toml")
    assert (tmp_path / "capsula.toml").read_text() == starter(tmp_path)
    assert config.file == tmp_path / "capsula.toml"
    assert config.settings.capture.files == {"pyproject.toml": KEPT}


@pytest.mark.parametrize("name", ["capsula.toml", "pyproject.toml"])
def test_a_configuration_that_is_there_is_never_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[tool.capsula]\n")

    written = write_starter(tmp_path)

    assert written == Failure(Fault("exists", f"{tmp_path / name} configures Capsula already", "edit that file"))
    assert contents(tmp_path) == {name: "[tool.capsula]\n"}


@pytest.mark.parametrize("name", ["capsula.toml", "pyproject.toml"])
def test_a_broken_configuration_is_a_configuration(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[tool.capsula\n")

    fault = write_starter(tmp_path).failure()

    assert fault == Fault(
        "exists",
        f"there is a configuration already, with a mistake: {name}: line 1, column 14: "
        "Expected ']' at the end of a table declaration",
        "edit that file",
    )
    assert contents(tmp_path) == {name: "[tool.capsula\n"}


def test_a_link_to_nothing_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").symlink_to(tmp_path / "target")

    assert write_starter(tmp_path).failure().kind == "exists"
    assert not (tmp_path / "target").exists()


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "none" / "capsula.toml"

    assert write_starter(tmp_path / "none") == Failure(Fault("missing", f"{file}: No such file or directory"))


def test_nothing_is_left_where_the_file_did_not_fit(tmp_path: Path) -> None:
    with files_limited_to(100):
        written = write_starter(tmp_path)

    assert written == Failure(Fault("failed", f"{tmp_path}/capsula.toml: File too large"))
    assert contents(tmp_path) == {}


def contents(directory: Path) -> Mapping[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir()}
