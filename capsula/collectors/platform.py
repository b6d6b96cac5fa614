"""The machine, its system and the interpreter that Capsula runs in, in the words of the module ``platform``.

That spawns ``uname -p`` for the processor and ``file`` for the architecture; here the one is an ask, and the other is
read from the head of the executable.
"""

import os
import platform
import struct
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.core.ask import Ask
from capsula.core.config import Config
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment, gather

_PROCESSOR = Ask(("uname", "-p"))


def asks(_config: Config) -> tuple[Ask, ...]:
    """Return the question for the processor."""
    return (_PROCESSOR,)


def collect(config: Config) -> Answer:
    """Return what ``platform.uname()`` and its like say; ``python`` describes the interpreter of Capsula itself."""
    processor = config.answers[_PROCESSOR].map(_processor)
    facts = {
        "machine": platform.machine(),
        "node": platform.node(),
        "platform": _platform(processor.value_or("")),
        "release": platform.release(),
        "version": platform.version(),
        "system": platform.system(),
    }
    answers: dict[str, Answer] = {name: Success(Fragment(fact)) for name, fact in facts.items()}
    answers["processor"] = processor.map(Fragment)
    answers["python"] = Success(_python(config.surroundings.executable))
    return Success(gather(answers))


def _processor(answer: bytes) -> str:
    name = os.fsdecode(answer).strip()
    return "" if name == "unknown" else name


def _platform(processor: str) -> str:
    """Return what ``platform.platform()`` does on Linux, without its spawning."""
    machine = platform.machine()
    libc = "".join(platform.libc_ver())
    parts = (platform.system(), platform.release(), machine, "" if processor == machine else processor, "with", libc)
    joined = "-".join(part.strip() for part in parts if part).translate(_OBSTACLES).replace("unknown", "")
    return "-".join(piece for piece in joined.split("-") if piece)


_OBSTACLES = str.maketrans({" ": "_"} | dict.fromkeys('/\\:;"()', "-"))


def _python(executable: str) -> Fragment:
    build_no, build_date = platform.python_build()
    facts = {
        "build_no": build_no,
        "build_date": build_date,
        "compiler": platform.python_compiler(),
        "branch": platform.python_branch(),
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
    }
    answers: dict[str, Answer] = {"executable_architecture": _architecture(Path(executable)).map(Fragment)}
    return gather(answers | {name: Success(Fragment(fact)) for name, fact in facts.items()})


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
