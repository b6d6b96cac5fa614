"""Zip archives of others: opened within bounds, whatever they say of themselves."""

import struct
import zlib
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault

try:
    from lzma import LZMAError
except ImportError:  # some builds of Python have none
    LZMAError = zlib.error  # type: ignore[misc,assignment]  # nothing else is raised then

BROKEN = (
    BadZipFile, zlib.error, LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    IndexError, OverflowError, AttributeError, TypeError,
)  # fmt: skip
"""What ``zipfile`` raises at archives that are encrypted, broken or meant to break it."""

_MOST_DIRECTORY = 16 * 1024 * 1024
"""Bytes of a central directory: that of some hundred thousand members."""
_END = b"PK\5\6"
_WIDE_END = b"PK\6\7"


def opened(file: BinaryIO) -> Result[ZipFile, Fault]:
    """Return a zip archive; the fault is of kind ``large`` or ``malformed``."""
    try:
        if _directory_size(file) > _MOST_DIRECTORY:
            return Failure(Fault("large", "has a directory that is too large to look into"))
        return Success(ZipFile(file))
    except BROKEN:
        return Failure(Fault("malformed", "is no sound zip archive"))


def _directory_size(file: BinaryIO) -> int:
    """Return the bytes that ``zipfile`` will read as a whole, at most: what the end of the archive tells."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 22 - 0xFFFF))
    tail = file.read()
    place = tail.rfind(_END)
    if place >= 20 and tail[place - 20 :].startswith(_WIDE_END):
        return size
    return int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0
