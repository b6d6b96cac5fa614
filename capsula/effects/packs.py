"""Packs: the commits that capsules hold are read as those of a repository are, aside, and nothing of it is left."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pygit2
from returns.result import Result

from capsula.core.foreign import safe
from capsula.reading.objects import common_directory
from capsula.reading.pack import LARGEST_PACK, MalformedError, pack_index
from capsula.reading.repository import TROUBLE

_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def unpacked(packs: Iterable[Path], beside: pygit2.Repository | None) -> Iterator[pygit2.Repository | None]:
    """Have a repository with the objects of packs, and of the one beside them; that one itself if there is no pack.

    A pack that is damaged or not there is left out.
    """
    packs = tuple(packs)
    if not packs:
        yield beside
        return
    with TemporaryDirectory(prefix="capsula-") as place:
        pygit2.init_repository(place, bare=True)
        objects = Path(place, "objects")
        (objects / "pack").mkdir(parents=True, exist_ok=True)
        for pack in packs:
            _: Result[None, Exception] = safe(exceptions=TROUBLE)(_put)(pack, objects / "pack")
        if beside is not None:
            (objects / "info").mkdir(exist_ok=True)
            (objects / "info" / "alternates").write_bytes(os.fsencode(f"{common_directory(beside)}/objects\n"))
        yield pygit2.Repository(place)


def _put(pack: Path, folder: Path) -> None:
    with open(os.open(pack, _READING), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_PACK:
            raise MalformedError("it is no pack of ours")
        content = stream.read()  # a bound would have Python make room for all of it
    index, checksum = pack_index(content)
    (folder / f"pack-{checksum.hex()}.pack").write_bytes(content)
    (folder / f"pack-{checksum.hex()}.idx").write_bytes(index)
