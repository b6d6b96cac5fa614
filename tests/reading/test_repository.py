"""Finding a repository, and reading what is in it."""

import sys
from pathlib import Path

from capsula.core.fault import Fault
from capsula.reading.repository import holder


def test_looking_for_a_repository_that_is_not_there_takes_nothing_from_the_interpreter(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()  # empty, it is none
    before = sys.getrefcount(None)

    faults = {holder(tmp_path).failure() for _ in range(200)}

    assert faults == {Fault("not a repository", f"{tmp_path} is in no repository")}
    assert sys.getrefcount(None) > before - 100
