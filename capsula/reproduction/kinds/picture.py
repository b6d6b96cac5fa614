"""PNG pictures: pixels and what colours them must be equal, texts and times may differ."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, Grade, different, or_different
from capsula.reproduction.pair import MIB, TOO_MUCH, Pair, Terms, both

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ASIDES = {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"IDAT", b"IEND"}
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type to samples of a pixel."""
_LAST_FILTER = 4
_MOST_UNFILTERED = 16 * MIB
"""Bytes of pixels that are decoded if the rows are encoded otherwise; some seconds."""


class _Picture(NamedTuple):
    header: bytes
    chunks: tuple[tuple[bytes, bytes], ...]
    rows: bytes
    """As they are encoded: each begins with the number of its filter."""
    stride: int
    """Bytes of a row with its filter; zero if the rows are interlaced."""
    step: int
    """Bytes of a pixel, at least one."""


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two pictures compare."""
    pictures = pair.whole.bind(lambda contents: both(partial(_read, terms), *contents))
    return or_different("png", pictures.map(lambda it: _compared(*it)))


def _compared(one: _Picture, other: _Picture) -> Comparison:
    if one.header != other.header:
        return different("png", f"{_described(other.header)} instead of {_described(one.header)}")
    if one.chunks != other.chunks:
        return different("png", "its palette, colours or resolution changed")
    if one.rows == other.rows or _are_same_pixels(one, other):
        return Comparison(Grade.EQUIVALENT, "png", "the same pixels")
    return different("png", "its pixels differ")


def _are_same_pixels(one: _Picture, other: _Picture) -> bool:
    if not one.stride or len(one.rows) > _MOST_UNFILTERED:
        return False
    if max(one.rows[:: one.stride] + other.rows[:: other.stride], default=0) > _LAST_FILTER:
        return False
    return all(here == there for here, there in zip(_decoded(one), _decoded(other), strict=True))


def _described(header: bytes) -> str:
    width, height, depth, colours = struct.unpack(">IIBB", header[:10])
    return f"{width} x {height} pixels of {_SAMPLES[colours]} samples of {depth} bits"


def _read(terms: Terms, content: bytes) -> Result[_Picture, Fault]:
    chunks = _chunks(content)
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13 or chunks[-1][0] != b"IEND":
        return Failure(_MALFORMED)
    header = chunks[0][1]
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colours not in _SAMPLES or depth not in (1, 2, 4, 8, 16):
        return Failure(_MALFORMED)
    bits = _SAMPLES[colours] * depth
    stride = 1 + (width * bits + 7) // 8
    most = (stride + 7) * (height + 7) * 2 if interlaced else stride * height  # passes of interlacing fill up bytes
    if not terms.allowance.spend(most):
        return Failure(TOO_MUCH)
    packed = b"".join(data for kind, data in chunks if kind == b"IDAT")
    return _inflated(packed, most).bind(
        lambda rows: (
            Success(
                _Picture(
                    header,
                    tuple(chunk for chunk in chunks[1:] if chunk[0] not in _ASIDES),
                    rows,
                    0 if interlaced else stride,
                    max(1, bits // 8),
                )
            )
            if interlaced or len(rows) == most
            else Failure(_MALFORMED)
        )
    )


_MALFORMED = Fault("malformed", "is no sound PNG")


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and data of all chunks, none if one of them is broken."""
    chunks: list[tuple[bytes, bytes]] = []
    place = len(_SIGNATURE) if content.startswith(_SIGNATURE) else len(content)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        check = content[place + 8 + length : place + 12 + length]
        if check != zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big"):
            return []
        chunks.append((kind, data))
        place += 12 + length
    return chunks if place == len(content) else []


def _inflated(packed: bytes, most: int) -> Result[bytes, Fault]:
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(packed, most + 1)
    except zlib.error:
        return Failure(_MALFORMED)
    return Success(rows) if unpacker.eof and len(rows) <= most else Failure(_MALFORMED)


def _decoded(picture: _Picture) -> Iterator[bytes]:
    """Yield the rows of pixels, without the filters that make them easier to pack."""
    above = bytes(picture.stride - 1)
    for start in range(0, len(picture.rows), picture.stride):
        row = bytearray(picture.rows[start + 1 : start + picture.stride])
        _unfilter(picture.rows[start], row, above, picture.step)
        above = bytes(row)
        yield above


def _unfilter(kind: int, row: bytearray, above: bytes, step: int) -> None:
    match kind:
        case 1:
            for i in range(step, len(row)):
                row[i] = (row[i] + row[i - step]) & 255
        case 2:
            row[:] = bytes((here + over) & 255 for here, over in zip(row, above, strict=True))
        case 3:
            for i, over in enumerate(above):
                row[i] = (row[i] + ((row[i - step] if i >= step else 0) + over) // 2) & 255
        case 4:
            for i, over in enumerate(above):
                left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
                row[i] = (row[i] + _nearest(left, over, corner)) & 255


def _nearest(left: int, over: int, corner: int) -> int:
    """Return the one of three neighbours that is nearest to their plane, as Paeth has it."""
    to_left, to_over, to_corner = abs(over - corner), abs(left - corner), abs(left + over - 2 * corner)
    if to_left <= to_over and to_left <= to_corner:
        return left
    return over if to_over <= to_corner else corner
