"""The surroundings: the only reader of what the process is."""

import os
import stat
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from capsula.core.config import Surroundings
from capsula.core.fault import Json
from capsula.core.once import latest

_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}
_NULL = Path(os.devnull)


def surroundings(argv: tuple[str, ...] = ()) -> Surroundings:
    """Return what the process is, and the command that it is about to run."""
    cwd, is_adrift = _cwd()
    return Surroundings(cwd, _environ(), argv, sys.executable, is_adrift)


def process() -> dict[str, Json]:
    """Return what tells this process from every other, on this machine and others, before and after a restart."""
    return dict(_process())


@cache
def _process() -> Mapping[str, Json]:
    return {"host": os.uname().nodename, "pid": os.getpid(), "boot_id": boot_id(), "started": started(os.getpid())}


os.register_at_fork(after_in_child=_process.cache_clear)


def start() -> dict[str, Json] | None:
    """Return how this program was started, words and directory, or None if nobody could start it so again."""
    has_script = hasattr(sys.modules.get("__main__"), "__file__") or sys.argv[:1] == ["-c"]
    if not has_script or "ipykernel" in sys.modules or sys.flags.interactive:
        return None
    return {"argv": list(sys.orig_argv), "stdin": stream_kind(0), "umask": umask()}


def stream_kind(descriptor: int) -> str:
    """Return what a stream is: a terminal, pipe, file, socket or device, null, or closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return "closed"
    if os.isatty(descriptor):
        return "terminal"
    if stat.S_ISCHR(status.st_mode):
        return "null" if _is_null(status.st_rdev) else "device"
    kinds = {stat.S_IFREG: "file", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(status.st_mode), "device")


def _is_null(device: int) -> bool:
    try:
        return device == _NULL.stat().st_rdev
    except OSError:  # there may be no devices by name
        return False


def umask() -> str | None:
    """Return the umask in octal, read and not set (``os.umask`` sets it); none where that is not to be had."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as status:  # each call of a function pays
            _, told, rest = status.read(_BEGINNING).partition(b"\nUmask:\t")
    except OSError:
        return None
    return rest.split(b"\n", 1)[0].decode() if told else None


_BEGINNING = 256
"""Bytes of what the kernel tells of a process, its umask among them: only the name of the program is before it."""


def boot_id() -> str | None:
    """Return the id that the machine drew when it was started; none where there is no such thing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except OSError:
        return None


def started(pid: int) -> int | None:
    """Return when a process was started, in clock ticks since the machine was; none where that is not to be had."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(
        status.rpartition(b")")[2].split()[19]
    )  # field 22; the command's name, in parentheses, may hold anything


def _cwd() -> tuple[Path, bool]:
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return Path(_lost_name() or os.environ.get("PWD", os.sep)), True
    return here, not os.access(here, os.X_OK)


def _lost_name() -> str | None:
    """Return what our directory was called when it was removed; none where the kernel does not tell."""
    try:
        name = str(Path("/proc/self/cwd").readlink())
    except OSError:
        return None
    return name.removesuffix(_REMOVED) if name.endswith(_REMOVED) else None


_REMOVED = " (deleted)"


def _environ() -> Mapping[str, str]:
    held: Mapping[bytes, bytes] | None = getattr(os.environ, "_data", None)
    return _given(dict(os.environ)) if held is None else _decoded(dict(held))


@latest
def _decoded(held: Mapping[bytes, bytes]) -> Mapping[str, str]:
    """Return what ``os.environ`` holds, which other threads may change while it decodes all of it."""
    return _given({os.fsdecode(name): os.fsdecode(value) for name, value in held.items()})


def _given(environ: dict[str, str]) -> Mapping[str, str]:
    """Return the environment that the process was given: in a C locale Python itself adds LC_CTYPE to it.

    A variable without a name is left out: Python starts no program with one.
    """
    environ.pop("", None)
    if environ.get("LC_CTYPE") in _COERCED and not _was_given("LC_CTYPE"):
        del environ["LC_CTYPE"]
    return environ


def _was_given(name: str) -> bool:
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return True
    return any(entry.startswith(f"{name}=".encode()) for entry in given.split(b"\0"))
