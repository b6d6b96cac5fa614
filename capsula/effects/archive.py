"""Archives: the files that differ from a commit, and the commit itself, as streams that are never all in memory."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from errno import EEXIST
from functools import partial
from hashlib import sha256
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.core.content import FILE, LINK, PROGRAM, Content
from capsula.core.effect import Archive, Share
from capsula.core.fault import Fault, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.core.withholding import WITHHELD
from capsula.effects.files import folders, removed_unless_whole, written
from capsula.reading.content import Reading, reading
from capsula.reading.tars import BLOCK, LONG_LINK, LONG_NAME

SHARED = 64 * 1024
"""Bytes of an archive that is worth a second name."""

_LONGEST_NAME = 100
_PERMISSIONS = {FILE: 0o644, PROGRAM: 0o755, LINK: 0o777}
_LEVEL = 1
_AS_GZIP = 31
_STEP = 1 << 20


def archived(effect: Archive, capsule: Path) -> Answer:
    """Write the archive: the same bytes for the same files, at whatever time and by whomever."""
    target = capsule / effect.target
    withheld: dict[bytes, Result[Content, Fault]] = {}
    try:
        folders(target.parent)
        while True:
            found: dict[bytes, Result[Content, Fault]] = {}
            digest = sha256()
            members = _members(effect, (path for path in effect.contents if path not in withheld), found)
            size = written(target, _hashed(_compressed(members), digest.update))
            with removed_unless_whole(target):
                telling = _telling(effect, target, found)
            if not telling:
                break
            withheld |= telling
            target.unlink()
    except OSError as error:
        return Failure(fault_of(error, effect.target))
    if effect.store and size > SHARED:
        _united(target, effect.store / f"{digest.hexdigest()}.tar.gz")
    return Success(effect.told(size, {**found, **withheld}))


def _telling(
    effect: Archive, target: Path, found: Mapping[bytes, Result[Content, Fault]]
) -> Mapping[bytes, Result[Content, Fault]]:
    """Return which files must not be in an archive, of those that were changed since they were looked at."""
    changed = {path for path, it in found.items() if it.value_or(None) not in (effect.contents[path], None)}
    if not changed:
        return {}
    import tarfile  # only where something changed at this moment

    telling: dict[bytes, Result[Content, Fault]] = {}
    with tarfile.open(target, "r|gz", encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            path, stream = os.fsencode(member.name), archive.extractfile(member) if member.isreg() else None
            if path in changed:
                parts = iter(partial(stream.read, _STEP), b"") if stream else (os.fsencode(member.linkname),)
                why = effect.why(path, parts)
                if why:
                    telling[path] = Failure(Fault(WITHHELD, why))
    return telling


def shared(effect: Share, capsule: Path) -> Answer:
    """Write the bytes, or give the file in the store a second name; where there are no such names, write them again."""
    target = capsule / effect.target
    try:
        folders(target.parent)
        if not _linked(effect.store, target):
            written(target, effect.source.chunks())
            with suppress(OSError):  # the next capsule writes them again
                folders(effect.store.parent)
                os.link(target, effect.store)
        size = target.lstat().st_size
    except OSError as error:
        return Failure(fault_of(error, effect.target))
    return Success(Fragment({"file": effect.target, "size": size}))


def _united(target: Path, stored: Path) -> None:
    """Let capsules with the same archive share one file; where that cannot be, each has its own."""
    with suppress(OSError):
        folders(stored.parent)
        try:
            os.link(target, stored)
        except FileExistsError:
            twin = target.with_name(f"{target.name}.twin")
            os.link(stored, twin)
            twin.replace(target)


def _hashed(chunks: Iterator[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _linked(store: Path, target: Path) -> bool:
    try:
        os.link(store, target)
    except OSError as error:
        if error.errno == EEXIST:
            raise
        return False
    return True


def _members(archive: Archive, paths: Iterable[bytes], found: dict[bytes, Result[Content, Fault]]) -> Iterator[bytes]:
    """Yield the tar of the files that can be read; what they were is put into ``found`` as each is over."""
    directory = os.fsencode(archive.directory)
    for path in paths:
        try:
            with reading(os.path.join(directory, path)) as it:  # noqa: PTH118 - a Path holds no bytes
                yield from _member(path, it)
                found[path] = Success(it.content)
        except OSError as error:
            found[path] = Failure(fault_of(error, os.fsdecode(path)))
    yield bytes(2 * BLOCK)


def _member(path: bytes, it: Reading) -> Iterator[bytes]:
    content = iter(it)
    if it.mode == LINK:
        yield from _headers(path, it.mode, 0, b"".join(content))
        return
    first = next(content, b"")  # what cannot be read at all has no header either
    yield from _headers(path, it.mode, it.size)
    yield first
    yield from content
    yield bytes(-it.size % BLOCK)


def _headers(path: bytes, mode: int, size: int, target: bytes = b"") -> Iterator[bytes]:
    for kind, text in ((LONG_NAME, path), (LONG_LINK, target)):
        if len(text) > _LONGEST_NAME:
            yield _header(b"././@LongLink", b"", kind, 0o644, len(text) + 1)
            yield text + bytes(-len(text) % BLOCK or BLOCK)
    yield _header(path, target, b"2" if target else b"0", _PERMISSIONS[mode], size)


def _header(path: bytes, target: bytes, kind: bytes, mode: int, size: int) -> bytes:
    """Return a header as GNU tar has it: no owner, and no time."""
    number = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11)
    fields = [path[:100].ljust(100, b"\0"), b"%07o\0" % mode, b"%07o\0" % 0, b"%07o\0" % 0, number, b"%011o\0" % 0]
    rest = kind + target[:100].ljust(100, b"\0") + b"ustar  \0" + bytes(BLOCK - 265)
    start = b"".join(fields)
    checksum = sum(start) + sum(rest) + 8 * ord(" ")
    return start + b"%06o\0 " % checksum + rest


def _compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _AS_GZIP)
    for chunk in chunks:
        yield gzip.compress(chunk)
    yield gzip.flush()
