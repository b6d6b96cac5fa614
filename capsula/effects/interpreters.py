"""Interpreters of this machine: the one of an exact version, or the nearest, which is said to be no more than that."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import evolve
from returns.result import Failure, Result, Success

from capsula.core.ask import Ask
from capsula.core.config import Surroundings
from capsula.core.fault import Fault
from capsula.core.foreign import safe
from capsula.effects.asks import started
from capsula.restorers.building import Found
from capsula.restorers.python_packages import Python

PATIENCE = 5.0
"""Seconds that an interpreter has to say what it is."""


def found(wanted: Python, surroundings: Surroundings, more: Iterable[Path] = ()) -> Result[Found, Fault]:
    """Return the interpreter of this version; else the nearest of the same x.y, told by ``why``.

    It is looked for in the directories of ``PATH``, of pyenv, uv and conda, and in ``more``; those that are there are
    run, to say what they are. Fault: ``unavailable``.
    """
    programs: dict[str, str] = {}
    for program in _programs(wanted, surroundings, more):
        programs.setdefault(os.path.realpath(program), program)
    asks = {program: Ask((program, "-I", "-S", "-c", _QUESTION), PATIENCE) for program in programs.values()}
    with started(asks.values(), without_python(surroundings.environ), Path("/")) as answers:
        told = [answers[ask].bind(_told).value_or(None) for ask in asks.values()]
    fitting = [one for one in told if one is not None and _fits(one.python, wanted)]
    nearest = min(fitting, key=lambda one: _distance(one.python, wanted), default=None)
    if nearest is None:
        remedy = f"install Python {wanted.version}, for example by: uv python install {wanted.version}"
        return Failure(Fault("unavailable", f"no Python {_minor(wanted.version)} is on this machine", remedy))
    return Success(evolve(nearest, why=tuple(_reasons(nearest.python, wanted))))


def without_python(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what turns an interpreter, or a virtual environment, into another one."""
    return {name: value for name, value in environ.items() if not name.startswith(_TURNING)}


_TURNING = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV", "PYENV_VERSION")

_QUESTION = """
import importlib.util, json, sys, sysconfig
print(json.dumps([getattr(sys, "_base_executable", None) or sys.executable, sys.version.split()[0],
    sys.implementation.name, getattr(sys, "abiflags", ""), sysconfig.get_platform(), sys.version,
    importlib.util.find_spec("ensurepip") is not None]))
"""


def _programs(wanted: Python, surroundings: Surroundings, more: Iterable[Path]) -> Iterator[str]:
    stem = "pypy" if wanted.implementation == "pypy" else "python"
    names = dict.fromkeys(f"{stem}{_minor(wanted.version)}{flags}" for flags in (wanted.abi_flags, ""))
    for directory in _directories(surroundings, more):
        for name in names:
            if os.path.isfile(directory / name):
                yield str(directory / name)


def _directories(surroundings: Surroundings, more: Iterable[Path]) -> Iterator[Path]:
    for directory in _named(surroundings, more):
        if directory.name == "shims":  # scripts that look for the one that is meant, and take their time
            yield from sorted(directory.parent.glob("versions/*/bin"))
            yield from sorted(directory.parent.glob("installs/python/*/bin"))
        else:
            yield directory


def _named(surroundings: Surroundings, more: Iterable[Path]) -> Iterator[Path]:
    environ = surroundings.environ
    home = Path(environ.get("HOME") or "/nonexistent")
    shared = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    yield from more
    yield Path(surroundings.executable).parent
    yield from (surroundings.cwd / directory for directory in environ.get("PATH", "").split(":") if directory)
    conda = tuple(_conda(environ, home))
    many = (
        Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(environ.get("UV_PYTHON_INSTALL_DIR") or shared / "uv" / "python"),
        *(root / "envs" for root in conda),
    )
    yield from (root / "bin" for root in conda)
    for root in many:
        yield from sorted(root.glob("*/bin"))


def _conda(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield from (Path(environ[name]) for name in ("CONDA_PREFIX", "MAMBA_ROOT_PREFIX") if environ.get(name))
    yield from (home / name for name in ("miniconda3", "miniforge3", "anaconda3", "mambaforge", "micromamba", ".conda"))


@safe(exceptions=(ValueError, TypeError, LookupError, RecursionError))
def _parsed(answer: bytes) -> Found:
    program, version, implementation, flags, platform, build, brings_pip = json.loads(answer.splitlines()[-1])
    return Found(program, Python(version, implementation, flags, platform, build), brings_pip=bool(brings_pip))


def _told(answer: bytes) -> Result[Found, Fault]:
    return _parsed(answer or b"null").alt(lambda error: Fault("unexpected", f"no Python: {error}"))


def _fits(python: Python, wanted: Python) -> bool:
    return (python.implementation, python.abi_flags, _minor(python.version)) == (
        wanted.implementation,
        wanted.abi_flags,
        _minor(wanted.version),
    )


def _distance(python: Python, wanted: Python) -> tuple[bool, int, bool, bool]:
    patches = abs(_patch(python.version) - _patch(wanted.version))
    return python.version != wanted.version, patches, python.platform != wanted.platform, python.build != wanted.build


def _reasons(python: Python, wanted: Python) -> Iterator[str]:
    if python.version != wanted.version:
        yield f"Python {python.version} stands in for {wanted.version}, which is not on this machine"
    if wanted.platform and python.platform != wanted.platform:
        yield f"this machine is {python.platform}, and it ran on {wanted.platform}"
    if python.version == wanted.version and wanted.build and python.build != wanted.build:
        yield f"this is another build of Python {python.version}: {python.build}, and was {wanted.build}"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _patch(version: str) -> int:
    digits = re.match(r"\d+\.\d+\.(\d+)", version)
    return int(digits[1]) if digits else 0
