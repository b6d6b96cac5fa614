"""Compare what a run wrote with what its replay wrote: equal bytes first, then by the kind that the name tells."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import EINVAL
from importlib import import_module
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import BinaryIO, NamedTuple, TypeAlias

from returns.result import Success

from capsula.core.foreign import safe
from capsula.core.settings import HashAlgorithm
from capsula.reading.digest import hasher
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, unjudged, worst
from capsula.reproduction.foreign import compare as foreign
from capsula.reproduction.pair import MOST_WHOLE, Comparator, Pair, Terms, chunks, pair_of, size_of
from capsula.reproduction.places import NOWHERE, Places

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
    "pickled": (".pickle", ".pkl", ".doctree"),
}  # fmt: skip
_KIND_OF: Mapping[str, str] = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}
_DATABASE = b"SQLite format 3\0"
"""How the content of a database begins, whatever its name is."""
_DATED = frozenset({".html", ".htm", ".xml", ".json"})
"""Kinds in which programs say when they wrote them."""
_PACKED = {"array", "archive", "compressed", "database", "picture", "pickled"}
"""Kinds in which a path of another length would leave nothing where it should be; their parts are looked into."""


class Digest(NamedTuple):
    """What is known of a recorded output that was not kept."""

    algorithm: HashAlgorithm
    hexdigest: str
    size: int | None = None
    """In bytes; none where it was not recorded."""


Recorded: TypeAlias = Path | Digest | None

_USUAL = Tolerance()


def compared(
    recorded: Recorded, replayed: Path | None, name: str, tolerance: Tolerance = _USUAL, places: Places = NOWHERE
) -> Comparison:
    """Return how an output compares; ``None`` is one that is not there, and ``name`` tells by its suffix what it is."""
    if recorded is None or replayed is None:
        return _of_absence(was_there=recorded is not None, is_there=replayed is not None)
    if isinstance(recorded, Digest):
        comparison = _recognised(recorded, replayed, places)
    else:
        comparison = _compared_files(recorded, replayed, name, _terms(tolerance, places))
    return comparison.lash(lambda error: Success(_unreadable(error))).unwrap()


def _of_absence(*, was_there: bool, is_there: bool) -> Comparison:
    if was_there:
        return Comparison(Grade.MISSING, "absence", "the replay did not write it")
    if is_there:
        return Comparison(Grade.EXTRA, "absence", "the recorded run did not write it")
    return Comparison(Grade.IDENTICAL, "absence")


def _unreadable(error: OSError) -> Comparison:
    return unjudged("bytes", f"cannot be read: {error.strerror or error}")


def compared_contents(
    recorded: bytes, replayed: bytes, name: str, tolerance: Tolerance = _USUAL, places: Places = NOWHERE
) -> Comparison:
    """Return how two contents compare that are in memory already."""
    return _terms(tolerance, places).part(name, recorded, replayed)


def settled(with_record: Sequence[Comparison], among_replays: Sequence[Comparison]) -> Comparison:
    """Return the comparison of one output of several replays.

    Given are those of the recorded one with each replay, and those of the first replay with each further one. If these
    show it to be anything worse than close, nobody can say what the recorded one should have been like.
    """
    apart = worst(among_replays) if among_replays else None
    if apart and apart.grade > Grade.CLOSE:
        return apart._replace(
            grade=Grade.NONDETERMINISTIC, reason=f"the replays differ among themselves: {apart.reason}"
        )
    return worst(with_record)


def _terms(tolerance: Tolerance, places: Places) -> Terms:
    return Terms(tolerance, _compared, places)


@safe(exceptions=(OSError,))
def _recognised(recorded: Digest, replayed: Path, places: Places) -> Comparison:
    with _opened(replayed) as file:
        size = size_of(file)
        if recorded.size in (None, size) and _digest(chunks(file), recorded.algorithm) == recorded.hexdigest.lower():
            return Comparison(Grade.IDENTICAL, "hash")
        file.seek(0)
        content = places.as_there(file.read()) if places.pairs and size <= MOST_WHOLE else b""
        if content and _digest((content,), recorded.algorithm) == recorded.hexdigest.lower():
            return Comparison(Grade.EQUIVALENT, "hash", f"the same but for {_CIRCUMSTANCES[0].name}")
    return unjudged("hash", "its bytes differ, and of the recorded ones only their hash is known")


@safe(exceptions=(OSError,))
def _compared_files(recorded: Path, replayed: Path, name: str, terms: Terms) -> Comparison:
    with _opened(recorded) as one, _opened(replayed) as other:
        return _compared(Pair(name, one, other), terms)


def _compared(pair: Pair, terms: Terms) -> Comparison:
    if _are_equal(pair):
        return Comparison(Grade.IDENTICAL, "bytes")
    comparison = _by_kind(pair, terms)
    for circumstance in _CIRCUMSTANCES:
        same = _under_same(circumstance, pair, terms) if comparison.grade > Grade.EQUIVALENT else None
        comparison = min(same, comparison, key=lambda it: it.grade) if same else comparison
    return comparison


def _by_kind(pair: Pair, terms: Terms) -> Comparison:
    if kind := _kind(pair):
        comparator: Comparator = import_module(f"capsula.reproduction.kinds.{kind}").compare
        pair.recorded.seek(0)
        pair.replayed.seek(0)
        return comparator(pair, terms)
    return foreign(_suffix(pair.name), pair, terms)


def _kind(pair: Pair) -> str | None:
    beginnings = {_beginning(file) for file in (pair.recorded, pair.replayed)}
    return "database" if beginnings == {_DATABASE} else _KIND_OF.get(_suffix(pair.name))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _beginning(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(len(_DATABASE))


class _Circumstance(NamedTuple):
    """What may have been another one when the replay was written, and how to write both as if it had not."""

    name: str
    written: Callable[[Places, bytes], bytes]
    suffixes: frozenset[str] | None = None
    """Of the files that it is looked for in; none: of all."""


_CIRCUMSTANCES = (
    _Circumstance("the directory it ran in", Places.as_there),
    _Circumstance("when it ran", lambda places, it: places.at_no_time(places.as_there(it)), _DATED),
)


def _under_same(circumstance: _Circumstance, pair: Pair, terms: Terms) -> Comparison | None:
    """Return how the pair compares as if both had been written alike in this; none if it is not in them."""
    suffixes = circumstance.suffixes
    if terms.places == NOWHERE or _kind(pair) in _PACKED or (suffixes and _suffix(pair.name) not in suffixes):
        return None
    whole = pair.whole.value_or((b"", b""))
    recorded, replayed = (circumstance.written(terms.places, content) for content in whole)
    if (recorded, replayed) == whole:
        return None
    if recorded == replayed:
        return Comparison(Grade.EQUIVALENT, "bytes", f"the same but for {circumstance.name}")
    comparison = _by_kind(pair_of(pair.name, recorded, replayed), terms)
    if comparison.grade > Grade.CLOSE:
        return comparison
    return comparison._replace(reason=f"{comparison.reason}, and {circumstance.name} is another one")


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


def _digest(content: Iterable[bytes], algorithm: HashAlgorithm) -> str:
    digest = hasher(algorithm)
    for chunk in content:
        digest.update(chunk)
    return digest.hexdigest()
