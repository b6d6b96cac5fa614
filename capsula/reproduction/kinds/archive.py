"""Zip archives and what else is one (npz, xlsx, docx, ...): compared member by member, whenever it was packed."""

import re
from functools import partial
from typing import BinaryIO, TypeAlias
from zipfile import ZipFile, ZipInfo

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reading.zips import BROKEN, opened
from capsula.reproduction.comparison import Comparison, or_different, unjudged
from capsula.reproduction.pair import TOO_MUCH, Pair, Terms, both
from capsula.reproduction.parts import Parts, compared_parts

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
    return opened(file).alt(lambda fault: TOO_MUCH if fault.kind == TOO_MUCH.kind else fault)


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
    except BROKEN:
        return Failure(Fault("malformed", "cannot be unpacked"))
    return Success(_DATE.sub(rb"<\1></", content) if info.filename in _PROPERTIES else content)
