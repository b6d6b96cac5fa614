"""Installers at work: uv where it is to be had, else pip, told of the user's wishes, and ended when they are late."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from time import monotonic

from attrs import field, frozen
from returns.result import Failure, Result, Success

from capsula.core.config import Surroundings
from capsula.core.fault import Fault, fault_of
from capsula.effects.interpreters import without_python
from capsula.restorers.building import Installer, Pip, Uv, Words


@frozen
class Workshop:
    """Where installers work: their environment, when they are late, and what they hold."""

    environ: Mapping[str, str] = field(repr=False)
    late: float
    """The moment on the monotonic clock when all must be done."""
    lock: int | None = None
    """A descriptor that is kept open by all that work here, even when we are killed."""


def installer(surroundings: Surroundings) -> Installer:
    """Return uv, if it is on the path or in our own environment, else pip."""
    program = which("uv", path=surroundings.environ.get("PATH", os.defpath)) or _own_uv()
    return Uv(program) if program else Pip(surroundings.executable)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what an installer is told of the user's wishes: where to fetch from and how, never what or where to."""
    kept = {name: value for name, value in without_python(environ).items() if _is_wish(name)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:ssh"}


def cache_of_uv(environ: Mapping[str, str]) -> Path:
    """Return where uv keeps what it fetched."""
    home = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME') or ''}/.cache"
    return Path(environ.get("UV_CACHE_DIR") or f"{home}/uv")


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


def carried_out(argv: Words, cwd: Path, shop: Workshop) -> Result[str, Fault]:
    """Run a command of an installer, and return what it said. Faults: ``failed``, ``timeout``, those of the disk."""
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
            pass_fds=() if shop.lock is None else (shop.lock,),
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
    told = " ".join(os.fsdecode(errors).split())
    if process.returncode == 0:
        return Success(told)
    return Failure(Fault("failed", f"{name} ended with status {process.returncode}: {told[-_MOST_TOLD:]}"))


_MOST_TOLD = 600
"""Characters of what an installer says."""


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
