"""Seals: whether a file that is given is the one that was withheld, as the key of its vault tells."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from returns.result import Success

from capsula.core.fault import Json
from capsula.core.fragment import Fragment
from capsula.effects.key import resealed
from capsula.flows.inspect import part
from capsula.reading.digest import file_facts


def is_unsealed(path: str, sha256: str, source: Mapping[str, Json], vault: Path) -> bool | None:
    """Tell whether a file has the content of the withheld one at a path from the root; none if nothing tells."""
    found = next(((name, seal) for place, name, seal in _seals(source) if place == path), None)
    if found is None:
        return None
    name, seal = found
    made = resealed({name: sha256}, vault)
    return made.unwrap()[name] == seal if isinstance(made, Success) else None


def is_same(file: Path, facts: Json, vault: Path | None) -> bool | None:
    """Tell whether a file has the content of the output that was withheld; none if nothing tells."""
    seal = part(facts, "seal", "sha256")
    digest = part(file_facts(file, "sha256").value_or(Fragment()).facts, "file_hash")
    if vault is None or seal is None or not isinstance(digest, str):
        return None
    return resealed({"sha256": digest}, vault).map(lambda made: made["sha256"] == seal).value_or(None)


def _seals(trees: Mapping[str, Json], around: str = ".") -> Iterator[tuple[str, str, str]]:
    """Yield the path from the root, the path in its tree, and the seal, of each withheld file."""
    for tree in trees.values():
        top = f"{around}/{part(tree, 'path')}"
        seals, nested = part(tree, "seals"), part(tree, "nested")
        for path, seal in seals.items() if isinstance(seals, Mapping) else ():
            yield os.path.normpath(f"{top}/{path}"), path, str(seal)
        if isinstance(nested, Mapping):
            yield from _seals(nested, top)
