"""What a run has made: an output that is still as the run left it is no drift of the context that the run began in."""

import os
from collections.abc import Collection, Iterator, Mapping

from capsula.core.fault import Json
from capsula.reproduction.assessment import Context
from capsula.reproduction.differences import keyed

_ROWS = ("overlay", "withheld", "left_out")


def without_made(here: Context, there: Context, made: Collection[str]) -> Context:
    """Return the context here as it would be if the run had not made these files; paths are seen from the root."""
    source = _trees_without(_table(here.facts.get("source")), _table(there.facts.get("source")), made)
    files, recorded = _table(here.facts.get("files")), _table(there.facts.get("files"))
    inputs = {path: recorded.get(path) if os.path.normpath(path) in made else facts for path, facts in files.items()}
    told = {**({"source": source} if source else {}), **({"files": inputs} if inputs else {})}
    return here._replace(facts={**here.facts, **told})


def told_otherwise(one: Context, other: Context) -> dict[str, tuple[str, ...]]:
    """Return of which files two contexts of one directory tell otherwise, by aspect; paths are seen from the root."""
    trees, twins = (_table(context.facts.get("source")) for context in (one, other))
    pairs = [(_table(tree), _table(twins.get(name))) for name, tree in trees.items()]
    source = {os.path.normpath(f"{_path(tree)}/{path}") for tree, twin in pairs for path in _differing(tree, twin)}
    files, others = (_table(context.facts.get("files")) for context in (one, other))
    inputs = {path for path in files if files[path] != others.get(path)}
    return {name: tuple(sorted(paths)) for name, paths in (("source", source), ("inputs", inputs)) if paths}


def _trees_without(here: Mapping[str, Json], there: Mapping[str, Json], made: Collection[str]) -> dict[str, Json]:
    recorded = {_path(_table(tree)): _table(tree) for tree in there.values()}
    trees = {name: _table(tree) for name, tree in here.items()}
    return {name: _tree_without(tree, recorded.get(_path(tree), {}), made) for name, tree in trees.items()}


def _tree_without(here: Mapping[str, Json], there: Mapping[str, Json], made: Collection[str]) -> dict[str, Json]:
    """Put of each made file what was told before; if nothing else differs, the tree is the one of then."""
    place = _path(here)
    changed = {path for path in _differing(here, there) if os.path.normpath(f"{place}/{path}") in made}
    rows: dict[str, Json] = {}
    for key in _ROWS:
        one, other = _by_path(here, key), _by_path(there, key)
        back = {path: row for path, row in other.items() if path in changed}
        rows[key] = list({**{path: row for path, row in one.items() if path not in changed}, **back}.values())
    gone = (_gone(here) - changed) | (_gone(there) & changed)
    told: dict[str, Json] = {**here, **rows, "deleted": sorted(gone)}
    is_same = changed and here.get("head") == there.get("head") and not any(_differing(told, there))
    return {**told, "digest": there.get("digest")} if is_same else told


def _differing(here: Mapping[str, Json], there: Mapping[str, Json]) -> Iterator[str]:
    for key in _ROWS:
        one, other = _by_path(here, key), _by_path(there, key)
        yield from (path for path in {*one, *other} if one.get(path) != other.get(path))
    yield from _gone(here) ^ _gone(there)


def _by_path(tree: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    return _table(keyed(tree.get(key)))


def _gone(tree: Mapping[str, Json]) -> set[str]:
    told = tree.get("deleted")
    return {path for path in told if isinstance(path, str)} if isinstance(told, list | tuple) else set()


def _path(tree: Mapping[str, Json]) -> str:
    return str(tree.get("path"))


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
