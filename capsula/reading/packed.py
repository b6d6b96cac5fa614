"""Packed files: what archives and compressed files hold, as streams, within bounds, and never on disk."""

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from gzip import GzipFile
from importlib import import_module
from typing import BinaryIO, NamedTuple, Protocol, TypeAlias
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reading.tars import Member, members
from capsula.reading.zips import BROKEN, opened

MIB = 1024 * 1024
MOST_BYTES = 256 * MIB
"""Bytes that are read of a file, or of all that is packed in it."""
MOST_MEMBERS = 100_000
"""Members of all archives in a file."""
MOST_NESTED = 64 * MIB
"""Bytes of a zip archive in another archive: it is held in memory."""

_MOST_MEMORY = 128 * MIB
"""Bytes that decompressing may take: more than the highest level of xz asks for."""
_HEAD = 512
_STEP = 64 * 1024
_DEEPEST = 2
"""Archives in one another."""
_ENCRYPTED = 1
"""Flag of a member of a zip archive."""
_METHODS = frozenset({ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2})
"""Of compression in a zip archive, whose memory is bounded."""

_MAGIC: Mapping[bytes, str] = {
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"\x1f\x8b\x08": "gzip",
    **{b"BZh%d1AY&SY" % level: "bz2" for level in range(1, 10)},
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"LZIP\1": "lzip",
    b"\x1f\x9d": "compress",
}
_TAR_MAGIC = slice(257, 262)
_SUFFIXES: Mapping[str, str] = {".tar": "tar", ".zip": "zip", ".npz": "zip"}
_ARCHIVES = frozenset({"tar", "zip"})
_COMPRESSED = frozenset({"gzip", "bz2", "xz"})


class Part(NamedTuple):
    """A file in a packed one, and its content, to be read before the next one is asked for."""

    name: str
    """That of the archive, and, behind ``!``, the path in it."""
    content: BinaryIO


Unpacked: TypeAlias = Iterator[Part | Fault]


def packing(head: bytes, name: str) -> str | None:
    """Return what a file is packed by, as its first 512 bytes tell, or where they do not, its name.

    >>> packing(b"PK" + bytes((3, 4)), "model.bin"), packing(b"text", "notes.txt"), packing(b"", "empty.tar")
    ('zip', None, 'tar')
    """
    told = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if told is None and head[_TAR_MAGIC] == b"ustar":
        return "tar"
    return told or next((kind for suffix, kind in _SUFFIXES.items() if name.lower().endswith(suffix)), None)


def unpacked(stream: io.BufferedReader, name: str, most: int = MOST_BYTES) -> Unpacked:
    """Yield what a file holds, also in an archive in it, and what of that cannot be had, of kind ``unsearched``.

    A file that is not packed, or not as it seems, is yielded as it is. ``most`` is the bytes of all content.
    """
    bounds = _Bounds(most)
    is_without_parts = True
    for it in _unpacked(_Packed(stream, name, name, (), bounds)):
        is_without_parts = is_without_parts and isinstance(it, Fault)
        yield it
    if is_without_parts:
        stream.seek(0)
        yield Part(name, _reader(stream.read, bounds))
    if bounds.is_spent:
        yield _unsearched(name, f"holds more than {most} bytes or {MOST_MEMBERS} files: the rest was not searched")


class _Bounds:
    """What may still be unpacked of a file."""

    def __init__(self, most: int) -> None:
        self.bytes = most
        self.members = MOST_MEMBERS

    @property
    def is_spent(self) -> bool:
        return self.bytes < 0 or self.members < 0


class _Packed(NamedTuple):
    """What is about to be unpacked."""

    stream: io.BufferedReader
    name: str
    """That it is told by."""
    inner: str
    """That its suffix belongs to."""
    around: tuple[str, ...]
    """What it is in: kinds of packing, the outermost first."""
    bounds: _Bounds


class _Source(io.RawIOBase):
    """A stream that ends where it cannot be read on; what is read of it counts, if there are bounds."""

    def __init__(self, read: Callable[[int], bytes], bounds: _Bounds | None = None) -> None:
        self._read_on = read
        self._bounds = bounds
        self.is_broken = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a reader with a buffer gives just that
        if self.is_broken or (self._bounds and self._bounds.is_spent):
            return 0
        try:
            data = self._read_on(len(buffer))
        except (*BROKEN, MemoryError):
            self.is_broken = True
            return 0
        if self._bounds:
            self._bounds.bytes -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _unpacked(it: _Packed) -> Unpacked:
    kind = packing(it.stream.peek(_HEAD)[:_HEAD], it.inner)
    if kind in _ARCHIVES and sum(around in _ARCHIVES for around in it.around) < _DEEPEST:
        yield from _members(it, kind)
    elif kind in _COMPRESSED and _COMPRESSED.isdisjoint(it.around[-1:]):
        yield from _decompressed(it, kind)
    else:
        content = _Source(it.stream.read, it.bounds)
        yield Part(it.name, io.BufferedReader(content, _STEP))
        if content.is_broken:
            yield _unsearched(it.name, "cannot be read to its end")
        if kind:
            is_known = kind in _ARCHIVES | _COMPRESSED
            yield _unsearched(it.name, "is packed too often" if is_known else f"is packed by {kind}, which is unknown")


def _decompressed(it: _Packed, kind: str) -> Unpacked:
    opening = _decompressor(it.stream, kind)
    if isinstance(opening, Failure):
        yield opening.failure().under(it.name)
        return
    source = _Source(opening.unwrap())
    stem, dot, suffix = it.inner.rpartition(".")
    inner = stem if dot and not suffix.lower().startswith("t") else f"{stem}.tar"
    yield from _unpacked(it._replace(stream=io.BufferedReader(source), inner=inner, around=(*it.around, kind)))
    if source.is_broken:
        yield _unsearched(it.name, "cannot be unpacked")


def _decompressor(stream: io.BufferedReader, kind: str) -> Result[Callable[[int], bytes], Fault]:
    if kind == "gzip":
        return Success(GzipFile(fileobj=stream).read)
    try:
        module = import_module({"xz": "lzma"}.get(kind, kind))
    except ImportError:
        return Failure(Fault("unsearched", f"this Python cannot read {kind}"))
    new = partial(module.LZMADecompressor, memlimit=_MOST_MEMORY) if kind == "xz" else module.BZ2Decompressor
    return Success(_Decompressed(stream, new).read)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Decompressed:
    """The content of a compressed stream, or of several, one behind the other."""

    def __init__(self, stream: io.BufferedReader, new: Callable[[], _Decompressor]) -> None:
        self._stream = stream
        self._new = new
        self._decompressor = new()
        self._rest = b""

    def read(self, most: int) -> bytes:
        """Return some bytes, none at the end; raise ``EOFError`` where that is missing."""
        while True:
            if self._decompressor.eof:
                self._rest = self._decompressor.unused_data.lstrip(b"\0") or self._stream.read(_STEP).lstrip(b"\0")
                if not self._rest:
                    return b""
                self._decompressor = self._new()
            if self._decompressor.needs_input and not self._rest:
                self._rest = self._stream.read(_STEP)
                if not self._rest:
                    raise EOFError
            data, self._rest = self._decompressor.decompress(self._rest, most), b""
            if data:
                return data


def _members(it: _Packed, kind: str) -> Unpacked:
    """Unpack what the members of an archive hold."""
    within = it._replace(around=(*it.around, kind))
    for member in members(it.stream) if kind == "tar" else _in_zip(it):
        it.bounds.members -= 1
        if isinstance(member, Fault):
            yield _unsearched(it.name, member.message)
        elif isinstance(member, int):
            it.bounds.bytes -= member
        else:
            source = _Source(member.read)
            name = f"{it.name}!{member.name}"
            yield from _unpacked(within._replace(stream=io.BufferedReader(source), name=name, inner=member.name))
            if source.is_broken:
                yield _unsearched(name, "cannot be unpacked")
        if it.bounds.is_spent:  # what is left of the member is not even passed over
            return


def _in_zip(it: _Packed) -> Iterator[Member | Fault]:
    opening = _seekable(it).bind(opened)
    if isinstance(opening, Failure):
        yield opening.failure()
        return
    closed: dict[str, list[str]] = {}
    for info in opening.unwrap().infolist():
        why = _reason(info)
        if why:
            closed.setdefault(why, []).append(info.filename)
        elif not info.is_dir():
            yield _member(opening.unwrap(), info)
    for why, (first, *more) in closed.items():
        yield Fault("closed", f"{why}: {first}" + (f" and {len(more)} more" if more else ""))


def _seekable(it: _Packed) -> Result[BinaryIO, Fault]:
    if not it.around:
        return Success(it.stream)
    content = _reader(it.stream.read, it.bounds).read(MOST_NESTED + 1)
    if len(content) > MOST_NESTED:
        return Failure(Fault("large", "is too large for an archive in another"))
    return Success(io.BytesIO(content))


def _reason(info: ZipInfo) -> str | None:
    """Return why a member cannot be looked into."""
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return None if info.compress_type in _METHODS else "is compressed in a way that is not looked into"


def _member(archive: ZipFile, info: ZipInfo) -> Member | Fault:
    try:
        return Member(info.filename, archive.open(info).read)
    except BROKEN:
        return Fault("malformed", f"cannot be unpacked: {info.filename}")


def _reader(read: Callable[[int], bytes], bounds: _Bounds) -> io.BufferedReader:
    return io.BufferedReader(_Source(read, bounds), _STEP)


def _unsearched(name: str, message: str) -> Fault:
    return Fault("unsearched", message, path=(name,))
