"""Patches, applied in the index of a fresh repository: nothing is written but its objects, and no program is run."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pygit2
from pygit2.enums import ApplyLocation, DiffFlag

from capsula.core.tree import Missed, path_flaw
from capsula.reading.pack import MalformedError, leaves

LARGEST = 1 << 30
"""Bytes of a patch."""

_BEGINNINGS = re.compile(rb"(?m)^(?=diff --git )")
_OUTCOME = re.compile(rb"(?m)^index [0-9a-f]+\.\.([0-9a-f]{4,40})\b")


class Piece(NamedTuple):
    """What a patch says of one file."""

    path: bytes
    outcome: str
    """The beginning of the id that git gave the content, all zeros for none; empty where only the mode changed."""
    has_content: bool
    """Whether it says more of a binary file than that it differs."""
    diff: pygit2.Diff

    @property
    def missed(self) -> Missed:
        """The file that is listed only."""
        return Missed(self.path.decode("utf-8", "surrogateescape"), "its change is binary, and was not recorded")


def read(file: Path) -> bytes:
    """Return a patch whole: version 0.0.21 left out the end of its last line."""
    if not os.path.isfile(file) or os.path.islink(file):  # opening a named pipe would wait
        raise MalformedError(f"the patch {file.name} is not there")
    if file.stat().st_size > LARGEST:  # to read so many bytes at most would make room for them all
        raise MalformedError(f"the patch {file.name} is too large")
    text = file.read_bytes()
    return text if not text or text.endswith(b"\n") else text + b"\n"


def pieces(patch: bytes) -> Iterator[Piece]:
    """Yield what a patch says of each file.

    Raises:
        MalformedError: it is no patch, or leads to what is not to be written.
    """
    for text in filter(None, _BEGINNINGS.split(patch)):
        try:
            diff = pygit2.Diff.parse_diff(text)
        except (pygit2.GitError, KeyError) as error:
            raise MalformedError(f"a patch cannot be read: {error}") from error
        for delta in diff.deltas:
            flaw = path_flaw(delta.new_file.raw_path.decode("utf-8", "surrogateescape"))
            if flaw or delta.new_file.raw_path != delta.old_file.raw_path:
                raise MalformedError(f"a path of a patch {flaw or 'is another one than before'}")
            outcome = _OUTCOME.search(text)
            yield Piece(
                delta.new_file.raw_path,
                outcome[1].decode() if outcome else "",
                not delta.flags & DiffFlag.BINARY or b"\nGIT binary patch\n" in text,
                diff,
            )


def patched(repository: pygit2.Repository, tree: bytes, patches: Iterable[bytes]) -> tuple[bytes, tuple[Missed, ...]]:
    """Return the tree that patches make of one, and the files that they do not tell enough of.

    Raises:
        MalformedError: a patch is none, leads to what is not to be written, or does not make what it says it does.
    """
    index = repository.index
    index.read_tree(pygit2.Oid(tree))
    index.write()
    outcomes: dict[bytes, str] = {}
    missed: dict[bytes, Missed] = {}
    for piece in (piece for patch in patches for piece in pieces(patch)):
        if _is_below_a_file(piece.path, index):
            raise MalformedError("a path of a patch leads through a file or a link")
        if not piece.has_content:
            missed[piece.path] = piece.missed
            continue
        try:
            repository.apply(piece.diff, ApplyLocation.INDEX)
            outcomes[piece.path] = piece.outcome
        except pygit2.GitError:
            why = "its change was made to other content than the commit has, which was not recorded"
            missed[piece.path] = Missed(piece.missed.path, why)
    made: bytes = index.write_tree().raw
    ids = {leaf.path: leaf.id.hex() for leaf in leaves(repository, made)}
    for path, outcome in outcomes.items():
        if not ids.get(path, "0" * 40).startswith(outcome):
            raise MalformedError("a patch does not make what it says it does")
    return made, tuple(missed.values())


def _is_below_a_file(path: bytes, index: pygit2.Index) -> bool:
    parts = path.split(b"/")
    return any(b"/".join(parts[:count]) in index for count in range(1, len(parts)))
