"""A command that is monitored prints, hears and ends as without us."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from returns.result import Success, safe

from tests.effects.wrapping import PATIENCE
from tests.running import PLAIN
from tests.transparency import CASES, Case, seen

CAPSULA = (sys.executable, "-P", "-m", "capsula", "--quiet", "monitor")
ALL = [case for cases in CASES.values() for case in cases]
ALONE = (*CAPSULA, "--no-output")
"""What leaves the streams alone: nothing is between the command and them."""
OF_SIGNALS = {"SIGTERM to it alone", "SIGTERM to it and its group", "Ctrl-C, and it saves", "Ctrl-Z and fg", "a resize"}
LITTLE_PATIENCE = 3.0
"""Enough for what does not come to a terminal."""


@pytest.mark.parametrize("case", [case for case in ALL if not case.differs], ids=lambda case: case.name)
def test_a_command_cannot_tell(tmp_path: Path, case: Case) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)

    bare = seen(case, (), _fresh(tmp_path / "work"))
    wrapped = seen(case, CAPSULA, _fresh(tmp_path / "work"))

    assert wrapped == bare


@pytest.mark.parametrize(
    "name",
    ["bytes of both streams", "SIGTERM to it alone", "SIGTERM to it and its group", "Ctrl-Z and fg", "a resize"],
)
def test_nor_can_it_through_two_of_us(tmp_path: Path, name: str) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    (case,) = (case for case in ALL if case.name == name)

    bare = seen(case, (), _fresh(tmp_path / "work"))
    wrapped = seen(case, CAPSULA * 2, _fresh(tmp_path / "work"))

    assert wrapped == bare


@pytest.mark.parametrize(
    "case",
    [case for case in ALL if (case.differs and case.is_of_streams) or case.name in OF_SIGNALS],
    ids=lambda case: case.name,
)
def test_it_can_tell_even_less_where_its_streams_are_left_alone(tmp_path: Path, case: Case) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)

    bare = seen(case, (), _fresh(tmp_path / "work"))
    wrapped = seen(case, ALONE, _fresh(tmp_path / "work"))

    assert wrapped == bare


@pytest.mark.parametrize("case", [case for case in ALL if case.differs], ids=lambda case: case.name)
def test_what_a_command_can_tell_is_known(tmp_path: Path, case: Case) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    patience = LITTLE_PATIENCE if case.steps else PATIENCE

    bare = seen(case, (), _fresh(tmp_path / "work"))
    wrapped = safe(exceptions=(AssertionError,))(seen)(case, CAPSULA, _fresh(tmp_path / "work"), patience)

    assert wrapped != Success(bare)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_a_command_that_ends_before_it_could_stop_stops_its_job_all_the_same(tmp_path: Path) -> None:
    """What it wrote still waits for a reader, who has stopped: the shell waits for us to stop as well."""
    tracing = ("strace", "-qq", "-DDD", "-o", os.devnull, "-e", "trace=exit_group")
    if subprocess.run([*tracing, "true"], capture_output=True, check=False).stderr:
        pytest.skip("needs: strace")
    (tmp_path / "capsula.toml").write_text(PLAIN)
    (case,) = (case for case in ALL if case.name == "Ctrl-Z while nobody takes the output")
    ending = evolve(case, command=(*tracing, "-e", "inject=exit_group:delay_enter=500000", *case.command))

    bare = seen(ending, (), _fresh(tmp_path / "work"))
    wrapped = seen(ending, CAPSULA, _fresh(tmp_path / "work"))

    assert wrapped == bare


def _fresh(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory
