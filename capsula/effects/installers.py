"""Installers: uv where it is to be had, else pip; both install exactly what they are asked for, and nothing more."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from time import monotonic
from typing import Literal, Protocol, TypeAlias

from attrs import field, frozen
from returns.result import Failure, Result, Success

from capsula.core.config import Surroundings
from capsula.core.fault import Fault, fault_of
from capsula.effects.interpreters import without_python

OWN_PIP = ".pip"
"""Where in an environment the pip stands that fills it, and that is no part of it."""

Stage: TypeAlias = Literal["cached", "built", "any"]
"""What may be installed: what is on this machine, what is built already, whatever there is."""


@frozen
class Workshop:
    """Where installers work: their environment, the directories of wheels, when they are late, and what they hold."""

    environ: Mapping[str, str] = field(repr=False)
    wheels: tuple[Path, ...]
    late: float
    """The moment on the monotonic clock when all must be done."""
    lock: int
    """A descriptor that is kept open by all that work here, even when we are killed."""


class Installer(Protocol):
    """Makes virtual environments and installs into them."""

    @property
    def name(self) -> str:
        """What a plan calls it."""
        ...

    def make(self, directory: Path, program: str, shop: Workshop) -> Result[None, Fault]:
        """Make an environment without any distribution."""
        ...

    def install(
        self, directory: Path, requirements: Sequence[str], stage: Stage, shop: Workshop
    ) -> Result[None, Fault]:
        """Install all of the requirements, and nothing that they in turn require."""
        ...


def installer(surroundings: Surroundings) -> Installer:
    """Return uv, if it is on the path or in our own environment, else pip."""
    program = which("uv", path=surroundings.environ.get("PATH", os.defpath)) or _own_uv()
    return Uv(program) if program else Pip(surroundings.executable)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what an installer is told of the user's wishes: where to fetch from and how, never what or where to."""
    kept = {name: value for name, value in without_python(environ).items() if _is_wish(name)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:ssh"}


@frozen
class Uv:
    """uv; its cache makes a second environment a matter of milliseconds."""

    program: str
    name: str = "uv"

    def make(self, directory: Path, program: str, shop: Workshop) -> Result[None, Fault]:
        """Make an environment."""
        options = ("--quiet", "--no-project", "--offline", "--python", program)
        return _run((self.program, "venv", *options, str(directory)), directory.parent, shop)

    def install(
        self, directory: Path, requirements: Sequence[str], stage: Stage, shop: Workshop
    ) -> Result[None, Fault]:
        """Install into an environment; packages that are in the cache are linked from it."""
        options = ("--quiet", "--no-deps", "--no-progress", "--python", str(directory / "bin" / "python"))
        allowed = {"cached": ("--offline", "--no-build"), "built": ("--no-build",), "any": ()}[stage]
        return _run((self.program, "pip", "install", *options, *allowed, *_links(shop), *requirements), directory, shop)


@frozen
class Pip:
    """pip, that which the interpreter brings; it is not left in the environment."""

    executable: str
    """An interpreter whose pip is used where the other brings none."""
    name: str = "pip"

    def make(self, directory: Path, program: str, shop: Workshop) -> Result[None, Fault]:
        """Make an environment."""
        return _run((program, "-I", "-m", "venv", "--without-pip", str(directory)), directory.parent, shop)

    def install(
        self, directory: Path, requirements: Sequence[str], stage: Stage, shop: Workshop
    ) -> Result[None, Fault]:
        """Install into an environment."""
        options = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--ignore-installed")
        usual = ("--no-compile", "--no-warn-script-location", "--retries=2", "--timeout=15")
        wheels_only = ("--only-binary", ":all:")
        allowed = {"cached": ("--no-index", *wheels_only), "built": wheels_only, "any": ()}[stage]
        return _pip(directory, self.executable, shop).bind(
            lambda pip: _run(
                (*pip, "install", *options, *usual, *allowed, *_links(shop), *requirements), directory, shop
            )
        )


_FETCHING = re.compile("INDEX|LINKS|HOST|CERT|PROXY|CACHE|KEYRING|TIMEOUT|RETRIES|TLS|CREDENTIAL|USERNAME|PASSWORD")


def _is_wish(name: str) -> bool:
    return not name.startswith(("UV_", "PIP_", "GIT_")) or _FETCHING.search(name) is not None


def _own_uv() -> str | None:
    if find_spec("uv") is None:
        return None
    from uv import find_uv_bin

    try:
        return os.fspath(find_uv_bin())
    except FileNotFoundError:
        return None


def _links(shop: Workshop) -> tuple[str, ...]:
    return tuple(f"--find-links={folder}" for folder in shop.wheels)


def _pip(directory: Path, executable: str, shop: Workshop) -> Result[tuple[str, ...], Fault]:
    """Return the words that run a pip outside of the environment, for it."""
    program, aside = str(directory / "bin" / "python"), directory / OWN_PIP
    if not aside.exists():
        _run((program, "-I", "-m", "ensurepip", "--root", str(aside)), directory, shop)
    place = next(aside.glob("**/pip/__main__.py"), None)
    if place is None:  # some distributions of Python leave it out
        return Success((executable, "-I", "-m", "pip", "--python", program))
    runs = f"import sys, runpy; sys.path.insert(0, {str(place.parents[1])!r}); sys.argv[0] = 'pip'"
    return Success((program, "-I", "-c", f"{runs}; runpy.run_module('pip', run_name='__main__')"))


def _run(argv: tuple[str, ...], cwd: Path, shop: Workshop) -> Result[None, Fault]:
    name = Path(argv[0]).name
    if shop.late < monotonic():
        return Failure(Fault("timeout", f"there was no time left for {name}"))
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=shop.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
            pass_fds=(shop.lock,),
        )
    except OSError as error:
        return Failure(fault_of(error, argv[0]))
    try:
        _, errors = process.communicate(timeout=shop.late - monotonic())
    except subprocess.TimeoutExpired:
        _end(process)
        return Failure(Fault("timeout", f"{name} was not done in time"))
    except BaseException:
        _end(process)
        raise
    if process.returncode == 0:
        return Success(None)
    told = " ".join(os.fsdecode(errors).split())
    return Failure(Fault("failed", f"{name} ended with status {process.returncode}: {told[-_MOST_TOLD:]}"))


_MOST_TOLD = 600
"""Characters of what an installer says."""


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
