"""The machine, its system and the interpreter that Capsula runs in, in the words of the module ``platform``.

That spawns ``uname -p`` for the processor and ``file`` for the architecture; here the one is an ask, and the other is
read from the head of the executable. What cannot change before the machine is started again is asked once.
"""

import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.core.ask import Ask
from capsula.core.config import Config
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment, gather, joined
from capsula.reading.remembered import Memory, memory, recalled, remembering

_PROCESSOR = Ask(("uname", "-p"))


def asks(config: Config) -> tuple[Ask, ...]:
    """Return the question for the processor, unless the answer is remembered."""
    return () if _recalled(config) else (_PROCESSOR,)


def collect(config: Config) -> Answer:
    """Return what ``platform.uname()`` and its like say; ``python`` describes the interpreter of Capsula itself."""
    known = _recalled(config)
    if known:
        return Success(_told(known, config))
    learned: dict[str, Json] = {"libc": _libc(), "python": _python()}
    processor = config.answers[_PROCESSOR].map(_processor)
    if isinstance(processor, Failure):
        return Success(joined(_told(learned, config), gather({"processor": processor})))
    lasting: dict[str, Json] = {"processor": processor.unwrap(), **learned}
    return Success(_told(lasting, config)._replace(effects=remembering(_memory(config), lasting)))


def _recalled(config: Config) -> Mapping[str, Json] | None:
    return config.reader("platform", lambda: recalled(_memory(config)))


def _memory(config: Config) -> Memory | None:
    # Whose ``uname`` answers, is a matter of the path.
    return memory(config, "platform", config.surroundings.environ.get("PATH"), os.uname(), sys.version, sys.executable)


def _processor(answer: bytes) -> str:
    name = os.fsdecode(answer).strip()
    return "" if name == "unknown" else name


def _libc() -> str:
    import platform  # whose import takes as long as all the rest

    return "".join(platform.libc_ver())


def _python() -> dict[str, Json]:
    import platform

    build_no, build_date = platform.python_build()
    return {
        "build_no": build_no,
        "build_date": build_date,
        "compiler": platform.python_compiler(),
        "branch": platform.python_branch(),
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
    }


def _told(lasting: Mapping[str, Json], config: Config) -> Fragment:
    """Return all facts, of which these last."""
    here = os.uname()
    facts: dict[str, Json] = {
        "machine": here.machine,
        "node": here.nodename,
        "platform": _platform(here, str(lasting.get("processor", "")), str(lasting["libc"])),
        "release": here.release,
        "version": here.version,
        "system": here.sysname,
    }
    if "processor" in lasting:
        facts["processor"] = lasting["processor"]
    architecture = _architecture(Path(config.surroundings.executable)).map(Fragment)
    python = joined(gather({"executable_architecture": architecture}), Fragment(lasting["python"]))
    return joined(Fragment(facts), gather({"python": Success(python)}))


def _platform(here: os.uname_result, processor: str, libc: str) -> str:
    """Return what ``platform.platform()`` does on Linux, without its spawning."""
    parts = (here.sysname, here.release, here.machine, "" if processor == here.machine else processor, "with", libc)
    name = "-".join(part.strip() for part in parts if part).translate(_OBSTACLES).replace("unknown", "")
    return "-".join(piece for piece in name.split("-") if piece)


_OBSTACLES = str.maketrans({" ": "_"} | dict.fromkeys('/\\:;"()', "-"))


def _architecture(executable: Path) -> Result[Json, Fault]:
    """Return the bits and the linkage that the head of the executable tells."""
    try:
        with executable.open("rb") as file:
            head = file.read(5)
    except OSError as error:
        return Failure(fault_of(error, str(executable)))
    if head[:4] == b"\x7fELF":
        return Success({"bits": "32bit" if head[4:] == b"\x01" else "64bit", "linkage": "ELF"})
    return Success({"bits": f"{struct.calcsize('P') * 8}bit", "linkage": ""})
