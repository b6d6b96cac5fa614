"""Outputs: the files below the root that a run has written, found by looking before and after."""

import os
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from returns.result import Failure, Success

from capsula.core.config import Config
from capsula.core.effect import Keep, Seal
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment, gather, joined
from capsula.core.withholding import NAMED, Withholding
from capsula.reading.content import reading
from capsula.reading.digest import file_facts

MOST_FILES = 50_000
"""Files that are looked at; a root that holds more is not searched."""

_CACHES = frozenset({"__pycache__", "node_modules"})
_MARKS = frozenset({"pyvenv.cfg", ".capsula"})
"""Names that tell that a folder is a virtual environment, a vault or a capsule."""

_HASHED_MORE = 16
"""How many times as much as is kept is hashed at least."""

FOLDER = ".capsula/outputs"


State: TypeAlias = tuple[int, int, int, int]
"""What tells that a file was written: inode, size, and when it was modified and changed, in ns.

One of a hundred thousand, and so a plain tuple.
"""


class Glance(NamedTuple):
    """What the files below a root looked like at a moment."""

    files: Mapping[str, State]
    whole: bool
    """Whether all of them were seen: there were not too many."""


def glance(config: Config) -> Glance:
    """Look at all files below the root, without opening any."""
    top, vault = os.path.join(config.root, ""), os.fspath(config.vault)  # noqa: PTH118  # with a slash at its end
    files: dict[str, State] = {}
    folders = [""]
    while folders and len(files) < MOST_FILES:
        inner = _looked_at(top, folders.pop(), files)
        folders.extend(folder for folder in inner if top + folder[:-1] != vault)
    whole = len(files) < MOST_FILES
    return Glance(files if whole else {}, whole)


def collect(config: Config, before: Glance, declared: Collection[Path]) -> Answer:
    """Return the files that are new, changed or removed since a glance, but for those that are declared.

    The smaller ones are kept below ``.capsula/outputs`` as far as there is room, so that a later run can be compared
    with this one, unless they look like secrets, or have one in them. Not more than a bounded part of all of them is
    searched, the smaller ones first: what is kept unsearched says so. Of the others the hash is told, or of very large
    ones the size.
    """
    after = glance(config)
    if not (before.whole and after.whole):
        message = f"there are more than {MOST_FILES} files below {config.root}, which was not searched for outputs"
        remedy = "declare what a run writes as the files of an item, and set find-outputs = false"
        return Failure(Fault("too many", message, remedy))
    known = {path.relative_to(config.root).as_posix() for path in declared if path.is_relative_to(config.root)}
    was = before.files.get
    written = sorted({path for path, state in after.files.items() if was(path) != state} - known)
    removed = sorted(before.files.keys() - after.files.keys() - known)
    sizes = {path: _size(after.files[path]) for path in written}
    kept = _fitting(sizes, config.settings.monitor.output_limit)
    searched = _fitting(sizes, config.settings.discretion.scan_limit)
    withheld = _withheld(sizes, kept & searched, config)
    hashed = kept | _fitting(sizes, config.settings.monitor.output_limit * _HASHED_MORE)
    fates = _Fates(kept - {*withheld}, searched, withheld, hashed)
    answers = {path: _described(path, "changed" if path in before.files else "new", fates, config) for path in written}
    return Success(gather({**answers, **{path: Success(Fragment({"change": "removed"})) for path in removed}}))


def _size(state: State) -> int:
    return state[1]


class _Fates(NamedTuple):
    """What becomes of the files that were written."""

    kept: Collection[str]
    searched: Collection[str]
    withheld: Mapping[str, str]
    """Path to why."""
    hashed: Collection[str]


def _withheld(written: Collection[str], searched: Collection[str], config: Config) -> dict[str, str]:
    """Return which files must not be kept, and why."""
    withholding = Withholding(config.settings.discretion, config.settings.capture.source)
    whys = {os.fsdecode(path): NAMED for path in withholding.named([os.fsencode(path) for path in written])}
    for path in searched:
        why = _why(path, config.root, withholding)
        whys |= {path: why} if why else {}
    return whys


def _why(path: str, root: Path, withholding: Withholding) -> str | None:
    try:
        with reading(os.fsencode(root / path)) as content:
            return withholding.why(os.fsencode(path), content)
    except OSError:  # it will be told by whoever keeps it
        return None


def _described(path: str, change: str, fates: _Fates, config: Config) -> Answer:
    origin = config.root / path
    told: dict[str, Json] = {"change": change}
    if origin.is_symlink():
        return Success(Fragment({**told, "link": str(origin.readlink())}))
    if path in fates.kept:
        unscanned: dict[str, Json] = {} if path in fates.searched else {"unscanned_from": 0}
        return Success(Fragment({**told, **unscanned}, (Keep(origin, f"{FOLDER}/{path}", "sha256", plain=True),)))
    facts = file_facts(origin, "sha256" if path in fates.hashed else None)
    if path in fates.withheld:
        return facts.map(partial(_sealed, {**told, "withheld": fates.withheld[path]}, config.vault))
    return facts.map(lambda fragment: joined(Fragment(told), fragment))


def _sealed(told: Mapping[str, Json], vault: Path, fragment: Fragment) -> Fragment:
    """Return the facts of a file with its hash sealed: from a plain one, a short secret could be guessed."""
    facts = {**fragment.facts} if isinstance(fragment.facts, Mapping) else {}
    algorithm, digest = facts.pop("hash_algorithm", None), facts.pop("file_hash", None)
    seals = (Seal(vault, {str(algorithm): str(digest)}, at=("seal",)),) if digest else ()
    return Fragment({**told, **facts}, seals)


def _fitting(sizes: Mapping[str, int], room: int) -> set[str]:
    """Return the files that fit into the room together, the smaller ones first."""
    fitting: set[str] = set()
    for path, size in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        room -= size
        if room < 0:
            break
        fitting.add(path)
    return fitting


def _looked_at(top: str, folder: str, files: dict[str, State]) -> list[str]:
    """Add the files of a folder below the top, and return the folders in it that may hold results."""
    try:
        descriptor = os.open(top + folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # a folder that cannot be listed before and after has no outputs that could be told
        return []
    try:
        with os.scandir(descriptor) as listing:
            entries = list(listing)
        # While the folder is open, the names of those above it need not be looked up again for each of its files.
        is_marked = not _MARKS.isdisjoint([entry.name for entry in entries])
        return [] if is_marked else _parted(entries, folder, files)
    except OSError:  # as above
        return []
    finally:
        os.close(descriptor)


def _parted(entries: "Iterable[os.DirEntry[str]]", folder: str, files: dict[str, State]) -> list[str]:
    """Add the files among the entries of a folder, and return the folders."""
    folders: list[str] = []
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                # What programs keep for themselves is no result: caches, and folders whose name begins with a dot.
                if entry.name not in _CACHES and not entry.name.startswith("."):
                    folders.append(f"{folder}{entry.name}/")
            elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                status = entry.stat(follow_symlinks=False)
                files[folder + entry.name] = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        except OSError:  # it went away while it was looked at
            continue
    return folders
