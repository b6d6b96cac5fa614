"""Effects: what a collector wants done, as plain values. Only ``capsula.effects`` performs them.

An effect is a recipe, never a large payload: big content is a path, or a named source of bytes that is read when the
effect is performed. Performing an effect answers with a fragment, which is gathered in at ``at``, the place in the
document that waits for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from returns.result import Result

from capsula.core.fault import Fault, Json, KeyPath
from capsula.core.settings import HashAlgorithm

if TYPE_CHECKING:
    from capsula.core.content import Content
    from capsula.core.fragment import Fragment


class Source:
    """Bytes that are read when they are needed; two sources of one name are the same.

    ``withheld`` tells, once all were read, what is not among them because it holds a secret.
    """

    def __init__(
        self, name: str, chunks: Callable[[], Iterator[bytes]], withheld: Callable[[], Sequence[Json]] = list
    ) -> None:
        self.name = name
        self.chunks = chunks
        self.withheld = withheld

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Source({self.name!r})"


class Shell(NamedTuple):
    """Run a command line by the shell in ``directory``, standard input closed, for at most ``time_limit`` seconds."""

    command_line: str
    directory: Path
    time_limit: float
    at: KeyPath = ()


class Write(NamedTuple):
    """Write the bytes of each source to its target, a path relative to the capsule, and list what was written."""

    contents: tuple[tuple[str, Source], ...]
    at: KeyPath = ()


class Archive(NamedTuple):
    """Write files and links below a directory to a compressed tar, and tell what they were then.

    One that is no longer as it was when it was looked at is judged again: ``why`` tells of its bytes why it must not be
    in the tar. ``told`` makes the facts of that, and of the size of the tar in bytes; a file that could not be read, or
    must not be kept, is a fault.
    """

    target: str
    directory: Path
    contents: "Mapping[bytes, Content]"
    """What was found at each path; they are written in this order."""
    why: Callable[[bytes, Iterable[bytes]], str | None]
    told: "Callable[[int, Mapping[bytes, Result[Content, Fault]]], Fragment]"
    store: Path | None = None
    """A directory in which capsules with the same archive share it."""
    at: KeyPath = ()


class Share(NamedTuple):
    """Write the bytes of a source to a target; capsules whose sources have one name share one file in the store."""

    target: str
    source: Source
    store: Path
    at: KeyPath = ()


class Keep(NamedTuple):
    """Copy or move a file into the capsule; the hash is taken of the bytes that are kept.

    ``target`` is relative to the capsule. With ``move`` the origin is removed once the capsule is in its place, and
    never before.
    """

    origin: Path
    target: str
    algorithm: HashAlgorithm | None = None
    move: bool = False
    plain: bool = False
    """Whether the origin was no link when it was looked at: one that has taken its place is not followed."""
    at: KeyPath = ()


class Remove(NamedTuple):
    """Remove the origin of a moved file, if it is still the file that was kept (device, inode, size, mtime in ns)."""

    origin: Path
    identity: tuple[int, int, int, int]
    at: KeyPath = ()


class Remember(NamedTuple):
    """Put what was costly to learn into the user's cache; where that cannot be, the next time costs as much.

    No place in the document waits for it.
    """

    file: Path
    content: bytes

    @property
    def at(self) -> KeyPath:
        """The top, wherever it is seen from."""
        return ()


class Seal(NamedTuple):
    """Tell values from one another without telling them: name to a digest that takes the key of ``vault``."""

    vault: Path
    values: Mapping[str, str]
    at: KeyPath = ()

    def __repr__(self) -> str:
        return f"Seal({sorted(self.values)})"  # never the values


Effect: TypeAlias = Shell | Write | Archive | Share | Keep | Remove | Remember | Seal


def under(effect: Effect, *keys: str) -> Effect:
    """Return the same effect, its place seen from ``keys`` further up."""
    return effect if isinstance(effect, Remember) else effect._replace(at=keys + effect.at)
