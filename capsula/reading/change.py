"""Changes: what a diff says of a path, and the patch of it that git applies, whatever the user's configuration."""

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import DeltaStatus
from returns.result import Failure, Result

from capsula.core.foreign import safe
from capsula.reading.repository import GITLINK, TROUBLE
from capsula.reading.worktree import CONTEXT_LINES, TEXT_AND_BINARY, head_tree

_NO_ID = pygit2.Oid(b"")


class Change(NamedTuple):
    """What a diff says of a path; a mode is 0 where there is no file. The patch is read when it is written."""

    path: bytes
    kind: DeltaStatus
    old_mode: int
    new_mode: int
    old_id: pygit2.Oid
    size: int
    """Bytes of the larger one of the two files, as far as git knows it without reading the other one."""
    patch: "Callable[[], pygit2.Patch | None]"

    @property
    def is_submodule(self) -> bool:
        """Whether a commit stands there, before or after."""
        return GITLINK in {self.old_mode, self.new_mode}


def changes_of(diff: pygit2.Diff, repository: pygit2.Repository) -> list[Change]:
    """Return what a diff of a repository says."""
    return [
        Change(
            delta.new_file.raw_path,
            delta.status,
            delta.old_file.mode,
            delta.new_file.mode,
            delta.old_file.id,
            max(delta.old_file.size or _size(delta.old_file, repository), delta.new_file.size),
            partial(diff.__getitem__, number),
        )
        for number, delta in enumerate(diff.deltas)
    ]


def _size(file: pygit2.DiffFile, repository: pygit2.Repository) -> int:
    """Return the bytes of a file of a commit: a diff tells those of the index and the work tree alone."""
    return int(repository.odb.read_header(file.id)[1]) if stat.S_ISREG(file.mode) else 0


def past_the_index(repository: pygit2.Repository, top: Path, path: bytes) -> Iterator[Change]:
    """Yield what leads from HEAD to the work tree, where the index holds no content: in conflicts, intent to add.

    A file that became a link, or the reverse, is another file.
    """
    tree, name = head_tree(repository), os.fsdecode(path)
    entry = tree[name] if name in tree else None  # noqa: SIM401 - a Tree has no get
    blob = entry if isinstance(entry, pygit2.Blob) else None
    there = (top / name).lstat() if os.path.lexists(top / name) else None
    old, new = blob.filemode if blob else 0, _mode(there) if there else 0
    steps = [(old, 0), (0, new)] if old and new and stat.S_IFMT(old) != stat.S_IFMT(new) else [(old, new)]
    for before, after in steps:
        patch = partial(_patch_between, blob if before else None, top / name if after else None)
        identity, size = (blob.id, blob.size) if blob else (_NO_ID, 0)
        size = max(size, there.st_size if new and there else 0)
        yield Change(path, DeltaStatus.MODIFIED, before, after, identity, size, patch)


def _patch_between(blob: pygit2.Blob | None, path: Path | None) -> pygit2.Patch | None:
    if not blob and not path:
        return None
    content = _content(path) if path else None
    return pygit2.Patch.create_from(blob, content, flag=TEXT_AND_BINARY, context_lines=CONTEXT_LINES)


def _mode(status: os.stat_result) -> int:
    """Return the mode that git knows a file or link by; 0 for anything else."""
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        return 0o120000
    return (0o100755 if mode & stat.S_IXUSR else 0o100644) if stat.S_ISREG(mode) else 0


def _content(path: Path) -> bytes:
    return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()


def is_dirty(patch: pygit2.Patch | None) -> bool:
    """Tell whether a patch of a submodule says that there are changes inside."""
    return patch is not None and _DIRTY in patch.data


def written(change: Change) -> bytes:
    """Return the patch of one path; nothing if nothing changed.

    Raises:
        OSError: a file or object can no longer be read.
    """
    patch: Result[bytes, Exception] = safe(exceptions=TROUBLE)(_as_git_applies_it)(change)
    if isinstance(patch, Failure):
        raise OSError(f"{os.fsdecode(change.path)}: {patch.failure()}") from patch.failure()
    return patch.unwrap()


def _as_git_applies_it(change: Change) -> bytes:
    """Return the patch under a header that no configuration has a say in; nothing if nothing changed."""
    patch = change.patch()
    if patch is None:
        return b""
    body = _body(patch.data)
    ids = patch.delta.old_file.id, patch.delta.new_file.id  # known only now that the work tree was read
    if ids[0] == ids[1] and change.old_mode == change.new_mode:
        return b""
    old, new = _quoted(b"a/" + change.path), _quoted(b"b/" + change.path)
    lines = [b"diff --git %s %s" % (old, new), *_mode_lines(change)]
    if ids[0] != ids[1]:
        mode = b" %o" % change.new_mode if change.old_mode == change.new_mode else b""
        lines.append(f"index {ids[0]}..{ids[1]}".encode() + mode)
    if body.startswith(b"@@"):
        lines.append(b"--- " + (old if change.old_mode else b"/dev/null"))
        lines.append(b"+++ " + (new if change.new_mode else b"/dev/null"))
    if change.is_submodule:
        body = body.replace(_DIRTY, b"\n")
    return b"\n".join((*lines, body))


_DIRTY = b"-dirty\n"
_BODY = (b"\n@@ ", b"\nGIT binary patch\n")
"""What a body begins with, behind the header; the lines of a body all begin with something else."""


def _body(patch: bytes) -> bytes:
    starts = [start for mark in _BODY if (start := patch.find(mark)) >= 0]
    return patch[min(starts) + 1 :] if starts else b""


def _mode_lines(change: Change) -> list[bytes]:
    if not change.old_mode:
        return [b"new file mode %o" % change.new_mode]
    if not change.new_mode:
        return [b"deleted file mode %o" % change.old_mode]
    if change.old_mode != change.new_mode:
        return [b"old mode %o" % change.old_mode, b"new mode %o" % change.new_mode]
    return []


_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b'"\\')


def _quoted(path: bytes) -> bytes:
    """Return a path as git quotes it, spaces included: they would end it in some places of a patch."""
    if _PLAIN.issuperset(path):
        return path
    return b'"%s"' % b"".join(b"%c" % byte if byte in _PLAIN or byte == ord(" ") else b"\\%03o" % byte for byte in path)
