"""Gzip files: compared by what is packed in them, whenever that was."""

import zlib
from functools import partial
from gzip import GzipFile
from pathlib import PurePosixPath
from typing import BinaryIO

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, Grade, or_different
from capsula.reproduction.pair import CHUNK, TOO_MUCH, Pair, Terms, both


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how the contents of two gzip files compare, by the name without its suffix."""
    contents = both(partial(_unpacked, terms), pair.recorded, pair.replayed)
    return or_different("gzip", contents.map(lambda it: _compared(pair.name, *it, terms)))


def _compared(name: str, recorded: bytes, replayed: bytes, terms: Terms) -> Comparison:
    inner = terms.part(str(PurePosixPath(name).with_suffix("")), recorded, replayed)
    if inner.grade is Grade.IDENTICAL:
        return Comparison(Grade.EQUIVALENT, "gzip", "the same content, packed otherwise")
    return inner._replace(kind=f"gzip, {inner.kind}")


def _unpacked(terms: Terms, file: BinaryIO) -> Result[bytes, Fault]:
    chunks: list[bytes] = []
    file.seek(0)
    try:
        with GzipFile(fileobj=file) as packed:
            while chunk := packed.read(CHUNK):
                if not terms.allowance.spend(len(chunk)):
                    return Failure(TOO_MUCH)
                chunks.append(chunk)
    except (OSError, EOFError, zlib.error):
        return Failure(Fault("malformed", "is no sound gzip file"))
    return Success(b"".join(chunks))
