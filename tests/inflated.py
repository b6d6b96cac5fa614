"""All that a folder holds, whatever it is compressed in."""

import zlib
from collections.abc import Iterator
from pathlib import Path


def inflated(folder: Path) -> bytes:
    """Return all that is below a folder, and what is compressed in it as it was before."""
    contents = (file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
    return b"\0".join(part for content in contents for part in _streams(content))


def _streams(data: bytes) -> Iterator[bytes]:
    yield data
    starts = (b"\x1f\x8b", b"x\x01", b"x\x9c")
    for place in range(len(data)):
        if data.startswith(starts, place):
            inflater = zlib.decompressobj(47)
            try:
                yield inflater.decompress(data[place:])
            except zlib.error:
                continue
