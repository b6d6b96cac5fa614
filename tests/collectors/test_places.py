"""The root directory and the working directory."""

from pathlib import Path

from returns.result import Success

from capsula.collectors import cwd, root_directory
from capsula.core.config import Config, Surroundings
from capsula.core.fragment import Fragment
from capsula.core.settings import Settings


def test_the_places_are_those_of_the_config(tmp_path: Path) -> None:
    surroundings = Surroundings(tmp_path / "below", environ={}, argv=(), executable="python")
    config = Config(tmp_path, Settings(), surroundings)

    places = root_directory.collect(config), cwd.collect(config)

    assert places == (Success(Fragment(str(tmp_path))), Success(Fragment(str(tmp_path / "below"))))
