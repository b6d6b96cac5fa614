"""The key of a vault: drawn once, read by its owner alone, and never part of a capsule."""

import os
from collections.abc import Mapping
from contextlib import suppress
from errno import EMLINK, ENOSYS, ENOTSUP, EPERM
from functools import cache, lru_cache
from hashlib import sha256
from hmac import digest
from pathlib import Path
from time import time_ns

from returns.result import Failure, Result, Success

from capsula.core.effect import Seal
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.core.variables import keyed_digest
from capsula.effects.files import synchronised, written
from capsula.effects.vault import OWN, ready, workplace

LENGTH = 32
_TICK = 50_000_000
"""In ns; the clock by which file systems tell times goes on a hundred times a second or more."""

_WITHOUT_LINKS = {EPERM, ENOTSUP, EMLINK, ENOSYS}
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def key(vault: Path) -> Result[bytes, Fault]:
    """Return the key of a vault, drawing it if there is none; of all processes that draw at once, one wins.

    It may be the first that is put into the vault.
    """
    known = known_key(vault)
    if isinstance(known, Success) or known.failure().kind != "missing":
        return known
    return ready(vault).bind(_with_key)


def known_key(vault: Path) -> Result[bytes, Fault]:
    """Return the key of a vault, if it has one; nothing is written. Faults: ``missing``, ``malformed``."""
    return _read(vault).map(lambda found: found[0])


def vault_of(capsule: Path) -> Path | None:
    """Return the vault with a key that a capsule is in, however deep; what is in the capsule itself is none."""
    return next((folder for folder in capsule.absolute().parents if os.path.lexists(_file(folder))), None)


def signature(vault: Path, text: bytes) -> Result[str, Fault]:
    """Return 64 hexadecimal digits that this user alone, on this machine, can make for a text.

    A vault may be copied, its key with it: so the key file itself, the user and the machine have their part in it.
    """
    return _read(vault).map(lambda found: digest(found[0] + _place(found[1]), text, "sha256").hex())


def sealed(effect: Seal) -> Answer:
    """Return the digest of each value."""
    return key(effect.vault).map(lambda drawn: Fragment(_digests(drawn, effect.values)))


def resealed(values: Mapping[str, str], vault: Path) -> Result[Mapping[str, Json], Fault]:
    """Return the digests that values have by the key that a vault has already."""
    return known_key(vault).map(lambda known: _digests(known, values))


def _digests(drawn: bytes, values: Mapping[str, str]) -> dict[str, Json]:
    return {name: keyed_digest(drawn, name, value) for name, value in values.items()}


@lru_cache(8)
def _file(vault: Path) -> Path:
    return vault / OWN / "key"


def _read(vault: Path) -> Result[tuple[bytes, os.stat_result], Fault]:
    file = _file(vault)
    try:
        status = file.lstat()
        # Of one that is younger than the clock of the file system can tell, another might have taken the place.
        is_young = time_ns() - status.st_ctime_ns < _TICK
        read = _content.__wrapped__ if is_young else _content
        content = read(file, (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns))
    except OSError as error:
        return Failure(fault_of(error, str(file)))
    if len(content) != LENGTH:
        return Failure(Fault("malformed", f"{file} is no key of Capsula", "remove it; another one will be drawn"))
    return Success((content, status))


@lru_cache(8)
def _content(file: Path, _version: tuple[int, ...]) -> bytes:
    """Return what a key holds; it is read once for all the capsules that a process makes."""
    with open(os.open(file, _READING), "rb") as stream:
        return stream.read(LENGTH + 1)


def _with_key(vault: Path) -> Result[bytes, Fault]:
    try:
        _drawn(vault)
    except OSError as error:
        return Failure(fault_of(error, f"no key could be put into {vault / OWN}"))
    return known_key(vault)


def _drawn(vault: Path) -> None:
    """Put a key in its place whole, and never in the place of another: a rename would replace it."""
    drawn = os.urandom(LENGTH)
    aside = workplace(vault, os.urandom(16).hex())
    try:
        written(aside, (drawn,))
        synchronised(aside)  # a key that is cut off would be in the way of every capsule to come
        with suppress(FileExistsError):  # another process was faster
            _linked(aside, _file(vault), drawn)
        synchronised(vault / OWN)
    finally:
        aside.unlink(missing_ok=True)


def _linked(aside: Path, file: Path, drawn: bytes) -> None:
    try:
        os.link(aside, file)
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        written(file, (drawn,))  # some file systems know no second name of a file


def _place(status: os.stat_result) -> bytes:
    return sha256(f"{status.st_ino} {status.st_uid} {os.geteuid()} ".encode() + _machine()).digest()


@cache
def _machine() -> bytes:
    try:
        return Path("/etc/machine-id").read_bytes()
    except OSError:
        return b""
