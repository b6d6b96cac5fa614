"""Repositories, read by libgit2 so that nothing in their configuration runs a program, and never written."""

import os
import re
import stat
from collections.abc import Iterable
from errno import ELOOP
from pathlib import Path

import pygit2
from pygit2.enums import DiffOption, RepositoryOpenFlag
from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, fault_of
from capsula.core.foreign import safe
from capsula.reading.content import tried
from capsula.reading.objects import whole

TROUBLE = (pygit2.GitError, KeyError, ValueError, OSError)
"""What libgit2 and its binding raise for a repository that cannot be read."""

GITLINK = 0o160000
"""The mode of a submodule."""


def holder(path: Path) -> Result[pygit2.Repository, Fault]:
    """Return the repository whose work tree holds ``path``, or the bare one it lies in, found upwards from it.

    A link to a directory is followed. Faults: ``missing``, ``not a repository``, ``nothing there`` (where a file
    stands for a git directory that is gone), and those of ``opened``.
    """
    if not os.path.lexists(path):
        return Failure(Fault("missing", f"{path}: no such file or directory"))
    start = path if path.is_dir() else path.parent
    # Not by pygit2.discover_repository: where it finds none, it takes a reference to None from Python 3.11, which ends
    # the process once there is none left.
    found = _opened(start, RepositoryOpenFlag(0)).alt(lambda error: _unheld(error, path))
    return found.bind(_at_home).bind(_with_a_whole_tip)


def opened(path: Path) -> Result[pygit2.Repository, Fault]:
    """Return the repository with this top or git directory.

    Faults: ``not trusted`` (owned by another user), ``core.worktree leads elsewhere``, ``unreadable``.
    """
    found = _opened(path, RepositoryOpenFlag.NO_SEARCH).alt(lambda error: trouble(error, path))
    return found.bind(_at_home).bind(_with_a_whole_tip)


def is_inside(top: Path, path: bytes) -> bool:
    """Tell whether a repository stands at ``path`` of a work tree; what a link leads to is none of the work tree's.

    The top is one whose links are resolved.
    """
    directory = top / os.fsdecode(path)
    return os.path.lexists(directory / ".git") and directory.resolve() == directory


def tracks(repository: pygit2.Repository, path: Path) -> bool:
    """Return whether the index of the repository has the file or link at ``path``."""
    top = top_directory(repository)
    place = path.parent.resolve() / path.name
    return top is not None and place.is_relative_to(top) and place.relative_to(top) in repository.index


def is_tracked(path: Path) -> bool:
    """Tell whether the repository around the file or link at ``path`` tracks it, as far as that can be read."""
    held = holder(path.parent)
    if not isinstance(held, Success):
        return False
    known: Result[bool, Exception] = safe(exceptions=TROUBLE)(tracks)(held.unwrap(), path)
    return known.value_or(False)


def top_directory(repository: pygit2.Repository) -> Path | None:
    """Return the top of the work tree, links resolved; none in a bare repository."""
    return Path(repository.workdir).resolve() if repository.workdir else None


def sound_index(repository: pygit2.Repository) -> Result[bytes, Fault]:
    """Return the index file once libgit2 has found it sound, so that it can be parsed; nothing where there is none.

    Faults: ``unreadable``, and those of the operating system.
    """
    file = Path(repository.path, "index")
    read: Result[bytes, Exception] = safe(exceptions=(OSError,))(file.read_bytes)()
    if isinstance(read, Failure):
        fault = trouble(read.failure(), file)
        return Success(b"") if fault.kind == "missing" else Failure(fault)
    if _is_cut(read.unwrap()):  # libgit2 says that there is none, or makes room for all entries that it is told of
        return Failure(Fault("unreadable", f"{file} cannot be read: it is cut short"))
    checked: Result[object, Exception] = safe(exceptions=TROUBLE)(lambda: repository.index)()
    return checked.bind(lambda _: read).alt(lambda error: _unsound(error, file))


def compared(repository: pygit2.Repository, flags: DiffOption) -> tuple[pygit2.Diff, dict[bytes, Fault]]:
    """Return the diff from index to work tree, and the tracked files that it says nothing of: they cannot be read.

    libgit2 itself makes no diff at all if there is one file that it has to read and cannot.
    """
    whole: Result[pygit2.Diff, Exception] = safe(exceptions=(pygit2.GitError,))(repository.diff)(flags=flags)
    if isinstance(whole, Success):
        return whole.unwrap(), {}
    closed = unreadable(Path(repository.workdir), (os.fsencode(entry.path) for entry in repository.index))
    if not closed:
        raise whole.failure()
    others = pygit2.Repository(repository.path, RepositoryOpenFlag.NO_SEARCH)  # its index is changed, and not written
    conflicts = others.index.conflicts or ()
    for path in map(os.fsdecode, closed):
        if path not in conflicts:
            others.index.remove(path)
    return others.diff(flags=flags), closed


def unreadable(top: Path, paths: Iterable[bytes]) -> dict[bytes, Fault]:
    """Return why files cannot be read, for those paths below ``top`` where one is, or may be, and cannot."""
    above = os.fsencode(top)
    faults = {path: _obstacle(b"%b/%b" % (above, path)) for path in paths}
    return {path: fault for path, fault in faults.items() if fault}


def trouble(error: Exception, path: Path) -> Fault:
    """Return the fault that an error of libgit2 about the repository at ``path`` amounts to."""
    if isinstance(error, OSError):
        return fault_of(error, str(path))
    if owned := re.search("repository path '(.*)' is not owned by", str(error)):
        remedy = f"if you trust it: git config --global --add safe.directory {owned[1]}"
        return Fault("not trusted", f"{owned[1]} is owned by another user", remedy)
    return Fault("unreadable", f"{path}: {error}")


_SHORTEST_INDEX = 32
"""Bytes of an index without entries."""
_SHORTEST_ENTRY = 62


def _is_cut(index: bytes) -> bool:
    count = int.from_bytes(index[8:12])
    return len(index) < _SHORTEST_INDEX + count * _SHORTEST_ENTRY


def _unsound(error: Exception, file: Path) -> Fault:
    remedy = next((remedy for extension, remedy in _REWRITING.items() if extension in str(error)), "")
    return Fault("unreadable", f"{file} cannot be read: {error}", remedy)


_REWRITING = {
    "'sdir'": "git sparse-checkout reapply --no-sparse-index",
    "'link'": "git update-index --no-split-index",
}
"""How an index is rewritten without an extension that libgit2 does not know."""


def _obstacle(path: bytes) -> Fault | None:
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            tried(path)
    except OSError as error:
        fault = fault_of(error, os.fsdecode(path))
        is_gone = fault.kind == "missing" or error.errno == ELOOP  # a link stands where its folder was
        return None if is_gone else fault
    return None


def _opened(path: Path, flags: RepositoryOpenFlag) -> Result[pygit2.Repository, Exception]:
    read: Result[pygit2.Repository, Exception] = safe(exceptions=TROUBLE)(
        lambda: pygit2.Repository(os.fsencode(path), flags)  # not every text that a capsule holds can be a path
    )()
    return read


def _unheld(error: Exception, path: Path) -> Fault:
    if not str(error).startswith("Repository not found at "):
        return trouble(error, path)
    pointers = (it / ".git" for it in (path, *path.parents))
    pointer = next((it for it in pointers if os.path.isfile(it)), None)
    if pointer is None:
        return Fault("not a repository", f"{path} is in no repository")
    remedy = "git worktree repair, where the repository is now"
    return Fault("nothing there", f"{pointer} stands for a repository that is not where it says", remedy)


def _at_home(repository: pygit2.Repository) -> Result[pygit2.Repository, Fault]:
    """Refuse a work tree that knows nothing of its repository: its files are none of the repository's business."""
    if repository.workdir and repository.path == f"{repository.workdir}.git/" and not _is_link(repository.path):
        return Success(repository)  # as almost all are, told without a look at each folder above
    top = top_directory(repository)
    if top is None or _leads_to(top / ".git") == Path(repository.path).resolve():
        return Success(repository)
    message = f"{repository.path} says its work tree is {top}, which does not lead back to it"
    return Failure(Fault("core.worktree leads elsewhere", message, "unset core.worktree"))


def _with_a_whole_tip(repository: pygit2.Repository) -> Result[pygit2.Repository, Fault]:
    """Refuse a commit that is cut short, which would be read for ever; what else is wrong with HEAD tells who asks."""
    try:
        tip = () if repository.head_is_unborn else (str(repository.head.target),)
    except TROUBLE:
        return Success(repository)
    try:
        whole(repository, tip)
    except pygit2.GitError as error:
        return Failure(trouble(error, Path(repository.path)))
    return Success(repository)


def _is_link(directory: str) -> bool:
    return os.path.islink(directory.rstrip(os.sep))  # a text that needs no parsing


def _leads_to(path: Path) -> Path:
    """Return the git directory that ``.git`` is, or, where it is a file, the one that it names."""
    named = path.read_bytes().partition(b"\0")[0].removeprefix(b"gitdir:").strip() if path.is_file() else b""
    return (path.parent / os.fsdecode(named) if named else path).resolve()
