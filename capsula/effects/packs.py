"""Packs: the commits that capsules hold are read as those of a repository are, aside, and nothing of it is left."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pygit2
from returns.result import Result, safe

from capsula.core.pack import pack_index
from capsula.core.repository import TROUBLE


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
            _lend(Path(beside.path, "objects"), objects)
        yield pygit2.Repository(place)


def _put(pack: Path, folder: Path) -> None:
    content = pack.read_bytes()
    index, checksum = pack_index(content)
    (folder / f"pack-{checksum.hex()}.pack").write_bytes(content)
    (folder / f"pack-{checksum.hex()}.idx").write_bytes(index)


def _lend(lender: Path, objects: Path) -> None:
    line = os.fsencode(lender)
    if lender.is_dir() and b"\n" not in line:
        (objects / "info").mkdir(exist_ok=True)
        (objects / "info" / "alternates").write_bytes(line + b"\n")
