"""Files: the hashes of the files that the settings name, and the wish to keep them."""

import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from attrs import frozen
from returns.result import Failure, Success

from capsula.core.config import Config
from capsula.core.digest import hasher
from capsula.core.effect import Keep
from capsula.core.fault import Fault, fault_of
from capsula.core.fragment import Answer, Fragment, gather
from capsula.core.settings import FileSettings, HashAlgorithm

_GLOB = frozenset("*?[")
_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@frozen
class FileFacts:
    """The facts of a file that is not kept."""

    hash_algorithm: HashAlgorithm | None
    file_hash: str | None
    size: int
    """In bytes."""


_Found: TypeAlias = tuple[Path, Fault | None]
"""A file, or a folder and why it could not be listed."""


def collect(config: Config) -> Answer:
    """Return the facts of every file that the settings name; one that is to be kept is pending on its keeping.

    A key is a file, a directory (all files below it) or a glob; each file is an entry of its own, and a key that names
    a file goes before one that only covers it.
    """
    named: dict[str, Answer] = {}
    covered: dict[str, Answer] = {}
    for key, wish in config.settings.capture.files.items():
        path = config.root / key
        if path.is_dir():
            covered = {**_entries(_below(path, config), key, wish, config), **covered}
        elif _GLOB.isdisjoint(key) or os.path.lexists(path):
            named[key] = _entry(path, wish, config)
        else:
            covered = {**_entries(_matching(path, config), key, wish, config), **covered}
    return Success(gather({**covered, **named}))


def _entries(found: Iterable[_Found], key: str, wish: FileSettings, config: Config) -> dict[str, Answer]:
    entries = {
        _shown(path, config.root): Failure(fault) if fault else _entry(path, wish, config) for path, fault in found
    }
    return entries or {key: Failure(Fault("missing", f"no file is there: {config.root / key}"))}


def _entry(path: Path, wish: FileSettings, config: Config) -> Answer:
    try:
        status = path.stat()
    except OSError as error:
        return Failure(fault_of(error, str(path)))
    if not stat.S_ISREG(status.st_mode):
        return Failure(Fault("not a file", f"{path} is not a regular file", "name a file, a directory or a glob"))
    if wish.move or wish.copy:
        return Success(_kept(path, wish, config))
    return _hashed(path, wish.hash)


def _kept(path: Path, wish: FileSettings, config: Config) -> Fragment:
    stays = _reason_to_stay(path, config) if wish.move else None
    keep = Keep(path, _target(path, config.root), wish.hash, move=wish.move and stays is None)
    return Fragment(None, (keep,), (stays,) if stays else ())


def _reason_to_stay(path: Path, config: Config) -> Fault | None:
    """Return why a file that is to be moved is copied instead, if there is a reason."""
    if path.is_symlink():
        return Fault("copied", f"{path} is a link, and was copied instead of moved", path=("moved",))
    if not _lexical(path).is_relative_to(_lexical(config.root)):
        return Fault("copied", f"{path} is outside the root directory, and was copied", path=("moved",))
    from capsula.core.repository import holder, tracks  # libgit2 is loaded only for files that are moved

    if holder(path).map(lambda repository: tracks(repository, path)).value_or(False):
        return Fault("copied", f"git tracks {path}, and it was copied instead of moved", path=("moved",))
    return None


def _hashed(path: Path, algorithm: HashAlgorithm | None) -> Answer:
    try:
        with open(os.open(path, _WITHOUT_WAITING), "rb", buffering=0) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return Failure(Fault("not a file", f"{path} is not a regular file"))
            digest = file_digest(stream, lambda: hasher(algorithm)).hexdigest() if algorithm else None
    except OSError as error:
        return Failure(fault_of(error, str(path)))
    facts = FileFacts(algorithm, digest, status.st_size)
    return Success(Fragment({"hash_algorithm": facts.hash_algorithm, "file_hash": facts.file_hash, "size": facts.size}))


def _below(folder: Path, config: Config) -> Iterator[_Found]:
    """Yield all files below a folder."""
    return _globbed(folder, ("**", "*"), config)


def _matching(pattern: Path, config: Config) -> Iterator[_Found]:
    fixed = next(index for index, part in enumerate(pattern.parts) if not _GLOB.isdisjoint(part))
    return _globbed(Path(*pattern.parts[:fixed]), pattern.parts[fixed:], config)


def _globbed(folder: Path, parts: tuple[str, ...], config: Config) -> Iterator[_Found]:
    """Yield the files that match, never what is the vault's or git's, nor what is behind a linked folder for ``**``."""
    first, rest = parts[0], parts[1:]
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield folder, fault_of(error, f"{folder} could not be listed")
        return
    if first == "**" and rest:
        yield from _globbed(folder, rest, config)
    for entry in entries:
        path = Path(entry.path)
        if entry.name == ".git" or path == config.vault:
            continue
        if first == "**":
            if entry.is_dir(follow_symlinks=False):
                yield from _globbed(path, parts, config)
            elif not rest:
                yield path, None
        elif fnmatchcase(entry.name, first):
            if rest and entry.is_dir():
                yield from _globbed(path, rest, config)
            elif not rest and not entry.is_dir():
                yield path, None


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _target(path: Path, root: Path) -> str:
    inside, whole = _lexical(root), _lexical(path)
    if whole.is_relative_to(inside):
        return whole.relative_to(inside).as_posix()
    return PurePosixPath("outside", *whole.parts[1:]).as_posix()


def _lexical(path: Path) -> Path:
    return Path(os.path.normpath(path))
