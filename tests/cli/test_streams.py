"""What Capsula prints itself: where it cannot, it says so in a line, and nowhere a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import PATIENCE, PLAIN, capsula, capsules, environment


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    capsula("capture", cwd=tmp_path)
    return tmp_path


def in_a_shell(words: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"{sys.executable} -P -m capsula {words}"],
        cwd=project,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("words", ["list", "show", "capture", "list --json"])
def test_a_full_disk_behind_standard_output_is_one_line(project: Path, words: str) -> None:
    done = in_a_shell(f"{words} > /dev/full", project)

    assert (done.returncode, done.stderr) == (1, "capsula: standard output: No space left on device\n")


@pytest.mark.parametrize("words", ["list", "show", "capture", "monitor true"])
def test_a_closed_standard_output_is_no_trouble(project: Path, words: str) -> None:
    done = in_a_shell(f"{words} >&-", project)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away_is_no_trouble(project: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-P", "-m", "capsula", "list"],
        cwd=project,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")


def test_colours_are_for_terminals_unless_one_says_otherwise(project: Path) -> None:
    plain = capsula("list", cwd=project)
    forced = capsula("list", cwd=project, FORCE_COLOR="1")
    refused = capsula("list", cwd=project, FORCE_COLOR="1", NO_COLOR="1")

    assert ["\x1b[" in each.stdout for each in (plain, forced, refused)] == [False, True, False]
    assert len(capsules(project)) == 1


@pytest.mark.parametrize("words", [(), ("--help",), ("monitor", "--help"), ("capture", "--help"), ("--version",)])
def test_help_is_to_be_had_everywhere(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = capsula(*words, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "capsula" in done.stdout


def test_a_misspelt_command_is_told_with_the_nearest(tmp_path: Path) -> None:
    done = capsula("captur", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "capsula: there is no command 'captur'; did you mean 'capture'?; see `capsula --help`\n"
