"""Content: what a file or link is, as values."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal, NamedTuple, TypeAlias

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
"""The modes that git knows files and links by."""

Kind: TypeAlias = Literal["file", "program", "link"]

KINDS: Mapping[int, Kind] = {FILE: "file", PROGRAM: "program", LINK: "link"}


class Content(NamedTuple):
    """What was read of a file or link."""

    mode: int
    """As git knows it: ``FILE``, ``PROGRAM`` or ``LINK``."""
    size: int
    sha256: str
    id: bytes
    """The id of the blob that git would make of the very bytes."""
    torn: bool = False
    """Whether the file was changed while it was read."""


class Sum(NamedTuple):
    """What a file of a capsule is."""

    size: int
    """In bytes."""
    sha256: str


def summed(text: bytes) -> Sum:
    """Return what a file with this text is."""
    return Sum(len(text), sha256(text).hexdigest())
