"""A command that is monitored prints, hears and ends as without us."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.running import PLAIN
from tests.transparency import CASES, Case, seen

CAPSULA = (sys.executable, "-P", "-m", "capsula", "--quiet", "monitor")


@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.name)
def test_a_command_cannot_tell(tmp_path: Path, case: Case) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)

    bare = seen(case, (), _fresh(tmp_path / "work"))
    wrapped = seen(case, CAPSULA, _fresh(tmp_path / "work"))

    if case.differs:
        assert wrapped != bare
    else:
        assert wrapped == bare


def _fresh(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory
