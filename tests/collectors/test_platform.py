"""The platform: what the standard library says, without what it spawns."""

import os
import platform as standard
import sys
from pathlib import Path

from returns.result import Success

from capsula.collectors import platform
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.settings import Settings
from capsula.effects.asks import started


def test_every_fact_is_what_the_standard_library_says(tmp_path: Path) -> None:
    config = bare(tmp_path)

    with started(platform.asks(config), os.environ, tmp_path) as answers:
        answer = platform.collect(config._replace(answers=answers))

    bits, linkage = standard.architecture()
    python: Json = {
        "executable_architecture": {"bits": bits, "linkage": linkage or "ELF"},  # it tells none without `file`
        "build_no": standard.python_build()[0],
        "build_date": standard.python_build()[1],
        "compiler": standard.python_compiler(),
        "branch": standard.python_branch(),
        "implementation": standard.python_implementation(),
        "version": standard.python_version(),
    }
    facts: Json = {
        "machine": standard.machine(),
        "node": standard.node(),
        "platform": standard.platform(),
        "release": standard.release(),
        "version": standard.version(),
        "system": standard.system(),
        "processor": standard.processor(),
        "python": python,
    }
    assert answer == Success(Fragment(facts))


def test_a_processor_that_cannot_be_asked_costs_only_itself(tmp_path: Path) -> None:
    fragment = platform.collect(bare(tmp_path)).unwrap()

    assert isinstance(fragment.facts, dict)
    assert sorted(fragment.facts) == ["machine", "node", "platform", "python", "release", "system", "version"]
    assert fragment.faults == (Fault("not asked", "uname was not asked", path=("processor",)),)


def test_an_executable_that_is_gone_costs_only_its_architecture(tmp_path: Path) -> None:
    config = bare(tmp_path, executable=str(tmp_path / "gone"))

    fragment = platform.collect(config).unwrap()

    place = ("python", "executable_architecture")
    message = f"{tmp_path / 'gone'}: No such file or directory"
    assert Fault("missing", message, path=place) in fragment.faults


def bare(directory: Path, executable: str = sys.executable) -> Config:
    return Config(directory, Settings(), Surroundings(directory, environ={}, argv=(), executable=executable))
