"""Inputs: files that were declared, as a capsule tells of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from capsula.core.document import Document
from capsula.core.fault import Json
from capsula.core.settings import HashAlgorithm
from capsula.flows.inspect import kept


class Input(NamedTuple):
    """A file that was declared, and so must be what it was."""

    path: str
    """As declared: relative to the root, or absolute."""
    algorithm: HashAlgorithm | None
    digest: str | None
    kept: Path | None
    """Where the capsule holds it."""


def inputs(context: Document, capsule: Path) -> tuple[Input, ...]:
    """Return the inputs of a run; what the capture itself moved away was not there when the command ran."""
    return tuple(_input(path, facts, capsule) for path, facts in declared(context) if facts.get("moved") is not True)


def declared(context: Document) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Yield the declared files: path to facts."""
    files = context.get("files")
    entries = files.items() if isinstance(files, Mapping) else ()
    return ((path, facts) for path, facts in entries if isinstance(facts, Mapping))


def _input(path: str, facts: Mapping[str, Json], capsule: Path) -> Input:
    told, digest = facts.get("hash_algorithm"), facts.get("file_hash")
    algorithm: HashAlgorithm | None = next((it for it in get_args(HashAlgorithm) if it == told), None)
    return Input(path, algorithm, digest if isinstance(digest, str) else None, kept(capsule, facts))
