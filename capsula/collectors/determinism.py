"""What numbers come out by, beside the source and the packages: threads, kernels, libraries, locale and limits."""

import os
import struct
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import takewhile
from pathlib import Path

from returns.result import Success

from capsula.core.config import Config
from capsula.core.fault import Json
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment
from capsula.core.variables import is_local, is_numeric, is_secret
from capsula.reading.text import text


def collect(config: Config) -> Answer:
    """Return what is to be seen without importing anything of the user's; what is not to be seen is null.

    ``numerics`` and ``locale`` hold the variables that are set; ``libraries`` the build ids of the system's, by name;
    ``limits`` the soft ones, in bytes, seconds or files, null where there is none.
    """
    return Success(Fragment(observed(Path(os.sep), config.surroundings.environ)))


def observed(top: Path, environ: Mapping[str, str]) -> dict[str, Json]:
    """Return what is to be seen on the system whose files are below ``top``."""
    status = _fields(text(top / "proc/self/status"))
    affinity = status.get("Cpus_allowed_list")
    return {
        "numerics": _set(environ, is_numeric),
        "locale": _set(environ, is_local),
        "time_zone": _time_zone(top),
        "cpu_count": os.cpu_count(),
        "affinity": _count(affinity) if affinity else None,
        "cpu": _cpu(top),
        "libraries": _libraries(top),
        "umask": status.get("Umask"),
        "limits": _limits(text(top / "proc/self/limits")),
    }


def _set(environ: Mapping[str, str], is_wanted: Callable[[str], bool]) -> dict[str, Json]:
    return {name: value for name, value in sorted(environ.items()) if is_wanted(name) and not is_secret(name, value)}


def _time_zone(top: Path) -> str | None:
    """Return the system's time zone, as ``Europe/Berlin``, where it is a link into the table of all of them."""
    try:
        _, _, zone = os.fspath((top / "etc/localtime").readlink()).partition("zoneinfo/")
    except OSError:
        return None
    return zone or None


def _count(listing: str) -> int:
    """Return how many processors a listing names.

    >>> _count("0-3,8,10-11")
    7
    """
    ranges = (part.partition("-") for part in listing.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def _cpu(top: Path) -> dict[str, Json]:
    """Return the model, and a digest of the flags by which libraries choose their kernels."""
    try:
        with (top / "proc/cpuinfo").open("rb", buffering=4096) as file:  # of one processor; there may be hundreds
            first = b"".join(takewhile(lambda line: line != b"\n", file))
    except OSError:
        first = b""
    told = _fields(os.fsdecode(first))
    flags = sorted((told.get("flags") or told.get("Features") or "").split())
    return {
        "model": told.get("model name") or told.get("CPU part"),
        "flags_digest": sha256(" ".join(flags).encode()).hexdigest()[:32] if flags else None,
    }


_LIBRARIES = (
    *("libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libgomp.so.1", "libgfortran.so.5"),
    *("libopenblas.so.0", "libblas.so.3", "liblapack.so.3"),
)
"""Those of the system that programs calculate with, where they do not bring their own."""


def _libraries(top: Path) -> dict[str, Json]:
    machine = os.uname().machine
    triplets = (f"lib/{machine}-linux-gnu", f"usr/lib/{machine}-linux-gnu")
    folders = [top / place for place in (*triplets, "lib64", "usr/lib64", "lib", "usr/lib")]
    names = (*_LIBRARIES, f"libc.musl-{machine}.so.1")
    found = {name: next((it for folder in folders if (it := folder / name).is_file()), None) for name in names}
    ids = {name: _build_id(file) for name, file in found.items() if file}
    return {name: identity for name, identity in ids.items() if identity}


def _build_id(file: Path) -> str | None:
    """Return the identity that the linker gave a library, in hexadecimal digits; none if it did not."""
    read: str | None = safe(exceptions=(OSError, struct.error, OverflowError))(_noted_build_id)(file).value_or(None)
    return read


_NOTE_SEGMENT, _BUILD_ID = 4, 3
_MOST_NOTES = 64 * 1024


def _noted_build_id(file: Path) -> str | None:
    with file.open("rb", buffering=0) as library:
        head = library.read(4096)
        if head[:4] != b"\x7fELF":
            return None
        order, wide = "<" if head[5:6] == b"\1" else ">", head[4:5] == b"\2"
        start = struct.unpack_from(f"{order}{'Q' if wide else 'L'}", head, 32 if wide else 28)[0]
        size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
        for number in range(count):
            at = start + number * size
            kind = struct.unpack_from(f"{order}L", head, at)[0]
            offset = struct.unpack_from(f"{order}{'Q' if wide else 'L'}", head, at + (8 if wide else 4))[0]
            length = struct.unpack_from(f"{order}{'Q' if wide else 'L'}", head, at + (32 if wide else 16))[0]
            if kind == _NOTE_SEGMENT:
                library.seek(offset)
                if identity := _noted(library.read(min(length, _MOST_NOTES)), order):
                    return identity
    return None


def _noted(notes: bytes, order: str) -> str | None:
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(f"{order}LLL", notes, at)
        name, content = at + 12, at + 12 + (name_size + 3 & ~3)
        if kind == _BUILD_ID and notes[name : name + name_size] == b"GNU\0":
            return notes[content : content + size].hex()
        at = content + (size + 3 & ~3)
    return None


_LIMITS = {
    "cpu_time": "Max cpu time",
    "file_size": "Max file size",
    "data": "Max data size",
    "stack": "Max stack size",
    "address_space": "Max address space",
    "open_files": "Max open files",
    "processes": "Max processes",
}


def _limits(table: str) -> dict[str, Json]:
    """Return the soft limits of a table whose columns have their widths."""
    soft = {
        line[:_NAME].strip(): line[_NAME:].split(maxsplit=1)[0] for line in table.splitlines() if line[_NAME:].strip()
    }
    return {name: int(told) if (told := soft.get(row, "")).isdecimal() else None for name, row in _LIMITS.items()}


_NAME = 26
"""Columns of the name of a limit."""


def _fields(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
