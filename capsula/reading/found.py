"""What is found of a tree: the files that are kept, parted from those that are only listed, and why."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.content import Content
from capsula.core.fault import Fault, fault_of
from capsula.core.tree import Entries, Missed
from capsula.core.withholding import NAMED, WITHHELD
from capsula.reading.cleared import Cleared
from capsula.reading.content import content, reading

InHead: TypeAlias = Callable[[bytes], tuple[int, bytes] | None]
"""The mode and id that a path has in the commit, if it is there."""


class Found(NamedTuple):
    """The files of a tree."""

    clean: Entries
    """Those that git can be believed about, unread."""
    contents: Mapping[bytes, Content]
    """Those that were read."""
    changed: tuple[bytes, ...]
    """Those of them that the commit does not have as they are, sorted."""
    withheld: Mapping[bytes, Missed] = {}
    left_out: Mapping[bytes, Missed] = {}

    @property
    def entries(self) -> Entries:
        """All that will be put back."""
        return {**self.clean, **{path: (it.mode, it.id, it.size) for path, it in self.contents.items()}}

    @property
    def missed(self) -> set[bytes]:
        """All that is only listed."""
        return {*self.withheld, *self.left_out}

    def without(self, odd: Mapping[bytes, str]) -> "Found":
        """Return the same, and what is neither file nor link, listed with the reason."""
        return self._replace(
            left_out={**self.left_out, **{path: Missed(os.fsdecode(path), reason) for path, reason in odd.items()}},
        )


def looked_at(clean: Entries, paths: Iterable[bytes], in_head: InHead, top: Path, cleared: Cleared) -> Found:
    """Read files, and part what is to be kept of them from what is only listed."""
    contents: dict[bytes, Content] = {}
    differing: list[bytes] = []
    withheld: dict[bytes, Missed] = {}
    left_out: dict[bytes, Missed] = {}
    settings, seen = cleared.withholding.source, _Ways(top)
    for path in sorted(paths):
        try:
            status = seen.status(path)
        except OSError as error:
            left_out[path] = Missed(os.fsdecode(path), fault_of(error, os.fspath(top / os.fsdecode(path))).message)
            continue
        if status is None:
            continue
        before = in_head(path)
        answer = _understood(path, status, before, seen, cleared)
        if isinstance(answer, Success):
            contents[path] = it = answer.unwrap()
            differing += () if before == (it.mode, it.id) else (path,)
        else:
            fault = answer.failure()
            (withheld if fault.kind == WITHHELD else left_out)[path] = _missed(path, status, fault.message)
    total = 0
    for path in sorted(differing, key=lambda path: contents[path].size):  # the small ones are code
        total += contents[path].size
        if total > settings.total_limit:
            status = (top / os.fsdecode(path)).lstat()
            left_out[path] = _missed(path, status, f"is beyond the limit of {settings.total_limit} bytes for all files")
            del contents[path]
    return Found(clean, contents, tuple(path for path in differing if path in contents), withheld, left_out)


def _understood(
    path: bytes, status: os.stat_result, before: tuple[int, bytes] | None, seen: "_Ways", cleared: Cleared
) -> Result[Content, Fault]:
    """Return what a file holds, or why it is only listed."""
    too_large = cleared.withholding.why_size(status.st_size)
    if too_large and before is None:
        return Failure(Fault("large", too_large))
    answer = seen.content(path)
    it = answer.value_or(None)
    if it is None or before == (it.mode, it.id):
        return answer
    if cleared.withholding.named((path,)):
        return Failure(Fault(WITHHELD, NAMED))
    too_large = cleared.withholding.why_size(it.size)
    return Failure(Fault("large", too_large)) if too_large else seen.judged(path, it, cleared)


def embeddable(found: Found, cleared: Cleared, read: Callable[[bytes], bytes | None]) -> Found:
    """Leave out, of the files that the commit has, what must not or cannot be packed with it.

    Args:
        found: The files of the tree.
        cleared: What was judged before.
        read: Returns the content that git has by an id, if that can be had.
    """
    settings, changed = cleared.withholding.source, {*found.changed}
    committed = dict(found.entries)
    for path in changed:
        del committed[path]
    withheld = dict.fromkeys(cleared.withholding.named(committed), NAMED)
    left = settings.total_limit - sum(found.contents[path].size for path in changed)
    left_out: dict[bytes, str] = {}
    sizes = [size for _, _, size in committed.values()]
    if cleared.withholding.why_size(max(sizes, default=0)) or sum(sizes) > left:
        for path in sorted(committed.keys() - withheld.keys(), key=lambda path: (committed[path][2], path)):
            left -= (size := committed[path][2])
            if too_large := cleared.withholding.why_size(size):
                left_out[path] = too_large
            elif left < 0:
                left_out[path] = f"is beyond the limit of {settings.total_limit} bytes for all files"
    for path, (_, identity, _) in committed.items():
        if path not in withheld and path not in left_out and not cleared.holds(path, identity):
            data = read(identity)
            why = None if data is None else cleared.withholding.why_content(path, (data,))
            if why:
                withheld[path] = why
            elif data is not None:
                cleared.add(path, identity)
    if not withheld and not left_out:
        return found
    apart = {**left_out, **withheld}
    missed = {path: Missed(os.fsdecode(path), why, committed[path][2], committed=True) for path, why in apart.items()}
    return found._replace(
        clean={path: entry for path, entry in found.clean.items() if path not in apart},
        contents={path: it for path, it in found.contents.items() if path not in apart},
        withheld={**found.withheld, **{path: missed[path] for path in withheld}},
        left_out={**found.left_out, **{path: missed[path] for path in left_out}},
    )


class _Ways:
    """What stands at paths below a directory, when no link is followed on the way."""

    def __init__(self, top: Path) -> None:
        self._top = os.fsencode(top) + b"/"
        self._sound = {b""}

    def status(self, path: bytes) -> os.stat_result | None:
        """Return the status of a file, link or odd thing; none of a directory, and where nothing is.

        Raises:
            OSError: what is there cannot be told.
        """
        try:
            status = os.lstat(self._top + path) if self._is_sound(path.rpartition(b"/")[0]) else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if status is None or stat.S_ISDIR(status.st_mode) else status

    def content(self, path: bytes) -> Result[Content, Fault]:
        """Return what a file or link holds."""
        return content(self._top + path)

    def judged(self, path: bytes, it: Content, cleared: Cleared) -> Result[Content, Fault]:
        """Return what a file holds, of which ``it`` was read, unless there is a secret in it."""
        if cleared.withholding.is_kept(path) or cleared.holds(path, it.id):
            return Success(it)
        try:
            with reading(self._top + path) as stream:
                why = cleared.withholding.why_content(path, stream)
                it = stream.content  # of the very bytes that were searched
        except OSError as error:
            return Failure(fault_of(error, os.fsdecode(self._top + path)))
        if why:
            return Failure(Fault(WITHHELD, why))
        if not it.torn:
            cleared.add(path, it.id)
        return Success(it)

    def _is_sound(self, directory: bytes) -> bool:
        unknown = []
        while directory not in self._sound:
            unknown.append(directory)
            directory = directory.rpartition(b"/")[0]
        for each in reversed(unknown):
            if not stat.S_ISDIR(os.lstat(self._top + each).st_mode):
                return False
            self._sound.add(each)
        return True


def _missed(path: bytes, status: os.stat_result, reason: str) -> Missed:
    return Missed(os.fsdecode(path), reason, status.st_size, f"{stat.S_IMODE(status.st_mode):04o}")
