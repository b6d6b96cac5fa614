"""Environment variables: those that are named, and no other."""

from pathlib import Path

from returns.result import Success

from capsula.collectors import environment_variables
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault
from capsula.core.fragment import Fragment
from capsula.core.settings import CaptureSettings, Settings


def test_a_variable_that_is_not_set_costs_only_itself(tmp_path: Path) -> None:
    settings = Settings(capture=CaptureSettings(environment_variables=("HOME", "UNSET", "EMPTY", "LATIN")))
    environ = {"HOME": "/home/user", "EMPTY": "", "LATIN": "caf\udce9", "SECRET": "not asked for"}
    config = Config(tmp_path, settings, Surroundings(tmp_path, environ, argv=(), executable="python"))

    answer = environment_variables.collect(config)

    facts = {"HOME": "/home/user", "EMPTY": "", "LATIN": "caf\udce9"}
    assert answer == Success(Fragment(facts, faults=(Fault("unset", "UNSET is not set", path=("UNSET",)),)))


def test_without_names_there_are_no_facts_and_no_faults(tmp_path: Path) -> None:
    config = Config(tmp_path, Settings(), Surroundings(tmp_path, {"HOME": "/"}, argv=(), executable="python"))

    answer = environment_variables.collect(config)

    assert answer == Success(Fragment({}))
