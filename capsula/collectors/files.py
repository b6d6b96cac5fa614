"""Files: the hashes of the files that the settings name, and the wish to keep them."""

import os
import stat
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.effect import Keep
from capsula.core.fault import Fault, fault_of
from capsula.core.foreign import safe
from capsula.core.fragment import Answer, Fragment, gather, joined
from capsula.core.settings import FileSettings
from capsula.reading.cache import cache as cache_of
from capsula.reading.digest import file_facts

if TYPE_CHECKING:
    from pygit2 import Repository

_GLOB = frozenset("*?[")
_ANY_DEPTH = "**"
_OF_CAPSULES = frozenset({"outside", "files"})
_WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


MOST_FILES = 200_000
"""Files that one key covers; of more, none is looked at."""


class _Found(NamedTuple):
    """A file, or a folder that could not be listed; there may be many, and so it is a plain tuple."""

    path: Path
    fault: Fault | None = None
    strays: bool = False
    """Whether it is reached by a link that leads out of the root, and that no key names."""


_Holder: TypeAlias = "Callable[[Path], Result[Repository, Fault]]"
"""What answers with the repository that holds a folder."""


class _Ground(NamedTuple):
    """Where files are looked for, and what is never looked at."""

    root: Path
    inside: Path
    """The root with links followed, as is the vault."""
    vault: Path
    holder: _Holder
    cache: Path | None
    """Where hashes are remembered."""

    def keeps_out(self, path: Path) -> bool:
        """Tell whether a path leads into the vault, links followed."""
        return _real(path).is_relative_to(self.vault)


def collect(config: Config) -> Answer:
    """Return the facts of every file that the settings name; one that is to be kept is pending on its keeping.

    A key is a file, a directory (all files below it) or a glob, in which ``**`` stands for any folders and ``*`` for
    hidden names too. A file that a key names has that key; one that is covered has its path relative to the root. Each
    is an entry of its own, and counts for the key that names it, or else for the first that covers it. What is behind
    a linked folder is covered only if the key names the link. Never covered are the vault and what is git's.
    """
    if not config.settings.capture.files:
        return Success(Fragment({}))
    vault, known_hashes = _real(config.vault), cache_of(config.surroundings.environ)
    ground = _Ground(config.root, _real(config.root), vault, _holder(), known_hashes)
    named: dict[str, Answer] = {}
    covered: dict[str, tuple[_Found, FileSettings]] = {}
    for key, wish in config.settings.capture.files.items():
        path = config.root / key
        if _is_folder(path):
            found = sorted(islice(_below(path, ground), MOST_FILES + 1), key=_path)
        elif _GLOB.isdisjoint(key) or os.path.lexists(path):
            named[key] = _named(path, wish, ground)
            continue
        else:
            found = sorted(islice(_matching(path, ground), MOST_FILES + 1), key=_path)
        if len(found) > MOST_FILES:
            named[key] = Failure(_too_many(key))
            continue
        if not found:
            named[key] = Failure(Fault("missing", f"no file is there: {path}"))
        for each in found:
            covered.setdefault(_shown(each.path, config.root), (each, wish))
    known = {_lexical(config.root / key) for key in named}
    entries: dict[str, Answer] = {
        shown: Failure(each.fault) if each.fault else _entry(each.path, wish, ground, strays=each.strays)
        for shown, (each, wish) in covered.items()
        if _lexical(each.path) not in known
    }
    return Success(gather({**entries, **named}))


def _named(path: Path, wish: FileSettings, ground: _Ground) -> Answer:
    return Failure(_refused(path)) if ground.keeps_out(path) else _entry(path, wish, ground)


def _entry(path: Path, wish: FileSettings, ground: _Ground, *, strays: bool = False) -> Answer:
    try:
        status = path.stat()
    except OSError as error:
        return Failure(fault_of(error, str(path)))
    if not stat.S_ISREG(status.st_mode):
        return Failure(Fault("not a file", f"{path} is not a regular file", "name a file, a directory or a glob"))
    if strays:
        return file_facts(path, wish.hash, ground.cache).map(lambda facts: joined(facts, _left(path, wish)))
    if wish.move or wish.copy:
        return Success(_kept(path, wish, ground))
    return file_facts(path, wish.hash, ground.cache)


def _left(path: Path, wish: FileSettings) -> Fragment:
    """Return what is told of a file that is not kept, because whoever made the link to it chose it, and no key did."""
    facts = {"link": os.readlink(path)} if _is_link(path) else {}  # noqa: PTH115  # a Path would normalise it
    message = f"a link leads to {path} out of the root directory, and it was not kept"
    left = Fault("left", message, "give it a key of its own, if it is to be kept", ("kept_as",))
    return Fragment(facts, faults=(left,) if wish.move or wish.copy else ())


def _kept(path: Path, wish: FileSettings, ground: _Ground) -> Fragment:
    stays = _reason_to_stay(path, ground) if wish.move else None
    is_moved = wish.move and stays is None
    keep = Keep(path, _target(path, ground.root), wish.hash, move=is_moved, plain=not _is_link(path))
    faults = (Fault("copied", f"{path} {stays}, and was copied instead of moved", path=("moved",)),) if stays else ()
    return Fragment(None, (keep,), faults)


def _reason_to_stay(path: Path, ground: _Ground) -> str | None:
    """Return why a file that is to be moved is copied instead, if there is a reason."""
    if os.path.islink(path):
        return "is a link"
    if not _real(path).is_relative_to(ground.inside):
        return "is outside the root directory"
    held = ground.holder(path.parent)
    if isinstance(held, Success):
        return _reason_of_git(held.unwrap(), path)
    is_free = held.failure().kind == "not a repository"
    return None if is_free else f"may be tracked by git ({held.failure().message})"


def _reason_of_git(repository: "Repository", path: Path) -> str | None:
    from capsula.reading.repository import TROUBLE, tracks

    tracked: Result[bool, Exception] = safe(exceptions=TROUBLE)(tracks)(repository, path)
    if isinstance(tracked, Success):
        return "is tracked by git" if tracked.unwrap() else None
    return f"may be tracked by git ({tracked.failure()})"


def _holder() -> _Holder:
    """Return what finds repositories, each folder's once; libgit2 is loaded only for files that are moved."""

    @cache
    def holder(folder: Path) -> "Result[Repository, Fault]":
        from capsula.reading.repository import holder

        return holder(folder)

    return holder


def _below(folder: Path, ground: _Ground) -> Iterator[_Found]:
    """Yield all files below a folder."""
    return _globbed(folder, (_ANY_DEPTH, "*"), ground)


def _matching(pattern: Path, ground: _Ground) -> Iterator[_Found]:
    """Yield the files that match; a component that is there as it is written is no pattern."""
    top, *parts = pattern.parts
    folder = Path(top)
    while len(parts) > 1 and (_GLOB.isdisjoint(parts[0]) or os.path.lexists(folder / parts[0])):
        folder /= parts.pop(0)
    repeated = [part == before == _ANY_DEPTH for before, part in pairwise(["", *parts])]
    return _globbed(folder, tuple(part for part, again in zip(parts, repeated, strict=True) if not again), ground)


def _globbed(top: Path, pattern: tuple[str, ...], ground: _Ground) -> Iterator[_Found]:
    """Yield the files below a folder that match; ``**`` does not follow links to folders, and ends with any name."""
    base = _real(top)
    waiting = [(top, base, pattern if pattern[-1] != _ANY_DEPTH else (*pattern, "*"))]
    seen: set[tuple[Path, int]] = set()  # by several ** one comes to a folder in ever more ways

    def is_refused(folder: Path, real: Path) -> bool:
        return folder.name == ".git" or real.is_relative_to(ground.vault)

    def strays(real: Path) -> bool:
        return not (real.is_relative_to(base) or real.is_relative_to(ground.inside))

    if is_refused(top, base):
        yield _Found(top, _refused(top))
    while waiting:
        folder, real, (first, *rest) = waiting.pop()
        if (folder, len(rest)) in seen or is_refused(folder, real):
            continue
        seen.add((folder, len(rest)))
        if first == _ANY_DEPTH:
            waiting.append((folder, real, tuple(rest)))
        listed = _listed(folder)
        if not isinstance(listed, Success):
            if listed.failure().kind != "missing":
                yield _Found(folder, listed.failure())
            continue
        is_astray = strays(real)
        for name in listed.unwrap():
            path = folder / name
            if first == _ANY_DEPTH:
                if _is_folder(path) and not _is_link(path):
                    waiting.append((path, real / name, (first, *rest)))
            elif fnmatchcase(name, first) and _is_folder(path) == bool(rest):
                is_link = _is_link(path)
                behind = _real(path) if is_link else real / name
                if rest:
                    waiting.append((path, behind, tuple(rest)))
                elif not behind.is_relative_to(ground.vault):
                    yield _Found(path, strays=strays(behind) if is_link else is_astray)


def _listed(folder: Path) -> Result[list[str], Fault]:
    try:
        return Success(os.listdir(folder))
    except OSError as error:
        return Failure(fault_of(error, f"{folder} could not be listed"))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises for a link that leads to itself


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # Path.is_dir raises where a folder above may not be entered


def _is_link(path: Path) -> bool:
    return os.path.islink(path)  # as above


def _too_many(key: str) -> Fault:
    message = f"{key} covers more than {MOST_FILES} files, of which none was looked at"
    return Fault("too many", message, "name what they were made from, an archive of them, or fewer")


def _refused(path: Path) -> Fault:
    return Fault("refused", f"{path} belongs to the vault, or to git, and is never captured")


def _path(found: _Found) -> Path:
    return found.path


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _target(path: Path, root: Path) -> str:
    """Return where in a capsule a file is to stand, if nothing else does."""
    inside, whole = _lexical(root), _lexical(path)
    if not whole.is_relative_to(inside):
        return PurePosixPath("outside", *whole.parts[1:]).as_posix()
    target = whole.relative_to(inside)
    return PurePosixPath(*(("files",) if target.parts[0].casefold() in _OF_CAPSULES else ()), target).as_posix()


def _lexical(path: Path) -> Path:
    return Path(os.path.normpath(path))
