"""Assessment: of two contexts, what differs that could have changed a result, and what is known to be the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, TypeAlias

from capsula.core.fault import Fault, Json, KeyPath
from capsula.core.variables import is_local, is_numeric, is_passing
from capsula.reproduction.differences import Changed, Difference, Gone, differences, keyed, part

Status: TypeAlias = Literal["match", "drift", "missing", "unknown"]
"""``missing``: of what was there something is not here, and nothing else differs."""

CAUSES = (
    "arguments",
    "source",
    "inputs",
    "packages",
    "interpreter",
    "environment",
    "determinism",
    "system",
    "cpu",
)
"""What a result comes from, the likeliest to change it first; facets of others come after these."""


class Context(NamedTuple):
    """The facts of one side, what it could not learn, and its root directory."""

    facts: Mapping[str, Json]
    faults: tuple[Fault, ...] = ()
    root: str = ""
    untold: Mapping[str, str] = {}
    """Aspect to why something of it is not known on this side."""


class Aspect(NamedTuple):
    """One of the things that a result comes from."""

    name: str
    """One of ``CAUSES``, or a facet of somebody else's."""
    status: Status
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why something of it is not known."""
    notes: tuple[str, ...] = ()
    """What looks like a difference, and is none."""


class Assessment(NamedTuple):
    """How two contexts compare."""

    aspects: tuple[Aspect, ...]
    """The likeliest to change a result first."""
    cosmetic: tuple[Difference, ...]
    """Differences that change no result: names of hosts, places, times."""

    def named(self, *statuses: Status) -> tuple[str, ...]:
        """Return the names of the aspects that have one of these statuses."""
        return tuple(aspect.name for aspect in self.aspects if aspect.status in statuses)

    @property
    def drifted(self) -> tuple[Aspect, ...]:
        """The aspects in which something differs, the likeliest cause first."""
        return tuple(aspect for aspect in self.aspects if aspect.status in {"drift", "missing"})


def assessed(there: Context, here: Context, wanted: Sequence[str] = CAUSES) -> Assessment:
    """Return how two contexts compare, aspect by aspect; what one of them does not tell is unknown."""
    one, other = (_without(context.facts, _UNCOMPARED) for context in (there, here))
    sides = _Sides(_comparable(one), _comparable(other), there, here)
    found: dict[str, list[Difference]] = {}
    unknown: dict[str, list[str]] = {}
    for difference in differences(sides.one, sides.other):
        name = sides.aspect(difference)
        reason = sides.doubt(difference)
        if reason is None:
            found.setdefault(name, []).append(difference)
        elif len(difference.path) > 1:
            unknown.setdefault(name, []).append(reason)
    names = (*wanted, *(name for name in (*one, *other) if name not in _KNOWN and name not in wanted))
    aspects = (
        _aspect(name, tuple(found.get(name, ())), tuple(dict.fromkeys(unknown.get(name, ()))), sides)
        for name in dict.fromkeys(names)
        if name in found or name in unknown or not sides.are_empty(_PLACES.get(name, ((name,),)))
    )
    return Assessment(tuple(aspects), tuple(found.get(_COSMETIC, ())))


_COSMETIC = "cosmetic"
_UNCOMPARED = frozenset({"capsula", "pre_capture_commands"})

_PLACES: Mapping[str, tuple[KeyPath, ...]] = {
    "arguments": (("args",), ("function_name",)),
    "source": (("source",), ("git",)),
    "inputs": (("inputs",), ("files",)),
    "packages": (("python_packages", "distributions"),),
    "interpreter": (("python_packages", "interpreter"),),
    "environment": (("environment",), ("environment_variables",)),
    "determinism": (("determinism",),),
    "system": (("system",), ("platform",)),
    "cpu": (("cpu",), ("determinism", "cpu")),
}
"""Where the facts of an aspect stand: it is known if one of these is told on both sides."""

_ALONE = {
    "source": "without the facet source, the content of what was not committed is not known",
    "environment": "only the configured variables were recorded",
}
"""Why an aspect whose first place is not told stays unknown, though the second matches."""

_KNOWN = {place[0] for places in _PLACES.values() for place in places} | {
    *("root_directory", "cwd", "command", "items", "args", "kwargs", "environment_changes"),
}


class _Sides(NamedTuple):
    """Both sides of a comparison."""

    one: Mapping[str, Json]
    other: Mapping[str, Json]
    there: Context
    here: Context

    def both_tell(self, place: KeyPath) -> bool:
        """Tell whether something stands at a place on both sides."""
        return bool(part(self.one, place)) and bool(part(self.other, place))

    def are_empty(self, places: Iterable[KeyPath]) -> bool:
        """Tell whether both sides say that there is nothing to compare at any of these places."""
        told = [part(side, place) for side in (self.one, self.other) for place in places]
        return {} in told and not any(told)

    def aspect(self, difference: Difference) -> str:
        """Return what a difference is about; ``cosmetic`` if no result comes from it."""
        path = difference.path
        name = _aspect_of(path)
        if name == "source" and self._is_beside_the_tree(path):
            return _COSMETIC
        if any(path[0] == key and self.both_tell((better,)) for key, better in _TOLD_BETTER.items()):
            return _COSMETIC
        if name == "environment" and _is_of_numbers(path[-1]) and self.both_tell(("determinism",)):
            return _COSMETIC
        if path[0] == "files" and len(path) == 3 and part(self.one, hashed := (*path[:2], "file_hash")) is not None:
            return name if self._differs(*hashed) else _COSMETIC  # the same content
        return _COSMETIC if self._is_of_the_root(difference) else name

    def doubt(self, difference: Difference) -> str | None:
        """Return why a difference is none that is known: a side could not learn the fact, or has another facet."""
        path = difference.path
        if isinstance(difference, Changed):
            by_other_means = path[0] == "files" and self._differs(*path[:2], "hash_algorithm")
            return f"{path[1]} was hashed by another algorithm" if by_other_means else None
        is_gone = isinstance(difference, Gone)
        if self._is_of_an_older_format(path, there=not is_gone):
            return _ALONE["source"] if path[0] == "git" else f"the content of {path[1]} was not recorded"
        told = _covering((self.here if is_gone else self.there).faults, path)
        if told is not None:
            return None if told.kind in {"missing", "unset"} else str(told)
        is_facet = path in _FACETS or len(path) == 1
        return (_NOT_CAPTURED if is_gone else _NOT_RECORDED) if is_facet else None

    def _is_of_an_older_format(self, path: KeyPath, *, there: bool) -> bool:
        """Tell whether one side knows of no such fact: of repositories 0.0.21 had the commit, of files the hash."""
        side = self.one if there else self.other
        entry = _table(part(side, path[:2]))
        known = {"git": "dirty", "files": "size"}.get(path[0])
        return len(path) == 3 and known is not None and bool(entry) and known not in entry

    def _is_beside_the_tree(self, path: KeyPath) -> bool:
        """Tell whether a difference says nothing of the tree: the trees are equal, or their commits tell enough."""
        if path[0] == "git":
            return False
        tree = tree_place(path)
        rest = path[len(tree) :]
        if not rest or rest[0] in {"withheld", "left_out"}:  # the digest is not of these
            return bool(rest) and self._is_committed((*tree, *rest[:2]))
        if not self._differs(*tree, "digest") or rest[0] not in {"digest", *_TELLING}:
            return True
        if rest[0] == "digest":
            return any(self._differs(*tree, key) for key in _TELLING)
        return rest[0] != "head" and self._differs(*tree, "head")

    def _is_committed(self, place: KeyPath) -> bool:
        """Tell whether a file that is listed only is as committed, so that the commits tell of it what there is."""
        rows = [row for side in (self.one, self.other) if (row := _table(part(side, place)))]
        return bool(rows) and all(row.get("committed") is True for row in rows)

    def _differs(self, *place: str) -> bool:
        return part(self.one, place) != part(self.other, place)

    def _is_of_the_root(self, difference: Difference) -> bool:
        """Tell whether two texts are equal but for the root directory in them."""
        match difference:
            case Changed(there=str(one), here=str(other)) if self.there.root and self.here.root:
                return one.replace(self.there.root, "\0") == other.replace(self.here.root, "\0")
        return False


_FACETS = {place for places in _PLACES.values() for place in places}
_TELLING = ("head", "overlay", "deleted")
_TOLD_BETTER = {"git": "source", "platform": "system", "environment_variables": "environment"}
_NOT_RECORDED = "it was not recorded"
_NOT_CAPTURED = "it is not captured here"


def _aspect(name: str, found: tuple[Difference, ...], reasons: tuple[str, ...], sides: _Sides) -> Aspect:
    reasons += tuple(filter(None, (side.untold.get(name) for side in (sides.there, sides.here))))
    if found:
        only_gone = all(isinstance(it, Gone) and "overlay" not in it.path for it in found)
        return Aspect(name, "missing" if only_gone else "drift", found, reasons)
    places = _PLACES.get(name, ((name,),))
    told = [place for place in places if sides.both_tell(place)]
    if not told:
        return Aspect(name, "unknown", reasons=reasons or (_why_untold(places, sides),))
    if name in _ALONE and told[0] != places[0] and not (name == "source" and _is_clean(sides)):
        return Aspect(name, "unknown", reasons=tuple(dict.fromkeys((*reasons, _ALONE[name]))))
    return Aspect(name, "unknown" if reasons else "match", reasons=reasons)


def _why_untold(places: Sequence[KeyPath], sides: _Sides) -> str:
    if not any(part(sides.one, place) for place in places):
        fault = next(filter(None, (_covering(sides.there.faults, place) for place in places)), None)
        return f"it was not learned: {fault}" if fault else _NOT_RECORDED
    fault = next(filter(None, (_covering(sides.here.faults, place) for place in places)), None)
    return str(fault) if fault else _NOT_CAPTURED


def _is_clean(sides: _Sides) -> bool:
    """Tell whether no repository had anything that was not committed, on either side."""
    return all(
        part(facts, ("dirty",)) is False
        for side in (sides.one, sides.other)
        for facts in _table(part(side, ("git",))).values()
    )


_RULES: tuple[tuple[str, str], ...] = (
    ("args", "arguments"),
    ("kwargs", "arguments"),
    ("function_name", "arguments"),
    ("items", "arguments"),
    ("command/directory", "arguments"),
    ("source", "source"),
    ("git/*/branch", _COSMETIC),
    ("git/*/remotes", _COSMETIC),
    ("git/*/path", _COSMETIC),
    ("git/*/worktree", _COSMETIC),
    ("git/*/caveats", _COSMETIC),
    ("git/*/patches", _COSMETIC),
    ("git", "source"),
    ("files/*/mode", _COSMETIC),
    ("files/*/kept_as", _COSMETIC),
    ("files/*/moved", _COSMETIC),
    ("files/*/changed_while_read", _COSMETIC),
    ("files", "inputs"),
    ("inputs", "inputs"),
    ("python_packages/distributions/*/location", _COSMETIC),
    ("python_packages/distributions/*/url", _COSMETIC),
    ("python_packages/distributions", "packages"),
    ("python_packages/interpreter/executable", _COSMETIC),
    ("python_packages/interpreter/*prefix", _COSMETIC),
    ("python_packages/interpreter/path", _COSMETIC),
    ("python_packages/interpreter/how", _COSMETIC),
    ("python_packages", "interpreter"),
    ("environment", "environment"),
    ("environment_variables", "environment"),
    ("environment_changes/PYTHONHASHSEED", "determinism"),
    ("determinism/cpu", "cpu"),
    ("determinism/limits/open_files", _COSMETIC),
    ("determinism/limits/processes", _COSMETIC),
    ("determinism", "determinism"),
    ("platform/node", _COSMETIC),
    ("platform/python", _COSMETIC),
    ("platform/processor", _COSMETIC),
    ("platform", "system"),
    ("system", "system"),
    ("cpu/hz_*", _COSMETIC),
    ("cpu/python_version", _COSMETIC),
    ("cpu/cpuinfo_version*", _COSMETIC),
    ("cpu", "cpu"),
)
"""Beginnings of places, and what stands there is about; the first that fits holds."""


def _aspect_of(path: KeyPath) -> str:
    fitting = (name for pattern, name in _RULES if _begins(path, pattern.split("/")))
    name = next(fitting, _COSMETIC if path[0] in _KNOWN else path[0])
    return _COSMETIC if name == "environment" and is_passing(path[-1]) else name


def _begins(path: KeyPath, pattern: Sequence[str]) -> bool:
    return len(path) >= len(pattern) and all(map(fnmatchcase, path, pattern))


def _comparable(facts: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the facts with repositories by their paths, all said of each, and one table of values and digests."""
    return {**facts, **dict(_said_alike(facts))}


def _said_alike(facts: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    if trees := _table(facts.get("source")):
        yield "source", _by_path({name: _spelled_out(_table(tree)) for name, tree in trees.items()})
    if checkouts := _table(facts.get("git")):
        yield "git", _by_path(checkouts)
    environment = facts.get("environment")
    if isinstance(environment, Mapping):
        yield "environment", {"variables": {**_table(environment.get("digests")), **_table(environment.get("values"))}}


def _by_path(repositories: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return repositories by their paths: their names may come from the directory, which may have been moved."""
    table = {path: it for it in repositories.values() if isinstance(path := part(it, ("path",)), str)}
    return table if len(table) == len(repositories) else repositories


def _spelled_out(tree: Mapping[str, Json]) -> Mapping[str, Json]:
    nested = {path: _spelled_out(_table(inner)) for path, inner in _table(tree.get("nested")).items()}
    return {
        **tree,
        **{key: keyed(tree.get(key)) or {} for key in ("overlay", "withheld", "left_out")},
        "deleted": tree.get("deleted") or [],
        "nested": nested,
    }


def _is_of_numbers(name: str) -> bool:
    """Tell whether the facet ``determinism`` has the variable, too."""
    return is_numeric(name) or is_local(name)


def is_masked(path: KeyPath) -> bool:
    """Tell whether what stands at a place is a value of the environment, which is not shown."""
    return path[0] in {"environment", "environment_variables"}


def tree_place(path: KeyPath) -> KeyPath:
    """Return the place of the innermost tree that a path of the source leads into."""
    tree = path[:2]
    while path[len(tree) : len(tree) + 1] == ("nested",) and len(path) > len(tree) + 1:
        tree = path[: len(tree) + 2]
    return tree


def _covering(faults: Iterable[Fault], path: KeyPath) -> Fault | None:
    """Return the fault at a place, or at one that holds it; variables of the environment are where digests are."""
    if path[:2] == ("environment", "variables"):
        path = ("environment", "digests", *path[2:])
    return next((fault for fault in faults if fault.path and path[: len(fault.path)] == fault.path), None)


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _without(facts: Mapping[str, Json], keys: Iterable[str]) -> dict[str, Json]:
    return {key: value for key, value in facts.items() if key not in set(keys)}
