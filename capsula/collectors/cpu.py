"""The processor, as py-cpuinfo describes it; a process of its own asks it, for its inspection may crash."""

import json
from pathlib import Path

from returns.result import Failure, Result, Success, safe

from capsula import probes
from capsula.core.ask import Ask
from capsula.core.config import Config
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment

_PROBE = str(Path(probes.__file__).with_name("cpu.py"))


def asks(config: Config) -> tuple[Ask, ...]:
    """Return the question; it is asked so that no module of the working directory or beside the probe is imported."""
    return (Ask((config.surroundings.executable, "-P", _PROBE)),)


def collect(config: Config) -> Answer:
    """Return what ``cpuinfo.get_cpu_info()`` does."""
    (ask,) = asks(config)
    return config.answers[ask].bind(_facts).map(Fragment)


def _facts(answer: bytes) -> Result[Json, Fault]:
    return (
        _parsed(answer).alt(lambda error: Fault("unexpected", f"py-cpuinfo answered with no JSON: {error}")).bind(_some)
    )


@safe(exceptions=(ValueError,))
def _parsed(answer: bytes) -> Json:
    parsed: Json = json.loads(answer)
    return parsed


def _some(facts: Json) -> Result[Json, Fault]:
    return Success(facts) if facts else Failure(Fault("unexpected", "py-cpuinfo learned nothing about the CPU"))
