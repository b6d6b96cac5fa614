"""The CPU: all that py-cpuinfo says, sooner."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import cpuinfo
import pytest
from cpuinfo.cpuinfo import _hz_short_to_friendly
from returns.result import Failure, Result, Success

from capsula.collectors import cpu
from capsula.core.ask import Ask
from capsula.core.config import Config, Surroundings
from capsula.core.effect import Remember
from capsula.core.fault import Fault
from capsula.core.fragment import Answer, Fragment
from capsula.core.settings import Settings
from capsula.effects.asks import started
from capsula.effects.perform import performed


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
    answers = [cpu.collect(config(tmp_path)._replace(answers=Told(told))) for told in (b"{}", b"")]

    nothing = Fault("unexpected", "py-cpuinfo learned nothing about the CPU")
    no_json = "py-cpuinfo answered with no JSON: Expecting value: line 1 column 1 (char 0)"
    assert answers == [Failure(nothing), Failure(Fault("unexpected", no_json))]


def test_an_answer_is_remembered_until_the_machine_is_started_again(tmp_path: Path) -> None:
    asking = config(tmp_path, cache=tmp_path)
    told = asked(asking)

    remember(told)

    again = cpu.collect(asking).unwrap()
    assert cpu.asks(asking) == ()
    assert list(table(again)) == list(table(told))
    assert without_clock(table(again)) == without_clock(table(told))
    assert again.effects == ()


def test_the_clock_is_that_of_now_as_py_cpuinfo_writes_it(tmp_path: Path) -> None:
    asking = config(tmp_path, cache=tmp_path)
    file = remember(asked(asking))
    known = json.loads(file.read_text())
    known["facts"] |= {"hz_actual": [1, 0], "hz_actual_friendly": "1.0 Hz"}
    file.write_text(json.dumps(known))

    facts = table(cpu.collect(asking).unwrap())

    hertz, _ = facts["hz_actual"]
    assert 10**8 < hertz < 10**10
    assert facts["hz_actual_friendly"] == _hz_short_to_friendly(str(hertz), 0)


@pytest.mark.parametrize("spoil", ["garbage", "other machine", "writable by others", "link", "folder", "empty"])
def test_a_cache_that_cannot_be_trusted_is_asked_anew(tmp_path: Path, spoil: str) -> None:
    asking = config(tmp_path, cache=tmp_path)
    file = remember(asked(asking))
    content = file.read_text()
    match spoil:
        case "garbage":
            file.write_text(content[:-5])
        case "other machine":
            file.write_text(content.replace('"key": "', '"key": "0'))
        case "writable by others":
            file.chmod(0o666)
        case "link":
            file.rename(tmp_path / "elsewhere")
            file.symlink_to(tmp_path / "elsewhere")
        case "folder":
            file.unlink()
            file.mkdir()
        case "empty":
            file.write_text(json.dumps({**json.loads(content), "facts": {}}))

    assert len(cpu.asks(asking)) == 1


def table(fragment: Fragment) -> dict[str, Any]:
    assert isinstance(fragment.facts, dict)
    return fragment.facts


def asked(asking: Config) -> Fragment:
    with started(cpu.asks(asking), os.environ, asking.root) as answers:
        told: Fragment = cpu.collect(asking._replace(answers=answers)).unwrap()
        return told


def remember(told: Fragment) -> Path:
    (effect,) = told.effects
    assert isinstance(effect, Remember)
    performed((effect,), Path())
    return effect.file


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
        return cpu.collect(asking._replace(answers=answers))


def config(directory: Path, executable: str = sys.executable, cache: Path | None = None) -> Config:
    environ = {"XDG_CACHE_HOME": str(cache)} if cache else {}
    return Config(directory, Settings(), Surroundings(directory, environ=environ, argv=(), executable=executable))
