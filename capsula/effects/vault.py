"""The vault: capsules are built aside, and each gets its name by one rename."""

import os
import stat
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import chain, count, islice
from pathlib import Path
from time import time

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, Json, fault_of
from capsula.core.settings import Durability
from capsula.effects.files import (
    PRIVATE_FOLDER,
    all_synchronised,
    folders,
    founded,
    removed,
    settled,
    synchronised,
    written,
)
from capsula.effects.surroundings import process, started

OWN = ".capsula"

PATIENCE = 3600.0
"""Seconds that something half-built is left alone, whatever its name says: process ids are not alike everywhere."""

_PARTS = 5
_NO_FOLDERS = 2
"""Names of a folder without folders in it, where a file system counts them."""
_judged: dict[Path, tuple[int, ...]] = {}
"""Vaults without a flaw, and what their folders were then: none has one as long as they are that."""
_next: dict[Path, int] = {}
"""The name that was last given to a capsule, and the number that the next one of that name may have."""


def ready(vault: Path) -> Result[Path, Fault]:
    """Make the vault if need be, unless others could lead elsewhere what is put there."""
    folder = _folder(vault)
    try:
        if _judged.get(vault) != _identities(vault, folder):
            flaw = _versioned((folder, *folder.parents))
            if flaw:
                return Failure(_unsafe(vault, flaw))
            for new in folders(vault):
                synchronised(new.parent)  # once in the life of a vault; each capsule relies on its name
            flaw = planted(vault, (vault / OWN, folder))
            if flaw:
                return Failure(_unsafe(vault, flaw))
            folders(folder)
            _judged[vault] = _identities(vault, folder)
        _hidden_from_git(vault)
    except OSError as error:
        return Failure(_unusable(vault, error))
    return Success(vault)


def building(vault: Path, identity: str) -> Result[Path, Fault]:
    """Make the vault if need be, and a private directory in it where a capsule is built aside."""
    return ready(vault).bind(lambda _: _begun(vault, workplace(vault, identity)))


def _begun(vault: Path, aside: Path) -> Result[Path, Fault]:
    try:
        if aside.parent.stat().st_nlink != _NO_FOLDERS:
            _swept(aside)
        founded(aside)
        founded(aside / OWN)
    except OSError as error:
        discarded(aside)
        return Failure(_unusable(vault, error))
    return Success(aside)


def workplace(vault: Path, identity: str) -> Path:
    """Return where something is built aside in a vault; if its builder dies, it is swept away in time."""
    return _folder(vault) / f"{_builder(**process())}-{identity}"


def published(aside: Path, vault: Path, template: str, moment: datetime, durability: Durability) -> Result[Path, Fault]:
    """Give a capsule that was built aside its name in the vault, the first that is free, by one rename."""
    name = moment.astimezone().strftime(template)
    try:
        if durability == "full":
            all_synchronised(aside)
        above = (vault / name).parent
        flaw = planted(vault, _up_to(vault, above))
        if flaw:
            return Failure(_unsafe(vault, flaw))
        folders(above)
        capsule = _named(aside, vault / name)
    except OSError as error:
        return Failure(_unusable(vault, error))
    return Success(capsule)


def lasting(capsule: Path, vault: Path) -> tuple[Fault, ...]:
    """Have the disk hold the name that a capsule got, and those of the folders on the way to it: as ``settled``."""
    return settled(_up_to(vault, capsule.parent))


def ours(capsule: Path, vault: Path) -> Result[Path, Fault]:
    """Return a capsule that was published; the fault is what another user has put in its place, or on the way to it."""
    try:
        flaw = planted(vault, _up_to(vault, capsule))
    except OSError as error:
        return Failure(_unusable(vault, error))
    return Failure(_unsafe(vault, flaw)) if flaw else Success(capsule)


def discarded(aside: Path) -> None:
    """Remove what was built aside; what cannot be removed stays, and disturbs nothing."""
    removed(aside)


def planted(vault: Path, below: Iterable[Path]) -> str | None:
    """Return why others could lead elsewhere what is put into folders of a vault, or have put there what is found.

    Where a folder above it is open to them, they may have put a vault of their own in the place of ours since that was
    last looked at; or one of its folders may be theirs, or a link that is, or leads to such a one. What is said of a
    vault holds for any place that is to be this user's alone.
    """
    flaw = _flaw(vault)
    if flaw:
        return flaw
    known = {os.geteuid(), 0, vault.stat().st_uid}
    strange = (folder for folder in below if not _owners(folder) <= known)
    return next((f"{folder} belongs to another user" for folder in strange), None)


@lru_cache(8)
def _folder(vault: Path) -> Path:
    return vault / OWN / "building"


@lru_cache(1)
def _builder(host: Json, boot_id: Json, pid: Json, started: Json) -> str:
    """Return what tells who builds: the host, since when it runs, the process, and since when that does."""
    return "-".join((_short(host), _short(boot_id), str(pid), str(started)))


def _identities(*folders: Path) -> tuple[int, ...]:
    """Return what tells folders from all others, and who may change them; nothing if one is not there."""
    try:
        known = [folder.stat() for folder in folders]
    except OSError:
        return ()
    return (os.geteuid(), *(part for it in known for part in (it.st_dev, it.st_ino, it.st_mode, it.st_uid)))


def _short(text: Json) -> str:
    return sha256(str(text).encode("utf-8", "backslashreplace")).hexdigest()[:8]


def _swept(aside: Path) -> None:
    """Remove what processes of this host have left beside that were killed while they built."""
    host, boot, *_ = aside.name.split("-")
    with suppress(OSError):
        for left in aside.parent.iterdir():
            parts = left.name.split("-")
            is_old = time() - left.stat().st_mtime > PATIENCE
            if len(parts) == _PARTS and parts[0] == host and is_old and not _lives(parts, boot):
                discarded(left)


def _lives(parts: list[str], boot: str) -> bool:
    _, since, pid, start, _ = parts
    return since == boot and pid.isdecimal() and str(started(int(pid))) == start


def _flaw(vault: Path) -> str | None:
    """Return why others could lead elsewhere what is put into a vault."""
    mode, strangers = vault.stat().st_mode, _owners(vault) - {os.geteuid(), 0}
    is_open = bool(mode & stat.S_IWOTH and not mode & stat.S_ISVTX)
    if not strangers and not is_open:
        return None
    made = _made_privately(vault)
    if strangers - {made.st_uid}:
        return f"{vault} belongs to another user"
    return f"{vault} can be changed by every user" if is_open and not made.st_mode & stat.S_IWOTH else None


def _made_privately(vault: Path) -> os.stat_result:
    """Return what becomes of a private folder here: some file systems know no modes, or know us by another number."""
    folder = vault / f".{os.urandom(8).hex()}"
    folder.mkdir(PRIVATE_FOLDER)
    try:
        return folder.lstat()
    finally:
        folder.rmdir()


def _versioned(folders: Iterable[Path]) -> str | None:
    """Return which of some folders is a link that came with a repository, and may lead anywhere."""
    links = [folder for folder in folders if folder.is_symlink()]
    if not links:
        return None
    from capsula.reading.repository import is_tracked  # which takes its time

    return next((f"{link} is a link that git tracks" for link in links if is_tracked(link)), None)


def _owners(folder: Path) -> set[int]:
    """Return whose a folder is, and, of a link to one, whose the link is; nobody's if there is none."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return set()
    return {status.st_uid, folder.stat().st_uid} if stat.S_ISLNK(status.st_mode) else {status.st_uid}


def _hidden_from_git(vault: Path) -> None:
    if not os.path.lexists(vault / ".gitignore"):
        with suppress(FileExistsError):  # another process was faster
            written(vault / ".gitignore", (b"*\n",))


def _up_to(vault: Path, folder: Path) -> Iterator[Path]:
    """Yield the folders from one below the vault up to it: each may be new, and its name is held by the next."""
    return chain((folder,), islice(folder.parents, len(folder.parts) - len(vault.parts)))


def _named(aside: Path, wanted: Path) -> Path:
    """Give a capsule its name, or the first with a number that is free."""
    known = _next.get(wanted)
    numbers = count(known) if known else _numbers(wanted)
    number = next(number for number in numbers if _renamed(aside, _numbered(wanted, number)))
    _next.clear()
    _next[wanted] = number + 1
    return _numbered(wanted, number)


def _numbers(wanted: Path) -> Iterator[int]:
    """Yield the numbers that may be free.

    The first is found by halves: of a function that is called a thousand times a second, no process asks for each.
    """
    yield 1
    beyond = next(number for number in map((2).__pow__, count(1)) if not os.path.lexists(_numbered(wanted, number)))
    yield from count(bisect_left(range(beyond), True, 2, key=lambda it: not os.path.lexists(_numbered(wanted, it))))


def _numbered(wanted: Path, number: int) -> Path:
    return wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")


def _renamed(aside: Path, capsule: Path) -> bool:
    # A rename replaces an empty directory silently, and fails on a capsule that another process published first.
    if os.path.lexists(capsule):
        return False
    try:
        aside.rename(capsule)
    except OSError:
        if os.path.lexists(capsule):
            return False
        raise
    return True


def _unusable(vault: Path, error: OSError) -> Fault:
    fault = fault_of(error, f"the vault {vault} cannot be written")
    return Fault(fault.kind, fault.message, "set vault-directory to a place that can be")


def _unsafe(vault: Path, flaw: str) -> Fault:
    message = f"nothing is put into the vault {vault}: {flaw}"
    return Fault("unsafe", message, "set vault-directory to a place that is yours alone")
