"""The CPU: all that py-cpuinfo says, sooner."""

import json
import os
import sys
from pathlib import Path

import cpuinfo
from attrs import evolve
from returns.result import Failure, Result, Success

from capsula.collectors import cpu
from capsula.core.ask import Ask
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault
from capsula.core.fragment import Answer
from capsula.core.settings import Settings
from capsula.effects.asks import started


def test_the_facts_are_those_of_py_cpuinfo(tmp_path: Path) -> None:
    facts = collected(tmp_path).unwrap().facts

    assert isinstance(facts, dict)
    assert without_clock(facts) == without_clock(json.loads(cpuinfo.get_cpu_info_json()))


def test_no_module_of_the_working_directory_is_imported(tmp_path: Path) -> None:
    for name in ("json", "cpuinfo", "multiprocessing", "platform"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the working directory was imported')")

    answer = collected(tmp_path)

    assert isinstance(answer, Success)


def test_an_interpreter_that_fails_is_a_fault(tmp_path: Path) -> None:
    answer = collected(tmp_path, executable="false")

    assert answer == Failure(Fault("failed", "false ended with status 1"))


def test_an_empty_answer_is_a_fault(tmp_path: Path) -> None:
    answers = [cpu.collect(evolve(config(tmp_path), answers=Told(told))) for told in (b"{}", b"")]

    nothing = Fault("unexpected", "py-cpuinfo learned nothing about the CPU")
    no_json = "py-cpuinfo answered with no JSON: Expecting value: line 1 column 1 (char 0)"
    assert answers == [Failure(nothing), Failure(Fault("unexpected", no_json))]


class Told:
    """Answers that are told beforehand."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def __getitem__(self, ask: Ask) -> Result[bytes, Fault]:
        return Success(self._answer)


def without_clock(facts: dict[str, object]) -> dict[str, object]:
    return {name: fact for name, fact in facts.items() if not name.startswith("hz_actual")}


def collected(directory: Path, executable: str = sys.executable) -> Answer:
    asking = config(directory, executable)
    with started(cpu.asks(asking), os.environ, directory) as answers:
        return cpu.collect(evolve(asking, answers=answers))


def config(directory: Path, executable: str = sys.executable) -> Config:
    return Config(directory, Settings(), Surroundings(directory, environ={}, argv=(), executable=executable))
