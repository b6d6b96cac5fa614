"""Tar archives of others: their files in turn, from a stream, whatever their headers say.

Not by ``tarfile``: that holds a header in memory however large it says it is.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from capsula.core.fault import Fault

BLOCK = 512
"""Bytes that everything in a tar is a multiple of."""
LONG_NAME, LONG_LINK = b"L", b"K"
"""Kinds of members that hold what is too long for the header of the next one."""

_MOST_HEADER = 1024 * 1024
_MOST_LINES = 1000
"""Lines that are read of an extended header."""
_LONGEST_NUMBER = 20
_STEP = 64 * 1024
_WITHOUT_CONTENT = b"123456"
"""Kinds of members: links, devices, directories and pipes."""
_OWN, _COMMON, _SPARSE = b"x", b"g", b"S"
_MALFORMED = Fault("malformed", "is no sound tar archive")


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    read: Callable[[int], bytes]
    """Reads what is left of its content; of a sparse file what is stored."""


def members(stream: BinaryIO) -> Iterator[Member | Fault | int]:
    """Yield each member, and the bytes of each header without one; a fault, of kind ``malformed``, is the last."""
    long_name: bytes | None = None
    size_told: int | None = None
    while (header := stream.read(BLOCK)) and header != bytes(BLOCK):
        size = _number(header[124:136])
        if size is None or not _is_sound(header):
            yield _MALFORMED
            return
        kind = header[156:157]
        if kind in {LONG_NAME, LONG_LINK, _OWN, _COMMON}:
            content = stream.read(size + -size % BLOCK)[:size] if size <= _MOST_HEADER else b""
            if len(content) < size:
                yield _MALFORMED
                return
            if kind == LONG_NAME:
                long_name = content.rstrip(b"\0")
            elif kind == _OWN:
                told = _told(content)
                long_name = told.get(b"path", long_name)
                size_told = _decimal(told.get(b"size"))
            yield size
            continue
        if kind == _SPARSE and header[482]:
            yield _passed_sparse(stream)
        size = 0 if kind in _WITHOUT_CONTENT else size if size_told is None else size_told
        content_of = _Content(stream, size)
        yield Member((long_name or _name(header)).decode("utf-8", "surrogateescape"), content_of.read)
        if not content_of.is_passed():
            yield _MALFORMED
            return
        long_name = size_told = None


class _Content:
    """What is left of a member in the stream of its archive."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % BLOCK

    def read(self, most: int) -> bytes:
        data = self._stream.read(min(most, self._left))
        self._left -= len(data)
        return data

    def is_passed(self) -> bool:
        """Go to the end of the member; tell whether that is there."""
        while self._left and self.read(_STEP):
            pass
        return not self._left and len(self._stream.read(self._padding)) == self._padding


def _passed_sparse(stream: BinaryIO) -> int:
    """Pass over the headers that tell where the parts of a sparse file are, and return how many bytes they were."""
    most = _MOST_HEADER // BLOCK
    return BLOCK * next((number for number in range(1, most + 1) if not stream.read(BLOCK)[504:505].strip(b"\0")), most)


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    return prefix + b"/" + name if header[257:263] == b"ustar\0" and prefix else name


def _is_sound(header: bytes) -> bool:
    return len(header) == BLOCK and _number(header[148:156]) == sum(header[:148]) + 8 * ord(" ") + sum(header[156:])


def _number(field: bytes) -> int | None:
    """Return a number as a header has it, in octal digits, or, if large, in bytes."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:])
    digits = field.split(b"\0")[0].strip()
    return int(digits or b"0", 8) if not digits.strip(b"01234567") else None


def _told(content: bytes) -> dict[bytes, bytes]:
    """Return what an extended header tells: lines like ``30 path=a/long/name``, each with its length before it."""
    told: dict[bytes, bytes] = {}
    start = 0
    for _ in range(_MOST_LINES):
        digits = content[start : start + _LONGEST_NUMBER].partition(b" ")[0]
        end = start + (_decimal(digits) or 0)
        if end == start:
            break
        key, _, value = content[start + len(digits) + 1 : end].partition(b"=")
        told[key] = value.rstrip(b"\n")
        start = end
    return told


def _decimal(digits: bytes | None) -> int | None:
    return int(digits) if digits and len(digits) <= _LONGEST_NUMBER and not digits.strip(b"0123456789") else None
