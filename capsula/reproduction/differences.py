"""Differences between two contexts, there and here: what each is about, and which could have changed a result."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from attrs import frozen

from capsula.core.fault import Fault, Json, KeyPath
from capsula.core.variables import is_local, is_numeric, is_passing

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


@frozen
class Gone:
    """Something that is there, and not here."""

    path: KeyPath
    there: Json


@frozen
class New:
    """Something that is here, and was not there."""

    path: KeyPath
    here: Json


@frozen
class Changed:
    """Something that is other here than there."""

    path: KeyPath
    there: Json
    here: Json


Difference: TypeAlias = Gone | New | Changed


@frozen
class Context:
    """The facts of one side, what it could not learn, and its root directory."""

    facts: Mapping[str, Json]
    faults: tuple[Fault, ...] = ()
    root: str = ""


@frozen
class Aspect:
    """One of the things that a result comes from."""

    name: str
    """One of ``CAUSES``, or a facet of somebody else's."""
    status: Status
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why something of it is not known."""


@frozen
class Assessment:
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
    sides = _Sides(_united_environment(one), _united_environment(other), there, here)
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
    )
    return Assessment(tuple(aspects), tuple(found.get(_COSMETIC, ())))


def differences(there: Json, here: Json, path: KeyPath = ()) -> Iterator[Difference]:
    """Yield how two facts differ, each difference as deep as it goes; lists of tables with names go by these."""
    one, other = _keyed(there), _keyed(here)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            below = (*path, key)
            if key not in other:
                yield Gone(below, one[key])
            elif key not in one:
                yield New(below, other[key])
            else:
                yield from differences(one[key], other[key], below)
    elif there != here:
        yield Changed(path, there, here)


def sentences(found: Iterable[Difference]) -> tuple[str, ...]:
    """Return differences in words, one for each package, file or variable; values of the environment are not told."""
    subjects: dict[KeyPath, list[Difference]] = {}
    for difference in found:
        subjects.setdefault(_subject(difference.path), []).append(difference)
    return tuple(dict.fromkeys(_sentence(subject, about) for subject, about in subjects.items()))


def headline(assessment: Assessment) -> str:
    """Return in one line what most likely changes a result, and what does not."""
    drifted = assessment.drifted
    first = [_told_first(drifted[0])] if drifted else []
    others = [f"also {_listed(aspect.name for aspect in drifted[1:])}"] if drifted[1:] else []
    same, unknown = assessment.named("match"), assessment.named("unknown")
    unchanged = [f"unchanged: {_listed(same)}"] if same else []
    untold = [f"unknown: {_listed(unknown)}"] if unknown else []
    return "; ".join([*first, *others, *unchanged, *untold])


def as_facts(difference: Difference) -> dict[str, Json]:
    """Return a difference as it stands in JSON: all keys are always there, and values of the environment are null."""
    there = None if isinstance(difference, New) else difference.there
    here = None if isinstance(difference, Gone) else difference.here
    masked = _is_masked(difference.path)
    return {
        "path": list(difference.path),
        "change": type(difference).__name__.lower(),
        "there": None if masked else there,
        "here": None if masked else here,
    }


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


@frozen
class _Sides:
    """Both sides of a comparison."""

    one: Mapping[str, Json]
    other: Mapping[str, Json]
    there: Context
    here: Context

    def both_tell(self, place: KeyPath) -> bool:
        """Tell whether something stands at a place on both sides."""
        return bool(_part(self.one, place)) and bool(_part(self.other, place))

    def aspect(self, difference: Difference) -> str:
        """Return what a difference is about; ``cosmetic`` if no result comes from it."""
        path = difference.path
        name = _aspect_of(path)
        if name == "source" and self._is_beside_the_tree(path):
            return _COSMETIC
        if path[0] == "platform" and self.both_tell(("system",)):
            return _COSMETIC
        if path[:2] == ("environment", "variables") and _is_told_twice(path[2:]) and self.both_tell(("determinism",)):
            return _COSMETIC
        return _COSMETIC if self._is_of_the_root(difference) else name

    def doubt(self, difference: Difference) -> str | None:
        """Return why a difference is none that is known: a side could not learn the fact, or has another facet."""
        match difference:
            case Changed():
                return None
            case Gone(path=path):
                told = _covering(self.here.faults, path)
                absent = "it is not captured here"
            case New(path=path):
                told = _covering(self.there.faults, path)
                absent = "it was not recorded"
        if told is not None:
            return None if told.kind in {"missing", "unset"} else str(told)
        return absent if path in _FACETS or len(path) == 1 else None

    def _is_beside_the_tree(self, path: KeyPath) -> bool:
        """Tell whether a difference says nothing of the tree: the trees are equal, or their commits tell enough."""
        if path[0] == "git":
            return self.both_tell(("source",))
        tree = _tree(path)
        digests, heads = (
            (_part(self.one, (*tree, key)), _part(self.other, (*tree, key))) for key in ("digest", "head")
        )
        rest = path[len(tree) :]
        if rest[:1] in {("withheld",), ("left_out",)} or not rest:
            return False
        if digests[0] == digests[1] or rest[0] not in {"digest", "head", "overlay", "deleted"}:
            return True
        if rest[0] == "digest":
            return any(_part(self.one, (*tree, key)) != _part(self.other, (*tree, key)) for key in _TELLING)
        return rest[0] != "head" and heads[0] != heads[1]

    def _is_of_the_root(self, difference: Difference) -> bool:
        """Tell whether two texts are equal but for the root directory in them."""
        match difference:
            case Changed(there=str(one), here=str(other)) if self.there.root and self.here.root:
                return one.replace(self.there.root, "\0") == other.replace(self.here.root, "\0")
        return False


_FACETS = {place for places in _PLACES.values() for place in places}
_TELLING = ("head", "overlay", "deleted")


def _aspect(name: str, found: tuple[Difference, ...], reasons: tuple[str, ...], sides: _Sides) -> Aspect:
    if found:
        only_gone = all(isinstance(difference, Gone) for difference in found)
        return Aspect(name, "missing" if only_gone else "drift", found, reasons)
    places = _PLACES.get(name, ((name,),))
    told = [place for place in places if sides.both_tell(place)]
    if not told:
        return Aspect(name, "unknown", reasons=reasons or (_why_untold(places, sides),))
    if name in _ALONE and told[0] != places[0] and not (name == "source" and _is_clean(sides)):
        return Aspect(name, "unknown", reasons=(*reasons, _ALONE[name]))
    return Aspect(name, "match", reasons=reasons)


def _why_untold(places: Sequence[KeyPath], sides: _Sides) -> str:
    if not any(_part(sides.one, place) for place in places):
        fault = next(filter(None, (_covering(sides.there.faults, place) for place in places)), None)
        return f"it was not learned: {fault}" if fault else "it was not recorded"
    fault = next(filter(None, (_covering(sides.here.faults, place) for place in places)), None)
    return str(fault) if fault else "it is not captured here"


def _is_clean(sides: _Sides) -> bool:
    """Tell whether no repository had anything that was not committed, on either side."""
    return all(
        _part(facts, ("dirty",)) is False
        for side in (sides.one, sides.other)
        for facts in _table(_part(side, ("git",))).values()
    )


_INTERPRETER_PLACES = frozenset({"executable", "prefix", "base_prefix", "path", "how"})


def _aspect_of(path: KeyPath) -> str:
    match path:
        case ("args" | "kwargs" | "function_name" | "items", *_) | ("command", "directory"):
            return "arguments"
        case ("source", *_) | ("git", _) | ("git", _, "sha" | "dirty" | "changes" | "untracked" | "submodules", *_):
            return "source"
        case ("files" | "inputs", _, "mode" | "kept_as" | "moved" | "changed_while_read", *_):
            return _COSMETIC
        case ("files" | "inputs", *_):
            return "inputs"
        case ("python_packages", "distributions", _, "location" | "url", *_):
            return _COSMETIC
        case ("python_packages", "distributions", *_):
            return "packages"
        case ("python_packages", "interpreter", key, *_) if key in _INTERPRETER_PLACES:
            return _COSMETIC
        case ("python_packages", *_):
            return "interpreter"
        case ("environment", "variables", name, *_) | ("environment_variables", name):
            return _COSMETIC if is_passing(name) else "environment"
        case ("environment" | "environment_variables", *_):
            return "environment"
        case ("determinism", "cpu", *_):
            return "cpu"
        case ("determinism", "limits", "open_files" | "processes"):
            return _COSMETIC
        case ("determinism", *_) | ("environment_changes", "PYTHONHASHSEED"):
            return "determinism"
        case ("platform", "node" | "python" | "processor", *_):
            return _COSMETIC
        case ("system" | "platform", *_):
            return "system"
        case ("cpu", key, *_) if key.startswith(("hz_", "python_", "cpuinfo_")):
            return _COSMETIC
        case ("cpu", *_):
            return "cpu"
        case (name, *_) if name not in _KNOWN:
            return name
    return _COSMETIC


def _united_environment(facts: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the facts with the environment as one table, whether a value is told or only a digest."""
    environment = facts.get("environment")
    if not isinstance(environment, Mapping):
        return facts
    variables = {**_table(environment.get("digests")), **_table(environment.get("values"))}
    return {**facts, "environment": {"variables": variables}}


def _is_told_twice(rest: KeyPath) -> bool:
    return len(rest) == 1 and (is_numeric(rest[0]) or is_local(rest[0]))


def _is_masked(path: KeyPath) -> bool:
    return path[0] in {"environment", "environment_variables"}


def _tree(path: KeyPath) -> KeyPath:
    """Return the place of the innermost tree that a path of the source leads into."""
    tree = path[:2]
    while path[len(tree) : len(tree) + 1] == ("nested",) and len(path) > len(tree) + 1:
        tree = path[: len(tree) + 2]
    return tree


def _covering(faults: Iterable[Fault], path: KeyPath) -> Fault | None:
    """Return the fault at a place, or at one that holds it."""
    return next((fault for fault in faults if fault.path and path[: len(fault.path)] == fault.path), None)


def _keyed(value: Json) -> Json:
    """Return a list of tables that each have a path or a name as a table by these."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    for key in ("path", "name"):
        table = {name: part for part in value if isinstance(part, Mapping) and isinstance(name := part.get(key), str)}
        if value and len(table) == len(value):
            return table
    return value


def _part(facts: Json, path: KeyPath) -> Json:
    for key in path:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _without(facts: Mapping[str, Json], keys: Iterable[str]) -> dict[str, Json]:
    return {key: value for key, value in facts.items() if key not in set(keys)}


_LONGEST = 60
_MOST_NAMED = 3


def _told_first(aspect: Aspect) -> str:
    told = sentences(aspect.differences)
    more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    return f"{aspect.name} ({', '.join(told[:_MOST_NAMED])}{more})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _subject(path: KeyPath) -> KeyPath:
    """Return the place of the package, file or variable that a path leads into; of all else, the path itself."""
    match path:
        case ("python_packages", "distributions", _, *_) | ("environment", "variables", _, *_):
            return path[:3]
        case ("files" | "inputs" | "environment_variables", _, *_):
            return path[:2]
        case ("source", *_) if path[len(_tree(path)) :][:1] in {("overlay",), ("withheld",), ("left_out",)}:
            return path[: len(_tree(path)) + 2]
    return path


def _sentence(subject: KeyPath, about: Sequence[Difference]) -> str:
    name = _name(subject)
    if len(about) == 1 and about[0].path == subject:
        return _whole(name, about[0])
    keys = {difference.path[len(subject)]: difference for difference in about}
    if isinstance(version := keys.get("version"), Changed):
        return f"{name} {_short(version.there)} → {_short(version.here)}"
    if subject[:2] == ("python_packages", "distributions"):
        return f"{name}: same version, other content" if "digest" in keys else f"{name}: {_listed(keys)} changed"
    if keys.keys() & {"file_hash", "size", "sha256"}:
        return f"{name} changed"
    return f"{name}: {_listed(keys)} changed"


def _whole(name: str, difference: Difference) -> str:
    masked = _is_masked(difference.path)
    match difference:
        case Gone():
            return f"{name} is not there any more" if not masked else f"{name} is not set any more"
        case New(here=here):
            version = _part(here, ("version",))
            return f"{name} is new" if not isinstance(version, str) else f"{name} {_short(version)} is new"
        case Changed(there=there, here=here):
            if masked:
                return f"{name} has another value"
            return _change(name, there, here)


def _change(name: str, there: Json, here: Json) -> str:
    if isinstance(there, list | tuple) and isinstance(here, list | tuple) and name != "args":
        more, less = ([it for it in a if it not in b] for a, b in ((here, there), (there, here)))
        return f"{name}: {', '.join([*(f'+{_short(it)}' for it in more[:3]), *(f'-{_short(it)}' for it in less[:3])])}"
    return f"{name}: {_short(there)} → {_short(here)}"


def _name(subject: KeyPath) -> str:
    match subject:
        case ("python_packages" | "environment", _, name) | ("environment_variables" | "files" | "inputs", name):
            return name
        case ("source", *_):
            tree = _tree(subject)
            rest = subject[len(tree) :]
            where = f"{tree[-1]}/" if len(tree) > 2 else ""
            return where + (rest[-1] if rest[:1] != ("head",) else "commit") if rest else tree[-1]
        case ("git", name, "sha"):
            return f"commit of {name}"
    return " > ".join(subject[1:]) or subject[0]


def _short(value: Json) -> str:
    if isinstance(value, str) and len(value) == 40 and set(value) <= set("0123456789abcdef"):
        return value[:7]
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
