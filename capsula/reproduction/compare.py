"""Compare what a run wrote with what its replay wrote: equal bytes first, then by the kind that the name tells."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import EINVAL
from importlib import import_module
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import BinaryIO, TypeAlias

from attrs import evolve, frozen
from returns.result import Success, safe

from capsula.core.digest import hasher
from capsula.core.settings import HashAlgorithm
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, unjudged, worst
from capsula.reproduction.foreign import compare as foreign
from capsula.reproduction.pair import Comparator, Pair, Terms, chunks, size_of

_KINDS: Mapping[str, tuple[str, ...]] = {
    "text": (
        ".txt", ".log", ".out", ".err", ".dat", ".md", ".rst", ".tex", ".html", ".htm", ".xml", ".yaml", ".yml",
        ".toml", ".ini", ".cfg", ".jsonl", ".ndjson", ".xyz", ".pdb", ".obj", ".vtk", ".gnu", ".asc", ".prn",
    ),
    "table": (".csv", ".tsv"),
    "values": (".json", ".geojson"),
    "notebook": (".ipynb",),
    "array": (".npy",),
    "archive": (
        ".zip", ".npz", ".xlsx", ".xlsm", ".docx", ".pptx", ".ods", ".odt", ".odp", ".jar", ".whl", ".kmz", ".epub",
    ),
    "compressed": (".gz",),
    "drawing": (".svg",),
    "page": (".pdf", ".eps", ".ps"),
    "picture": (".png",),
}  # fmt: skip
_KIND_OF: Mapping[str, str] = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}


@frozen
class Digest:
    """What is known of a recorded output that was not kept."""

    algorithm: HashAlgorithm
    hexdigest: str
    size: int | None = None
    """In bytes; none where it was not recorded."""


Recorded: TypeAlias = Path | Digest | None

_USUAL = Tolerance()


def compared(recorded: Recorded, replayed: Path | None, name: str, tolerance: Tolerance = _USUAL) -> Comparison:
    """Return how an output compares; ``None`` is one that is not there, and ``name`` tells by its suffix what it is."""
    if recorded is None or replayed is None:
        return _of_absence(was_there=recorded is not None, is_there=replayed is not None)
    if isinstance(recorded, Digest):
        comparison = _recognised(recorded, replayed)
    else:
        comparison = _compared_files(recorded, replayed, name, tolerance)
    return comparison.lash(lambda error: Success(_unreadable(error))).unwrap()


def _of_absence(*, was_there: bool, is_there: bool) -> Comparison:
    if was_there:
        return Comparison(Grade.MISSING, "absence", "the replay did not write it")
    if is_there:
        return Comparison(Grade.EXTRA, "absence", "the recorded run did not write it")
    return Comparison(Grade.IDENTICAL, "absence")


def _unreadable(error: OSError) -> Comparison:
    return unjudged("bytes", f"cannot be read: {error.strerror or error}")


def compared_contents(recorded: bytes, replayed: bytes, name: str, tolerance: Tolerance = _USUAL) -> Comparison:
    """Return how two contents compare that are in memory already."""
    return Terms(tolerance, _compared).part(name, recorded, replayed)


def settled(with_record: Sequence[Comparison], among_replays: Sequence[Comparison]) -> Comparison:
    """Return the comparison of one output of several replays.

    Given are those of the recorded one with each replay, and those of the first replay with each further one. If these
    show it to be anything worse than close, nobody can say what the recorded one should have been like.
    """
    apart = worst(among_replays) if among_replays else None
    if apart and apart.grade > Grade.CLOSE:
        return evolve(
            apart, grade=Grade.NONDETERMINISTIC, reason=f"the replays differ among themselves: {apart.reason}"
        )
    return worst(with_record)


@safe(exceptions=(OSError,))
def _recognised(recorded: Digest, replayed: Path) -> Comparison:
    with _opened(replayed) as file:
        if recorded.size in (None, size_of(file)) and _digest(file, recorded.algorithm) == recorded.hexdigest.lower():
            return Comparison(Grade.IDENTICAL, "hash")
    return unjudged("hash", "its bytes differ, and of the recorded ones only their hash is known")


@safe(exceptions=(OSError,))
def _compared_files(recorded: Path, replayed: Path, name: str, tolerance: Tolerance) -> Comparison:
    with _opened(recorded) as one, _opened(replayed) as other:
        return _compared(Pair(name, one, other), Terms(tolerance, _compared))


def _compared(pair: Pair, terms: Terms) -> Comparison:
    if _are_equal(pair):
        return Comparison(Grade.IDENTICAL, "bytes")
    suffix = PurePosixPath(pair.name).suffix.lower()
    if kind := _KIND_OF.get(suffix):
        comparator: Comparator = import_module(f"capsula.reproduction.kinds.{kind}").compare
        pair.recorded.seek(0)
        pair.replayed.seek(0)
        return comparator(pair, terms)
    return foreign(suffix, pair, terms)


def _are_equal(pair: Pair) -> bool:
    if size_of(pair.recorded) != size_of(pair.replayed):
        return False
    return all(one == other for one, other in zip(chunks(pair.recorded), chunks(pair.replayed), strict=False))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, and wait for no other end of a pipe."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(EINVAL, "it is no regular file")
        yield file


def _digest(file: BinaryIO, algorithm: HashAlgorithm) -> str:
    digest = hasher(algorithm)
    for chunk in chunks(file):
        digest.update(chunk)
    return digest.hexdigest()
