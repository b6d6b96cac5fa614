"""Arrays of numpy, read without it: numbers may be close, all else must be equal; what is pickled is never loaded."""

import re
import struct
from ast import literal_eval
from math import prod
from sys import maxsize
from typing import BinaryIO, NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, different, or_different
from capsula.reproduction.pair import Pair, Terms, both, chunks, size_of
from capsula.reproduction.tally import Tally

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_MOST_DIMENSIONS = 64
"""As many as numpy has."""
_CODES = {
    "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "c8": "f", "c16": "d",
}  # fmt: skip
_DTYPE = re.compile(r"([<>|=])(\w+)", re.ASCII)


class _Head(NamedTuple):
    dtype: str
    fortran_order: bool
    shape: tuple[int, ...]


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two arrays compare; they must agree in dtype, shape and order, to be compared number by number."""
    heads = both(_head, pair.recorded, pair.replayed)
    return or_different("npy", heads.map(lambda it: _compared(*it, pair, terms)))


def _compared(one: _Head, other: _Head, pair: Pair, terms: Terms) -> Comparison:
    if one.dtype != other.dtype:
        return different("npy", f"dtype {other.dtype} instead of {one.dtype}")
    if one.shape != other.shape:
        return different("npy", f"shape {other.shape} instead of {one.shape}")
    if one.fortran_order != other.fortran_order:
        return different("npy", "its memory order changed")
    layout = _layout(one.dtype)
    if not layout:
        return different("npy", f"values of dtype {one.dtype} differ, and are compared by their bytes")
    tally = Tally(terms.tolerance)
    for here, there in zip(chunks(pair.recorded), chunks(pair.replayed), strict=True):
        if here != there:
            tally.add(zip(_numbers(layout, here), _numbers(layout, there), strict=True))
    return tally.comparison("npy")


def _head(file: BinaryIO) -> Result[_Head, Fault]:
    """Read the head of an array, up to the numbers, of which there must be as many as it tells."""
    size = size_of(file)
    start = file.read(12)
    if start[:6] != _MAGIC or len(start) < 12 or start[6] not in (1, 2, 3):
        return Failure(Fault("malformed", "is no array of numpy"))
    offset = 10 if start[6] == 1 else 12
    length = int.from_bytes(start[8:offset], "little")
    file.seek(offset)
    return _parsed(file.read(min(length, _LONGEST_HEADER))).bind(lambda head: _checked(head, size - offset - length))


def _parsed(header: bytes) -> Result[_Head, Fault]:
    try:
        told: object = literal_eval(header.decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return Failure(Fault("malformed", "the head of the array is malformed"))
    match told:
        case {"descr": descr, "fortran_order": bool() as order, "shape": tuple() as shape}:
            if len(shape) <= _MOST_DIMENSIONS and all(type(it) is int and 0 <= it <= maxsize for it in shape):
                return Success(_Head(descr if isinstance(descr, str) else repr(descr), order, shape))
    return Failure(Fault("malformed", "the head of the array is malformed"))


def _checked(head: _Head, size: int) -> Result[_Head, Fault]:
    width = _width(head.dtype)
    if width and prod(head.shape) * width != size:
        return Failure(Fault("malformed", f"the array holds {size} bytes instead of {prod(head.shape) * width}"))
    return Success(head)


def _layout(dtype: str) -> str | None:
    """Return byte order and code of the numbers, as ``struct`` has them; a complex number is two."""
    match = _DTYPE.fullmatch(dtype)
    if not match or match[2] not in _CODES:
        return None
    return ("<" if match[1] == "|" else match[1]) + _CODES[match[2]]


def _width(dtype: str) -> int:
    """Return the bytes of an element, zero if that is not known."""
    return int(dtype[2:]) if _layout(dtype) else 0


def _numbers(layout: str, chunk: bytes) -> tuple[float, ...]:
    return struct.unpack(f"{layout[0]}{len(chunk) // struct.calcsize(layout)}{layout[1]}", chunk)
