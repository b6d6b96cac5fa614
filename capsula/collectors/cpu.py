"""The processor, as py-cpuinfo describes it; a process of its own asks it, for its inspection may crash.

What it says cannot change before the machine is started again, but for the clock: the answer is remembered that long in
the user's cache, and the clock is read anew.
"""

import json
import os
import platform
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success, safe

from capsula import probes
from capsula.core.ask import Ask
from capsula.core.config import Config
from capsula.core.effect import Remember
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment
from capsula.reading.cache import cache, own

_PROBE = str(Path(probes.__file__).with_name("cpu.py"))


def asks(config: Config) -> tuple[Ask, ...]:
    """Return the question, unless its answer is remembered."""
    return () if _remembered(config) else (_ask(config),)


def collect(config: Config) -> Answer:
    """Return what ``cpuinfo.get_cpu_info()`` does."""
    known = _remembered(config)
    if known:
        return Success(Fragment(known))
    return config.answers[_ask(config)].bind(_facts).map(lambda facts: Fragment(facts, _remembering(facts, config)))


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


class _Machine(NamedTuple):
    """What an answer holds for, and the clock of the moment."""

    key: str
    clock: str
    """In MHz."""


def _remembered(config: Config) -> dict[str, Json] | None:
    """Return the answer that was given since the machine was started, with the clock of now; none if there is none."""
    return config.reader("cpu", lambda: _recalled(config))


def _recalled(config: Config) -> dict[str, Json] | None:
    file, machine = _file(config), _machine()
    known = _parsed(own(file)).value_or({}) if file and machine else {}
    if not isinstance(known, dict) or not machine or known.get("key") != machine.key:
        return None
    facts = known.get("facts")
    return {**facts, **_clocked(facts, machine.clock)} if isinstance(facts, dict) and facts else None


def _remembering(facts: Mapping[str, Json], config: Config) -> tuple[Remember, ...]:
    file, machine = _file(config), _machine()
    if not file or not machine:
        return ()
    return (Remember(file, json.dumps({"key": machine.key, "facts": facts}).encode("ascii")),)


def _file(config: Config) -> Path | None:
    place = cache(config.surroundings.environ)
    return place / "cpu.json" if place else None


def _machine() -> _Machine | None:
    """Return what the answer depends on; none where there is no telling, as off Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return None
    changing = (b"cpu MHz", b"bogomips")
    clocks = [
        line.partition(b":")[2].decode("ascii", "replace").strip() for line in lines if line.startswith(changing[0])
    ]
    if not clocks:
        return None
    lasting = b"\n".join(line for line in lines if not line.startswith(changing))
    rest = (os.cpu_count(), platform.machine(), platform.release(), sys.version, sys.executable)
    return _Machine(sha256(boot + lasting + repr(rest).encode("utf-8", "replace")).hexdigest(), clocks[0])


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
