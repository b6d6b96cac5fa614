"""The system around a command: its release, kernel and C library, the container it is in, and what that allows it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from returns.result import Success

from capsula.core.config import Config
from capsula.core.fault import Fault, Json
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment
from capsula.reading.control_groups import MOUNT, groups, up
from capsula.reading.text import text

IMAGE = "CAPSULA_IMAGE"
"""The variable that tells which image a container was made of: nothing inside of it can."""


class Container(NamedTuple):
    """The container that the system is in."""

    kind: str
    """``docker``, ``podman``, ``kubernetes``, ...; ``unknown`` if it is one of some kind."""
    image: str | None
    """As CAPSULA_IMAGE tells it."""


class Limits(NamedTuple):
    """What the control groups allow; none where there is no limit."""

    cpus: float | None
    """How many processors' time a command may use."""
    memory: int | None
    """In bytes."""


def collect(config: Config) -> Answer:
    """Return what the system says of itself; a release that is not told is a fault at ``release``."""
    return Success(observed(Path(os.sep), config.surroundings.environ))


def observed(top: Path, environ: Mapping[str, str]) -> Fragment:
    """Return what is to be seen of the system whose files are below ``top``."""
    release = _release(top)
    container = _container(top, environ)
    facts: dict[str, Json] = {
        "kernel": text(top / "proc/sys/kernel/osrelease").strip() or os.uname().release,
        "libc": _libc(),
        "machine": os.uname().machine,
        "container": container._asdict() if container else None,
        "limits": _limits(top)._asdict(),
    }
    if release:
        return Fragment({"release": release, **facts})
    return Fragment(facts, faults=(Fault("missing", "there is no os-release", path=("release",)),))


def _release(top: Path) -> dict[str, Json]:
    """Return ``id``, ``version`` and ``name`` of the distribution, as far as they are told."""
    release = next(filter(None, (text(top / place) for place in ("etc/os-release", "usr/lib/os-release"))), "")
    told = {key: value.strip("\"'") for key, _, value in (line.partition("=") for line in release.splitlines())}
    keys = {"id": "ID", "version": "VERSION_ID", "name": "PRETTY_NAME"}
    return {name: told[key] for name, key in keys.items() if key in told}


def _libc() -> str | None:
    """Return name and version, as ``glibc 2.36``; none where the C library does not tell."""
    told: str | None = safe(exceptions=(ValueError, OSError))(os.confstr)("CS_GNU_LIBC_VERSION").value_or(None)
    return told


_KINDS = ("docker", "podman", "kubepods", "lxc", "containerd", "garden")


def _container(top: Path, environ: Mapping[str, str]) -> Container | None:
    kind = _kind(top, environ)
    image = environ.get(IMAGE)
    return Container(kind or "unknown", image) if kind or image else None


def _kind(top: Path, environ: Mapping[str, str]) -> str | None:
    if (top / ".dockerenv").exists():
        return "docker"
    if (top / "run/.containerenv").exists():
        return "podman"
    if environ.get("APPTAINER_CONTAINER") or environ.get("SINGULARITY_CONTAINER"):
        return "apptainer"
    own = text(top / "proc/self/cgroup")
    found = next((kind for kind in _KINDS if kind in own), None)
    return "kubernetes" if found == "kubepods" else found


def _limits(top: Path) -> Limits:
    """Return the tightest limits of the groups that hold this process: in the only hierarchy, or one for each kind."""
    known, mount = groups(top), top / MOUNT
    together = list(up(mount, known.get("", "/")))
    apart = [folder for name in ("cpu", "cpu,cpuacct") for folder in up(mount / name, known.get("cpu", "/"))]
    quotas = [text(folder / "cpu.max") for folder in together]
    quotas += (f"{text(folder / 'cpu.cfs_quota_us')} {text(folder / 'cpu.cfs_period_us')}" for folder in apart)
    sizes = [text(folder / "memory.max") for folder in together]
    sizes += (text(folder / "memory.limit_in_bytes") for folder in up(mount / "memory", known.get("memory", "/")))
    return Limits(
        min(filter(None, map(_quota, quotas)), default=None), min(filter(None, map(_size, sizes)), default=None)
    )


def _quota(text: str) -> float | None:
    """Return how many processors' time ``QUOTA PERIOD`` is.

    >>> _quota("150000 100000"), _quota("max 100000"), _quota("-1 100000"), _quota("")
    (1.5, None, None, None)
    """
    match text.split():
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period):
            return int(quota) / int(period)
    return None


_UNLIMITED = 1 << 60
"""Bytes from which on a size means no limit: the first version of control groups has no word for it."""


def _size(text: str) -> int | None:
    size = text.strip()
    return int(size) if size.isdecimal() and int(size) < _UNLIMITED else None
