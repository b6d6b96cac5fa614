"""The processor, as py-cpuinfo describes it; a process of its own asks it, for its inspection may crash.

What it says cannot change before the machine is started again, but for the clock: the answer is remembered that long in
the user's cache, and the clock is read anew.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula import probes
from capsula.core.ask import Ask
from capsula.core.config import Config
from capsula.core.fault import Fault, Json
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment
from capsula.reading.remembered import Memory, memory, recalled, remembering

_PROBE = str(Path(probes.__file__).with_name("cpu.py"))


def asks(config: Config) -> tuple[Ask, ...]:
    """Return the question, unless its answer is remembered."""
    return () if _remembered(config) else (_ask(config),)


def collect(config: Config) -> Answer:
    """Return what ``cpuinfo.get_cpu_info()`` does."""
    known = _remembered(config)
    if known:
        return Success(Fragment(known))
    return (
        config.answers[_ask(config)]
        .bind(_facts)
        .map(lambda facts: Fragment(facts, remembering(_memory(config, _Processor.now()), facts)))
    )


def _ask(config: Config) -> Ask:
    # Asked so that no module of the working directory, or beside the probe, is imported.
    return Ask((config.surroundings.executable, "-P", _PROBE))


def _facts(answer: bytes) -> Result[dict[str, Json], Fault]:
    return (
        _parsed(answer).alt(lambda error: Fault("unexpected", f"py-cpuinfo answered with no JSON: {error}")).bind(_some)
    )


def _some(facts: Json) -> Result[dict[str, Json], Fault]:
    if isinstance(facts, dict) and facts:
        return Success(facts)
    return Failure(Fault("unexpected", "py-cpuinfo learned nothing about the CPU"))


@safe(exceptions=(ValueError, RecursionError))
def _parsed(text: bytes) -> Json:
    parsed: Json = json.loads(text)
    return parsed


class _Processor(NamedTuple):
    """What the kernel says of the processors: what lasts, and the clock of the moment, in MHz."""

    lasting: bytes
    clock: str

    @classmethod
    def now(cls) -> "_Processor | None":
        """Return what it says now; none where it does not say."""
        try:
            lines = Path("/proc/cpuinfo").read_bytes().splitlines()
        except OSError:
            return None
        clock = next((line for line in lines if line.startswith(_CLOCK)), None)
        if clock is None:
            return None
        lasting = b"\n".join(line for line in lines if not line.startswith((_CLOCK, b"bogomips")))
        return cls(lasting, clock.partition(b":")[2].decode("ascii", "replace").strip())


_CLOCK = b"cpu MHz"


def _remembered(config: Config) -> Mapping[str, Json] | None:
    """Return the answer that was given since the machine was started, with the clock of now; none if there is none."""
    return config.reader("cpu", lambda: _recalled(config))


def _recalled(config: Config) -> Mapping[str, Json] | None:
    processor = _Processor.now()
    facts = recalled(_memory(config, processor))
    return {**facts, **_clocked(facts, processor.clock)} if facts and processor else None


def _memory(config: Config, processor: _Processor | None) -> Memory | None:
    if processor is None:
        return None
    machine, release = os.uname().machine, os.uname().release
    return memory(config, "cpu", processor.lasting, os.cpu_count(), machine, release, sys.version, sys.executable)


def _clocked(facts: Mapping[str, Json], clock: str) -> dict[str, Json]:
    """Return the keys of the actual clock, written as py-cpuinfo writes them."""
    whole, _, fraction = clock.partition(".")
    if "hz_actual" not in facts or not (whole + fraction).isdigit():
        return {}
    hertz = int(whole + fraction.ljust(6, "0")[:6])
    unit, name = next(
        (unit, name)
        for unit, name in ((10**9, "GHz"), (10**6, "MHz"), (10**3, "KHz"), (1, "Hz"))
        if hertz >= unit or unit == 1
    )
    return {"hz_actual": [hertz, 0], "hz_actual_friendly": f"{hertz / unit:.4f} {name}"}
