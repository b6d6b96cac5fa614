"""A pair of files to compare, and the terms on which it is done."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import BinaryIO, NamedTuple, Protocol, TypeVar

from attrs import evolve, field, frozen
from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, unjudged
from capsula.reproduction.places import NOWHERE, Places

Part = TypeVar("Part")
Value = TypeVar("Value")

MIB = 1024 * 1024
CHUNK = MIB
MOST_WHOLE = 128 * MIB
"""Bytes of a file that is read as a whole."""
DEEPEST = 4
"""Files inside of one another that are looked into."""
MOST_UNPACKED = 512 * MIB
"""Bytes that are unpacked, of both files of one comparison and of all that is packed in them."""
TOO_MUCH = Fault("large", "its bytes differ, and it holds too much to look into")


class Pair(NamedTuple):
    """Two files, open and seekable, that are known to differ; ``name`` tells what they are."""

    name: str
    recorded: BinaryIO
    replayed: BinaryIO

    @property
    def whole(self) -> Result[tuple[bytes, bytes], Fault]:
        """The bytes of both, unless there are too many."""
        return both(_whole, self.recorded, self.replayed)


def pair_of(name: str, recorded: bytes, replayed: bytes) -> Pair:
    """Return the pair of two contents."""
    return Pair(name, BytesIO(recorded), BytesIO(replayed))


class Allowance:
    """What is left of the bytes that may be unpacked."""

    def __init__(self, left: int = MOST_UNPACKED) -> None:
        self.left = left

    def spend(self, size: int) -> bool:
        """Take so many bytes off, if they are still there."""
        self.left -= size
        return self.left >= 0


@frozen
class Terms:
    """On what terms numbers, paths and packed files compare, and how a part of a file does: as a file."""

    tolerance: Tolerance
    compare: Callable[[Pair, "Terms"], Comparison]
    places: Places = NOWHERE
    """What the directories of the replay were called in the recorded run."""
    allowance: Allowance = field(factory=Allowance)
    depth: int = 0
    """Files around this one."""

    def part(self, name: str, recorded: bytes, replayed: bytes) -> Comparison:
        """Return how two contents compare that stand in the files under this name."""
        if recorded == replayed:
            return Comparison(Grade.IDENTICAL, "bytes")
        if self.depth >= DEEPEST:
            return unjudged("bytes", "its bytes differ, too deep in other files to look into")
        return self.compare(pair_of(name, recorded, replayed), evolve(self, depth=self.depth + 1))


class Comparator(Protocol):
    """A kind of file, as a function; files that are not what they should be are ``different``, and no exception."""

    def __call__(self, pair: Pair, terms: Terms) -> Comparison:
        """Return how the pair compares."""
        ...


def both(read: Callable[[Part], Result[Value, Fault]], one: Part, other: Part) -> Result[tuple[Value, Value], Fault]:
    """Return what is read of the one and of the other, or the first fault."""
    return read(one).bind(lambda here: read(other).map(lambda there: (here, there)))


def size_of(file: BinaryIO) -> int:
    """Return the bytes of a file, which is at its beginning then."""
    size = file.seek(0, 2)
    file.seek(0)
    return size


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Return what is left of a file, bounded pieces at a time."""
    return iter(partial(file.read, CHUNK), b"")


def _whole(file: BinaryIO) -> Result[bytes, Fault]:
    if size_of(file) > MOST_WHOLE:
        return Failure(Fault("large", f"its bytes differ, more than {MOST_WHOLE // MIB} MiB are not looked into"))
    return Success(file.read(MOST_WHOLE))
