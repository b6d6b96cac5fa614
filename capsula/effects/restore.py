"""Restoring the source: into a fresh directory, nothing outside of it, and told restored only if its digest says so.

What a capsule says is not trusted: every path is judged, files are made only where nothing stands, links come last, and
no more is written than the facts announce.
"""

import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import pygit2
from returns.result import Failure, Result, Success

from capsula.core.content import LINK
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.foreign import safe
from capsula.core.tree import WORKSPACE, Kept, Missed, Tree, digest, path_flaw, understood
from capsula.effects.fetch import fetched
from capsula.effects.files import removed
from capsula.effects.patch import patched
from capsula.effects.patch import read as read_patch
from capsula.reading.content import content
from capsula.reading.pack import LARGEST_PACK, MOST_INFLATED, Leaf, MalformedError, blob, leaves, pack_index, tree_of
from capsula.reading.repository import GITLINK, TROUBLE, opened
from capsula.reading.tars import BLOCK
from capsula.reading.walk import below

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RAW = b"* -text -filter -ident -working-tree-encoding\n"
"""Attributes under which git takes the bytes of a work tree as they are."""


class _UnavailableError(Exception):
    """A commit is not to be had."""


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_TROUBLE = (*TROUBLE, _UnavailableError, tarfile.TarError, zlib.error, EOFError, OverflowError, RecursionError)
_STEP = 1 << 20
_MOST_LEAVES = 10_000_000
_AS_GZIP = 31


class Restored(NamedTuple):
    """A source that was put back."""

    root: Path
    """Where its root directory is now."""
    needs: tuple[Missed, ...] = ()
    """Files that are not to be had; their paths are relative to the directory restored into."""
    fetched: tuple[str, ...] = ()
    """URLs of the remotes that had to be asked."""


class _Layout(NamedTuple):
    """Where each tree is to stand."""

    root: str
    """The place of the root directory, relative to the directory, as are all places; ``.`` is the directory itself."""
    trees: Mapping[str, Tree]
    """Place to tree, the outer ones first."""

    def inside(self, place: str) -> set[bytes]:
        """Return the places of the trees inside of one, relative to it."""
        prefix = "" if place == "." else f"{place}/"
        return {os.fsencode(it.removeprefix(prefix)) for it in self.trees if it != place and it.startswith(prefix)}


def restored(
    capsule: Path, told: Mapping[str, Json], root: str, into: Path, *, fetch: Mapping[str, str] | None = None
) -> Result[Restored, Fault]:
    """Put the trees of the facet ``source`` into a directory that is empty or does not exist.

    Every tree that had a commit is a repository with that commit checked out, detached, and the raw bytes on top. Files
    that the capsule does not hold are taken from the commit, if they were as it has them and it is to be had.
    Faults: ``occupied``; ``integrity``, for what is not as the facts say or would lead outside; ``missing``, for a
    commit that is not to be had; those of the disk. Whatever the fault, nothing is left in the directory.

    Args:
        capsule: The directory of the capsule.
        told: The facts of the facet.
        root: The recorded root directory, an absolute path.
        into: The directory; it stands for the nearest one around the root and all trees.
        fetch: The environment for git, if it may be asked to fetch a commit from a recorded remote.
    """
    return _layout(told, root).bind(
        lambda layout: _emptied(into).bind(lambda _: _performed(layout, _Restoration(into, capsule, fetch)))
    )


def _layout(told: Mapping[str, Json], root: str) -> Result[_Layout, Fault]:
    trees: dict[str, Tree] = {}
    for facts in told.values():
        answer = understood(facts)
        if not isinstance(answer, Success):
            return Failure(answer.failure())
        tree = answer.unwrap()
        for place, inner in _with_nested(os.path.normpath(os.path.join(root, tree.path)), tree):  # noqa: PTH118
            trees.setdefault(place, inner)  # one that was captured twice is restored once
    if not root.startswith("/") or "\0" in "".join((root, *trees)):
        return Failure(_broken("the place of a source is none"))
    common = os.path.commonpath([os.path.normpath(root), *trees])
    places = {os.path.relpath(place, common): trees[place] for place in sorted(trees)}
    layout = _Layout(os.path.relpath(root, common), places)
    flaws = [path_flaw(place) for place in (layout.root, *places) if place != "."]
    flaw = next(filter(None, flaws), None)
    return Failure(_broken(f"the place of a source {flaw}")) if flaw else Success(layout)


def _with_nested(place: str, tree: Tree) -> Iterator[tuple[str, Tree]]:
    yield place, tree
    for path, nested in tree.nested.items():
        yield from _with_nested(f"{place}/{path}", nested)


def _emptied(into: Path) -> Result[None, Fault]:
    try:
        into.mkdir(parents=True, exist_ok=True)
        is_empty = not any(into.iterdir())
    except (FileExistsError, NotADirectoryError):
        return Failure(Fault("occupied", f"{into} is not a directory", "name one that does not exist"))
    except OSError as error:
        return Failure(fault_of(error, str(into)))
    occupied = Fault("occupied", f"{into} is not empty", "name a directory that does not exist")
    return Success(None) if is_empty else Failure(occupied)


def _performed(layout: _Layout, restoration: "_Restoration") -> Result[Restored, Fault]:
    done: Result[None, Exception] = safe(exceptions=_TROUBLE)(restoration.run)(layout)
    into = restoration.into
    if isinstance(done, Failure):
        for path in into.iterdir():
            removed(path)
        return Failure(_fault(done.failure()))
    needs = tuple(
        it._replace(path=os.path.normpath(f"{place}/{it.path}"))
        for place in layout.trees
        for it in restoration.missed[place]
    )
    return Success(Restored(into / layout.root, needs, tuple(restoration.fetched)))


def holds(repository: str, commit: str) -> bool:
    """Tell whether there is a repository in this directory that has the commit."""

    @safe(exceptions=TROUBLE)
    def has(it: pygit2.Repository) -> bool:
        return commit in it

    return opened(Path(repository)).map(lambda it: has(it).value_or(False)).value_or(False)


def _broken(message: str) -> Fault:
    return Fault("integrity", message, "the capsule was damaged or changed; do not trust what it says")


def _fault(error: Exception) -> Fault:
    if isinstance(error, _UnavailableError):
        remedy = "allow to fetch it (--fetch), or bring back the repository"
        return Fault("missing", str(error), remedy)
    if isinstance(error, OSError) and error.errno and not isinstance(error, FileExistsError | NotADirectoryError):
        return fault_of(error, os.fsdecode(error.filename or ""))
    return _broken(f"the source cannot be restored: {error}")


class _Restoration:
    """Trees on their way into a directory: directories and files first, then links, then the proof."""

    def __init__(self, into: Path, capsule: Path, fetch: Mapping[str, str] | None) -> None:
        self.into = into
        self.fetched: list[str] = []
        self.missed: dict[str, tuple[Missed, ...]] = {}
        self._capsule = capsule
        self._fetch = fetch
        self._links: list[tuple[bytes, bytes]] = []
        self._made: set[bytes] = set()

    def run(self, layout: _Layout) -> None:
        """Put back all trees.

        Raises:
            Exception: one of ``_TROUBLE``, of which ``MalformedError`` is the fault of the capsule.
        """
        self._directory(os.fsencode(self.into / layout.root))
        repositories = {place: self._planted(place, tree) for place, tree in layout.trees.items()}
        for target, path in self._links:
            os.symlink(target, path)  # noqa: PTH211 - a Path holds no bytes
        for place, tree in layout.trees.items():
            if tree.mode != "patch":
                found = {it.path for it in tree.missed} - {it.path for it in self.missed[place]}
                _prove(self.into / place, tree, layout.inside(place), set(map(os.fsencode, found)))
        for place, repository in repositories.items():
            if repository is not None:
                _checked_out(repository, layout.trees[place])

    def _planted(self, place: str, tree: Tree) -> pygit2.Repository | None:
        """Write the directories and files of a tree, and return the repository it is now, if it was one."""
        top = self.into / place
        self._directory(os.fsencode(top))
        repository = self._repository(top, tree) if tree.repository is not None else None
        prefix = os.fsencode(top) + b"/"
        self.missed[place] = tree.missed
        if repository is not None and tree.head:
            self.missed[place] = self._commit(prefix, tree, repository)
        self._overlay(prefix, tree)
        for path in (*tree.directories, *tree.nested):
            self._directory(prefix + os.fsencode(path))
        return repository

    def _repository(self, top: Path, tree: Tree) -> pygit2.Repository:
        pygit2.init_repository(os.fspath(top))
        directory = top / ".git"
        for folder in ("info", "objects/info", "objects/pack"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        (directory / "info" / "attributes").write_bytes(RAW)
        (directory / WORKSPACE).touch()
        if tree.head is None:
            return pygit2.Repository(os.fspath(top))
        if tree.objects is not None:
            if tree.objects.size >= LARGEST_PACK:  # it would be held in memory before it is judged
                raise MalformedError("the pack is larger than any that is made")
            with _opened(self._capsule / tree.objects.file, tree.objects.size) as stream:
                pack = stream.read()
            index, checksum = pack_index(pack)
            (directory / "objects" / "pack" / f"pack-{checksum.hex()}.pack").write_bytes(pack)
            (directory / "objects" / "pack" / f"pack-{checksum.hex()}.idx").write_bytes(index)
            (directory / "shallow").write_text(f"{tree.head}\n")
        elif not _borrowed(directory, tree):
            self._bring(directory, tree)
        repository = pygit2.Repository(os.fspath(top))
        if tree.head not in repository:
            raise MalformedError(f"the commit {tree.head} is not where it should be")
        return repository

    def _bring(self, directory: Path, tree: Tree) -> None:
        if self._fetch is None:
            raise _UnavailableError(f"the commit {tree.head} is not in {tree.repository}")
        answer = fetched(tree.head or "", tree.remotes, directory, self._fetch)
        if not isinstance(answer, Success):
            raise _UnavailableError(answer.failure().message)
        self.fetched.append(answer.unwrap())

    def _commit(self, prefix: bytes, tree: Tree, repository: pygit2.Repository) -> tuple[Missed, ...]:
        """Write what the tree still has as the commit has it, and return the files that are not to be had."""
        base, missed = self._base(tree, repository)
        lost = {os.fsencode(it.path): it for it in missed}
        other = {*(os.fsencode(it.path) for it in tree.overlay), *map(os.fsencode, tree.deleted)}
        left, most = _limits(tree)
        with self._origin(tree) as origin:
            for leaf in leaves(repository, base, most):
                if flaw := path_flaw(os.fsdecode(leaf.path)):
                    raise MalformedError(f"a path of the commit {flaw}")
                if leaf.path in other:
                    continue
                if leaf.path not in lost:
                    left -= self._leaf(leaf, prefix, repository)
                elif origin and lost[leaf.path].committed and pygit2.Oid(leaf.id) in origin:
                    self._leaf(leaf, prefix, origin)
                    del lost[leaf.path]
                if left < 0:
                    raise MalformedError("the commit holds more than it should")
        return tuple(lost.values())

    def _base(self, tree: Tree, repository: pygit2.Repository) -> tuple[bytes, tuple[Missed, ...]]:
        """Return the id of git's tree with the files that no archive holds, and those that it does not tell of."""
        base = tree_of(repository, tree.head or "")
        if tree.mode != "patch":
            return base, tree.missed
        made, missed = patched(repository, base, (read_patch(self._capsule / name) for name in tree.patches))
        return made, tuple({it.path: it for it in (*missed, *tree.missed)}.values())

    @contextmanager
    def _origin(self, tree: Tree) -> Iterator[pygit2.Repository | None]:
        """Open a repository that has the files of the commit that the capsule does not hold, if there is one."""
        head, repository = tree.head or "", tree.repository or ""
        if not any(it.committed for it in tree.missed):
            yield None
        elif holds(repository, head):
            yield pygit2.Repository(repository)
        elif self._fetch is None or not tree.remotes:
            yield None
        else:
            # Apart from the restored repository: where git has the commit, it asks for none of its files.
            with TemporaryDirectory() as folder:
                pygit2.init_repository(folder, bare=True)
                url = fetched(head, tree.remotes, Path(folder), self._fetch).value_or(None)
                self.fetched += [url] if url else []
                yield pygit2.Repository(folder) if url else None

    def _leaf(self, leaf: Leaf, prefix: bytes, repository: pygit2.Repository) -> int:
        """Write what a commit has at a place, and return its size in bytes."""
        if leaf.mode == GITLINK:
            self._directory(prefix + leaf.path)
            return 0
        data = blob(repository, leaf.id)  # libgit2 compares it with its id
        if leaf.mode == LINK:
            self._link(data, prefix + leaf.path)
        else:
            self._file(prefix + leaf.path, (data,), is_program=bool(leaf.mode & 0o100))
        return len(data)

    def _overlay(self, prefix: bytes, tree: Tree) -> None:
        """Write the files of the archive, each of which has to be just what the facts say."""
        waiting = {it.path: it for it in tree.overlay}
        if not waiting:
            return
        if tree.archive is None:
            raise MalformedError("the archive is missing")
        with (
            _opened(self._capsule / tree.archive.file, tree.archive.size) as stream,
            tarfile.open(fileobj=_Inflated(stream, _most(tree.overlay)), mode="r|", errors="surrogateescape") as tar,
        ):
            for member in tar:
                kept = waiting.pop(member.name, None)
                if kept is None:
                    raise MalformedError(f"the archive holds {member.name!r}, of which no fact tells")
                self._member(prefix + os.fsencode(kept.path), kept, tar, member)
        if waiting:
            raise MalformedError(f"the archive does not hold {min(waiting)!r}")

    def _member(self, path: bytes, kept: Kept, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        hashed = sha256()
        if kept.kind == "link" and member.type == tarfile.SYMTYPE:
            target = os.fsencode(member.linkname)
            hashed.update(target)
            self._link(target, path)
        elif kept.kind != "link" and member.type == tarfile.REGTYPE:
            stream = tar.extractfile(member)
            chunks = iter(lambda: stream.read(_STEP), b"") if stream else iter(())
            self._file(path, _hashing(chunks, hashed.update), is_program=kept.kind == "program")
        if hashed.hexdigest() != kept.sha256:
            raise MalformedError(f"the archive holds another {kept.path!r} than was recorded")

    def _link(self, target: bytes, path: bytes) -> None:
        if not target or b"\0" in target:
            raise MalformedError("a link leads to what is no path")
        self._directory(path.rpartition(b"/")[0])
        self._links.append((target, path))

    def _file(self, path: bytes, chunks: Iterable[bytes], *, is_program: bool) -> None:
        self._directory(path.rpartition(b"/")[0])
        with open(os.open(path, _NEW, 0o777 if is_program else 0o666), "wb") as stream:
            stream.writelines(chunks)

    def _directory(self, path: bytes) -> None:
        """Make a directory and those around it; there are no links yet, so that none leads elsewhere."""
        missing: list[bytes] = []
        while path not in self._made and path != os.fsencode(self.into):
            missing.append(path)
            path = path.rpartition(b"/")[0]
        for each in reversed(missing):
            try:
                os.mkdir(each)  # noqa: PTH102 - a Path holds no bytes
            except FileExistsError as error:  # but for the first of a repository, it is a file
                if not os.path.isdir(each):
                    raise MalformedError(f"{os.fsdecode(each)} is a file and a directory at once") from error
            self._made.add(each)


def _limits(tree: Tree) -> tuple[int, int]:
    """Return how many bytes, and how many files and folders, the commit may have at most."""
    if tree.mode == "patch":
        return MOST_INFLATED, _MOST_LEAVES
    named = len(tree.overlay) + len(tree.missed) + len(tree.deleted) + len(tree.nested)
    return tree.size, 100 * (tree.files + named + 10)


class _Inflated(RawIOBase):
    """A compressed stream, read up to a limit."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream = stream
        self._left = most
        self._inflater = zlib.decompressobj(_AS_GZIP)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        part = b""
        while not part and not self._inflater.eof:
            given = self._inflater.unconsumed_tail or self._stream.read(_STEP)
            if not given:
                raise MalformedError("the archive is cut off")
            part = self._inflater.decompress(given, len(view))
        self._left -= len(part)
        if self._left < 0:
            raise MalformedError("the archive is larger than it should be")
        view[: len(part)] = part
        return len(part)


def _most(overlay: Iterable[Kept]) -> int:
    """Return how many bytes the tar of these may have at most: names that are long come before their headers."""
    return 64 * BLOCK + sum(8 * BLOCK + 2 * len(os.fsencode(it.path)) + 2 * it.size for it in overlay)


def _hashing(chunks: Iterable[bytes], update: Callable[[bytes], object]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _opened(file: Path, size: int) -> BinaryIO:
    """Open a file of the capsule, which has to be as large as was recorded."""
    try:
        stream = open(os.open(file, _READING), "rb")  # noqa: SIM115 - whoever asked for it closes it
    except OSError as error:
        raise MalformedError(f"{file} cannot be read: {error.strerror}") from error
    if os.fstat(stream.fileno()).st_size != size:
        stream.close()
        raise MalformedError(f"{file} is not as large as was recorded")
    return stream


def _borrowed(directory: Path, tree: Tree) -> bool:
    """Let a repository use the objects of the one that the tree was in, if that still has the commit."""
    alternates = directory / "objects" / "info" / "alternates"
    alternates.write_bytes(os.fsencode(f"{tree.repository}/objects\n"))
    if (tree.head or "") in pygit2.Repository(os.fspath(directory.parent)):
        return True
    alternates.unlink()
    return False


def _checked_out(repository: pygit2.Repository, tree: Tree) -> None:
    """Have git take the files for what they are: changes to the commit that is checked out, detached."""
    if tree.head is not None:
        commit = repository[tree.head].peel(pygit2.Commit)
        repository.set_head(commit.id)
        repository.index.read_tree(commit.tree)
        repository.index.write()


def _prove(top: Path, tree: Tree, inside: set[bytes], found: set[bytes]) -> None:
    """Compare the digest of what stands in the directory, but for what was found elsewhere, with the recorded one."""
    prefix = os.fsencode(top) + b"/"
    paths = below(prefix, inside, everything=True).files
    answers = {path: content(prefix + path) for path in paths if path not in found}
    contents = {path: answer.unwrap() for path, answer in answers.items() if isinstance(answer, Success)}
    if digest({path: (it.mode, it.id, it.size) for path, it in contents.items()}) != tree.digest:
        raise MalformedError("what was restored is not what was recorded")
