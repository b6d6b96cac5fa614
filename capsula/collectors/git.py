"""Repositories: the commit that is checked out, and how the work tree differs from it, as patches that apply.

Two patches, one after the other, lead from the commit to the work tree: HEAD to index, and index to work tree.
What git shows of a change depends on the user's configuration; what is kept here does not.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import file_digest
from pathlib import Path

import pygit2
from attrs import asdict, frozen
from pygit2.enums import DeltaStatus
from returns.result import Failure, Result, Success, safe

from capsula.core.config import Config
from capsula.core.effect import Source, Write
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment, gather
from capsula.core.repository import (
    GITLINK,
    TROUBLE,
    Entry,
    holder,
    opened,
    remarkable,
    top_directory,
    trouble,
    unreadable,
)
from capsula.core.worktree import CONTEXT_LINES, TEXT_AND_BINARY, WorkTree, head_tree, work_tree

MOST_UNTRACKED = 10_000
"""How many untracked paths a document lists."""


def collect(config: Config) -> Answer:
    """Return name to facts of each configured repository, or else of the one that holds the root, if any does."""
    chosen = config.settings.capture.git.repositories
    if chosen is None:
        return Success(gather(_of_the_root(config)))
    return Success(gather({name: _configured(name, path, config) for name, path in chosen.items()}))


@frozen
class Remote:
    """A remote, without the secrets of its URL."""

    name: str
    url: str | None


@frozen
class Changes:
    """How many paths changed from HEAD to index, from there to the work tree, and are not tracked."""

    staged: int
    unstaged: int
    untracked: int
    conflicted: int = 0
    """How many of the unstaged are in a conflict."""


@frozen
class Submodule:
    """A submodule: the commit that HEAD records, and the one that is checked out, if any."""

    path: str
    recorded: str | None
    actual: str | None
    dirty: bool = False


@frozen
class Checkout:
    """The facts of one repository; a field that has its default is left out."""

    path: str
    """As configured, or relative to the root."""
    sha: str | None
    """None before the first commit."""
    branch: str | None
    """None where HEAD is detached."""
    remotes: tuple[Remote, ...]
    dirty: bool
    """Whether anything is staged, unstaged or untracked."""
    changes: Changes
    untracked: tuple[str, ...]
    """Sorted; a repository inside the work tree ends with a slash. Ignored files and the vault are left out."""
    untracked_left_out: int = 0
    submodules: tuple[Submodule, ...] = ()
    bare: bool = False
    worktree: str | None = None
    """The name of the linked work tree."""
    caveats: tuple[str, ...] = ()
    """Why the patches may not give back every tracked file byte for byte."""


def _of_the_root(config: Config) -> Mapping[str, Answer]:
    found = holder(config.root)
    if isinstance(found, Success):
        repository = found.unwrap()
        top = top_directory(repository) or Path(repository.path)
        name = _file_name(top.name)
        return {name: _captured(repository, name, os.path.relpath(top, config.root.resolve()), config)}
    fault = found.failure()
    return {} if fault.kind == "not a repository" else {_file_name(config.root.name): Failure(fault)}


def _configured(name: str, path: str, config: Config) -> Answer:
    if name.startswith("/") or not {*name.split("/")}.isdisjoint({"", ".", ".."}):
        return Failure(Fault("invalid name", f"{name!r} does not name a file in the capsule"))
    return holder(config.root / path).bind(lambda repository: _captured(repository, name, path, config))


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name) or "root"


def _captured(repository: pygit2.Repository, name: str, path: str, config: Config) -> Answer:
    top = top_directory(repository)
    if top is None:
        return _sound(repository, lambda: _bare(repository, path))
    return work_tree(repository, config.reader).bind(
        lambda tree: _sound(repository, lambda: _fragment(tree, top, name, path, config))
    )


def _sound(repository: pygit2.Repository, read: Callable[[], Fragment]) -> Answer:
    answer: Result[Fragment, Exception] = safe(exceptions=TROUBLE)(read)()
    return answer.alt(lambda error: trouble(error, Path(repository.path)))


def _bare(repository: pygit2.Repository, path: str) -> Fragment:
    sha, branch = _head(repository)
    return Fragment(_facts(Checkout(path, sha, branch, _remotes(repository), False, Changes(0, 0, 0), (), bare=True)))


def _fragment(tree: WorkTree, top: Path, name: str, path: str, config: Config) -> Fragment:
    repository = tree.repository
    sha, branch = _head(repository)
    entries = remarkable(tree.index)
    work = _work(tree, top, entries)
    vault = config.vault.resolve()
    untracked = sorted(os.fsdecode(path) for path in work.untracked if not _is_in(vault, top, top / os.fsdecode(path)))
    submodules = _submodules(repository, top, entries, work.dirty_submodules)
    attributes = _attribute_files(repository, top, entries, work, config.surroundings.environ)
    conversions = _conversions(repository, top, attributes)
    unstaged = len({*_paths(work.unstaged), *work.unreadable})
    changes = Changes(len(_paths(work.staged)), unstaged, len(untracked), len(work.conflicts))
    checkout = Checkout(
        path,
        sha,
        branch,
        _remotes(repository),
        dirty=changes != Changes(0, 0, 0),
        changes=changes,
        untracked=tuple(untracked[:MOST_UNTRACKED]),
        untracked_left_out=len(untracked[MOST_UNTRACKED:]),
        submodules=tuple(found.unwrap() for found in submodules.values() if isinstance(found, Success)),
        worktree=_linked_worktree(repository),
        caveats=(
            *conversions,
            *_hidden(entries, work.absent),
            *_closed(work.unreadable),
            *_inside(work.dirty_submodules),
        ),
    )
    faults = [
        found.failure().under("submodules", place) for place, found in submodules.items() if isinstance(found, Failure)
    ]
    faults += (fault.under("unreadable", os.fsdecode(path)) for path, fault in work.unreadable.items())
    return Fragment(_facts(checkout), (_patches(name, top, work),), tuple(faults))


def _facts(checkout: Checkout) -> dict[str, Json]:
    facts: dict[str, Json] = asdict(
        checkout,
        filter=lambda attribute, value: value != attribute.default,
        value_serializer=lambda _, __, value: list(value) if isinstance(value, tuple) else value,
    )
    return facts


def _paths(changes: Iterable["_Change"]) -> set[bytes]:
    return {change.path for change in changes}


@frozen
class _Change:
    """What a diff says of a path; a mode is 0 where there is no file. The patch is read when it is written."""

    path: bytes
    kind: DeltaStatus
    old_mode: int
    new_mode: int
    old_id: pygit2.Oid
    patch: "Callable[[], pygit2.Patch | None]"

    @property
    def is_submodule(self) -> bool:
        return GITLINK in {self.old_mode, self.new_mode}


@frozen
class _Work:
    """How the work tree differs from HEAD."""

    staged: tuple[_Change, ...]
    unstaged: tuple[_Change, ...]
    untracked: tuple[bytes, ...]
    conflicts: frozenset[bytes]
    dirty_submodules: frozenset[bytes]
    absent: frozenset[bytes]
    """The files that git was told not to have, and that are not there."""
    unreadable: Mapping[bytes, Fault]
    """The files of which no change is told, because they cannot be read; sorted."""


def _work(tree: WorkTree, top: Path, entries: list[Entry]) -> _Work:
    staged, found, closed = _changes(tree.staged), _changes(tree.unstaged), dict(tree.closed)
    sparse = {entry.path for entry in entries if entry.sparse}
    absent = {change.path for change in found if change.kind is DeltaStatus.DELETED and change.path in sparse}
    untracked = tuple(
        change.path for change in found if change.kind is DeltaStatus.UNTRACKED and change.path not in closed
    )
    conflicts = {change.path for change in (*staged, *found) if change.kind is DeltaStatus.CONFLICTED}
    without_content = conflicts | {entry.path for entry in entries if entry.intended}
    tracked = [change for change in found if change.kind is not DeltaStatus.UNTRACKED and change.path not in absent]
    closed |= unreadable(top, _paths(tracked) | without_content)
    unstaged = [
        change
        for change in tracked
        if change.path not in without_content
        and change.path not in closed
        and not _is_kept_elsewhere(tree.repository, top, change)
    ]
    unstaged += (
        change
        for path in sorted(without_content - closed.keys())
        for change in _past_the_index(tree.repository, top, path)
    )
    return _Work(
        tuple(change for change in staged if change.path not in without_content),
        tuple(unstaged),
        untracked,
        frozenset(conflicts),
        frozenset(change.path for change in unstaged if change.is_submodule and _is_dirty(change.patch())),
        frozenset(absent),
        {path: closed[path] for path in sorted(closed)},
    )


_NO_ID = pygit2.Oid(b"")


def _changes(diff: pygit2.Diff) -> list[_Change]:
    return [
        _Change(
            delta.new_file.raw_path,
            delta.status,
            delta.old_file.mode,
            delta.new_file.mode,
            delta.old_file.id,
            partial(diff.__getitem__, number),
        )
        for number, delta in enumerate(diff.deltas)
    ]


def _past_the_index(repository: pygit2.Repository, top: Path, path: bytes) -> Iterator[_Change]:
    """Yield what leads from HEAD to the work tree, where the index holds no content: in conflicts, intent to add.

    A file that became a link, or the reverse, is another file.
    """
    tree, name = head_tree(repository), os.fsdecode(path)
    entry = tree[name] if name in tree else None  # noqa: SIM401 - a Tree has no get
    blob = entry if isinstance(entry, pygit2.Blob) else None
    old, new = blob.filemode if blob else 0, _mode(top / name)
    steps = [(old, 0), (0, new)] if old and new and stat.S_IFMT(old) != stat.S_IFMT(new) else [(old, new)]
    for before, after in steps:
        patch = partial(_patch_between, blob if before else None, top / name if after else None)
        yield _Change(path, DeltaStatus.MODIFIED, before, after, blob.id if blob else _NO_ID, patch)


def _patch_between(blob: pygit2.Blob | None, path: Path | None) -> pygit2.Patch | None:
    if not blob and not path:
        return None
    content = _content(path) if path else None
    return pygit2.Patch.create_from(blob, content, flag=TEXT_AND_BINARY, context_lines=CONTEXT_LINES)


def _mode(path: Path) -> int:
    """Return the mode that git knows a file or link by; 0 for anything else, and for nothing."""
    mode = path.lstat().st_mode if os.path.lexists(path) else 0
    if stat.S_ISLNK(mode):
        return 0o120000
    return (0o100755 if mode & stat.S_IXUSR else 0o100644) if stat.S_ISREG(mode) else 0


def _content(path: Path) -> bytes:
    return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()


_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n")


def _is_kept_elsewhere(repository: pygit2.Repository, top: Path, change: _Change) -> bool:
    """Return whether the index has a pointer to just these bytes, which git, running the filter, calls unchanged."""
    if change.old_mode != change.new_mode or repository.get_attr(change.path, "filter") != "lfs":
        return False
    pointer = _POINTER.match(repository[change.old_id].read_raw())
    path = top / os.fsdecode(change.path)
    if not pointer or path.lstat().st_size != int(pointer[2]):
        return False
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest().encode() == pointer[1]


def _head(repository: pygit2.Repository) -> tuple[str | None, str | None]:
    sha = None if repository.head_is_unborn else str(repository.head.target)
    symbol = repository.lookup_reference("HEAD").raw_target
    branch = os.fsdecode(symbol).removeprefix("refs/heads/") if isinstance(symbol, bytes) else None
    return sha, branch


def _remotes(repository: pygit2.Repository) -> tuple[Remote, ...]:
    return tuple(Remote(remote.name or "", _without_secrets(remote.url)) for remote in repository.remotes)


def _without_secrets(url: str | None) -> str | None:
    """Leave out passwords, and all that stands before the host in a web address, where tokens stand for users.

    >>> _without_secrets("https://token@host/x"), _without_secrets("ssh://git:word@host/x")
    ('https://host/x', 'ssh://git@host/x')
    """
    if url is None:
        return None
    anonymous = re.sub(r"(?i)(https?://)[^/\s]*@", r"\1", url)
    return re.sub(r"(?i)([a-z][a-z0-9+.-]*://[^/:@\s]*):[^/\s]*@", r"\1@", anonymous)


def _linked_worktree(repository: pygit2.Repository) -> str | None:
    directory = Path(repository.path)
    return directory.name if (directory / "commondir").exists() else None


def _is_in(directory: Path, top: Path, path: Path) -> bool:
    return path.is_relative_to(directory) and directory != top


def _submodules(
    repository: pygit2.Repository, top: Path, entries: list[Entry], dirty: frozenset[bytes]
) -> dict[str, Result[Submodule, Fault]]:
    tree = head_tree(repository)
    paths = {os.fsdecode(entry.path): entry.path in dirty for entry in entries if entry.mode == GITLINK}
    return {
        path: _checked_out(top / path).map(partial(_submodule, path, _recorded(tree, path), dirty=is_dirty))
        for path, is_dirty in paths.items()
    }


def _submodule(path: str, recorded: str | None, actual: str | None, *, dirty: bool) -> Submodule:
    return Submodule(path, recorded, actual, dirty)


def _recorded(tree: pygit2.Tree, path: str) -> str | None:
    return str(tree[path].id) if path in tree and tree[path].filemode == GITLINK else None


def _checked_out(directory: Path) -> Result[str | None, Fault]:
    if not (directory / ".git").exists():
        return Success(None)
    return opened(directory).map(lambda repository: _head(repository)[0])


def _conversions(repository: pygit2.Repository, top: Path, attribute_files: Iterable[Path]) -> Iterator[str]:
    """Say by which settings the bytes of the work tree are other than those that git keeps."""
    carriage_returns = _setting(repository, "core.autocrlf") or ""
    if carriage_returns.lower() not in _OFF:
        yield f"core.autocrlf={carriage_returns}: {_CONVERTED}"
    for file in attribute_files:
        shown = file.relative_to(top) if file.is_relative_to(top) else file
        read: Result[bytes, Exception] = safe(exceptions=(OSError,))(_bytes)(file)
        if isinstance(read, Failure):
            yield f"{shown}: cannot be read: if it asks for conversions, {_CONVERTED}"
        elif words := sorted(_converting(read.unwrap())):
            yield f"{shown}: {', '.join(words)}: {_CONVERTED}"


_CONVERTED = "the patches hold bytes as git keeps them, which may be other than those of the work tree"
_OFF = {"false", "no", "off", "0", ""}
_CONVERTING = re.compile(r"text|text=.*|crlf|crlf=.*|eol=.*|ident|filter=.*|working-tree-encoding=.*")


def _converting(attributes: bytes) -> set[str]:
    lines = (line.split() for line in os.fsdecode(attributes).splitlines() if not line.lstrip().startswith("#"))
    return {word for line in lines for word in line[1:] if _CONVERTING.fullmatch(word)}


def _attribute_files(
    repository: pygit2.Repository, top: Path, entries: list[Entry], work: _Work, environ: Mapping[str, str]
) -> Iterator[Path]:
    home = environ.get("HOME", "/")
    own = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    chosen = _setting(repository, "core.attributesfile") or f"{own}/git/attributes"
    yield Path("/etc/gitattributes")
    yield Path(re.sub(r"^~(?=/)", lambda _: home, chosen))
    yield from (top / os.fsdecode(entry.path) for entry in entries if entry.is_attributes)
    yield from (top / os.fsdecode(path) for path in work.untracked if path.rpartition(b"/")[2] == b".gitattributes")
    directory = Path(repository.path)
    yield directory / os.fsdecode(_bytes(directory / "commondir").strip()) / "info" / "attributes"


def _setting(repository: pygit2.Repository, name: str) -> str | None:
    return repository.config[name] if name in repository.config else None  # noqa: SIM401 - a Config has no get


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _hidden(entries: list[Entry], absent: frozenset[bytes]) -> tuple[str, ...]:
    hidden = [os.fsdecode(entry.path) for entry in entries if entry.hidden and entry.path not in absent]
    return (f"git was told not to look at {_some(hidden)}: changes there are not in the patches",) if hidden else ()


def _closed(unreadable: Iterable[bytes]) -> tuple[str, ...]:
    paths = [os.fsdecode(path) for path in unreadable]
    return (f"{_some(paths)} cannot be read: changes there are not in the patches",) if paths else ()


def _inside(dirty_submodules: frozenset[bytes]) -> tuple[str, ...]:
    paths = sorted(map(os.fsdecode, dirty_submodules))
    return (f"changes inside the submodules {_some(paths)} are not in the patches",) if paths else ()


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(paths[:5]) + more


def _patches(name: str, top: Path, work: _Work) -> Write:
    staged = Source(f"HEAD to index of {top}", partial(_chunks, work.staged))
    unstaged = Source(f"index to work tree of {top}", partial(_chunks, work.unstaged))
    first = ((f"{name}.staged.diff", staged),) if work.staged else ()
    return Write((*first, (f"{name}.diff", unstaged)), at=("patches",))


def _chunks(changes: tuple[_Change, ...]) -> Iterator[bytes]:
    """Yield the patch of one path after the other.

    Raises:
        OSError: a file or object can no longer be read.
    """
    for change in changes:
        written: Result[bytes, Exception] = safe(exceptions=TROUBLE)(_as_git_applies_it)(change)
        if isinstance(written, Failure):
            raise OSError(f"{os.fsdecode(change.path)}: {written.failure()}") from written.failure()
        yield written.unwrap()


def _as_git_applies_it(change: _Change) -> bytes:
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
_BODY = re.compile(rb"^(?=@@ |GIT binary patch$)", re.MULTILINE)


def _body(patch: bytes) -> bytes:
    start = _BODY.search(patch)
    return patch[start.start() :] if start else b""


def _is_dirty(patch: pygit2.Patch | None) -> bool:
    return patch is not None and _DIRTY in patch.data


def _mode_lines(change: _Change) -> list[bytes]:
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
