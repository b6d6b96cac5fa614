"""Zip archives and what else is one (npz, xlsx, docx, ...): compared member by member, whenever it was packed."""

import re
import struct
from functools import partial
from lzma import LZMAError
from typing import BinaryIO, TypeAlias
from zipfile import BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError  # noqa: N812  # it is a class

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, or_different, unjudged
from capsula.reproduction.pair import TOO_MUCH, Pair, Terms, both, size_of
from capsula.reproduction.parts import Parts, compared_parts

_MOST_DIRECTORY = 16 * 1024 * 1024
"""Bytes of a central directory: that of some hundred thousand members."""
_BROKEN = (
    BadZipFile, ZlibError, LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    IndexError, OverflowError, AttributeError, TypeError,
)  # fmt: skip
"""What ``zipfile`` raises at archives that are encrypted, broken or meant to break it."""
_END = b"PK\5\6"
_WIDE_END = b"PK\6\7"
_PROPERTIES = ("docProps/core.xml", "meta.xml")
_DATE = re.compile(
    rb"<((?:dcterms|dc|meta|cp):(?:created|modified|date|creation-date|lastPrinted|revision))\b[^<>]*>[^<>]{0,80}</"
)

Members: TypeAlias = dict[str, tuple[ZipFile, ZipInfo]]


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two archives compare; the order, times and compression of their members are of no account."""
    archives = both(_opened, pair.recorded, pair.replayed)
    return or_different("zip", archives.bind(lambda it: both(_members, *it)).map(lambda it: _compared(*it, terms)))


def _compared(recorded: Members, replayed: Members, terms: Terms) -> Comparison:
    sizes = (info.file_size for _, info in (*recorded.values(), *replayed.values()))
    if not terms.allowance.spend(sum(sizes)):
        return unjudged("zip", TOO_MUCH.message)
    return compared_parts("zip", _parts(recorded), _parts(replayed), terms)


def _parts(members: Members) -> Parts:
    return {name: partial(_content, *member) for name, member in members.items()}


def _opened(file: BinaryIO) -> Result[ZipFile, Fault]:
    if _directory_size(file) > _MOST_DIRECTORY:
        return Failure(TOO_MUCH)
    try:
        return Success(ZipFile(file))
    except _BROKEN:
        return Failure(Fault("malformed", "is no sound zip archive"))


def _directory_size(file: BinaryIO) -> int:
    """Return the bytes that ``zipfile`` will read as a whole, at most: what the end of the archive tells."""
    size = size_of(file)
    file.seek(max(0, size - 22 - 0xFFFF))
    tail = file.read()
    place = tail.rfind(_END)
    if place >= 20 and tail[place - 20 :].startswith(_WIDE_END):
        return size
    return int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0


def _members(archive: ZipFile) -> Result[Members, Fault]:
    infos = archive.infolist()
    members = {info.filename: (archive, info) for info in infos}
    if len(members) < len(infos):
        return Failure(Fault("ambiguous", "two members of the archive have one name"))
    return Success(members)


def _content(archive: ZipFile, info: ZipInfo) -> Result[bytes, Fault]:
    try:
        with archive.open(info) as member:
            content = member.read(info.file_size + 1)
    except _BROKEN:
        return Failure(Fault("malformed", "cannot be unpacked"))
    return Success(_DATE.sub(rb"<\1></", content) if info.filename in _PROPERTIES else content)
