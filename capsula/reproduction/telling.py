"""Telling differences: in words for a person, and as facts for a program."""

from collections.abc import Iterable, Mapping, Sequence

from capsula.core.fault import Json, KeyPath
from capsula.reproduction.assessment import Assessment, is_masked, tree_place
from capsula.reproduction.differences import Changed, Difference, Gone, New, part


def sentences(found: Iterable[Difference]) -> tuple[str, ...]:
    """Return differences in words, one for each package, file or variable; values of the environment are not told."""
    subjects: dict[KeyPath, list[Difference]] = {}
    for difference in found:
        subjects.setdefault(_subject(difference.path), []).append(difference)
    return tuple(dict.fromkeys(_sentence(subject, about) for subject, about in subjects.items()))


def headline(assessment: Assessment, known: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return in one line what most likely changes a result, and what does not.

    Args:
        assessment: What is told of.
        known: Aspect to better words for what differs in it.
    """
    drifted = assessment.drifted
    told = {aspect.name: sentences(aspect.differences) for aspect in drifted[:1]} | dict(known or {})
    first = [_shortly(drifted[0].name, told[drifted[0].name])] if drifted else []
    others = [f"also {_listed(aspect.name for aspect in drifted[1:])}"] if drifted[1:] else []
    same, unknown = assessment.named("match"), assessment.named("unknown")
    unchanged = [f"unchanged: {_listed(same)}"] if same else []
    untold = [f"unknown: {_listed(unknown)}"] if unknown else []
    return "; ".join([*first, *others, *unchanged, *untold])


def as_facts(difference: Difference) -> dict[str, Json]:
    """Return a difference as it stands in JSON: all keys are always there, and values of the environment are null."""
    there = None if isinstance(difference, New) else difference.there
    here = None if isinstance(difference, Gone) else difference.here
    masked = is_masked(difference.path)
    return {
        "path": list(difference.path),
        "change": type(difference).__name__.lower(),
        "there": None if masked else there,
        "here": None if masked else here,
    }


_LONGEST = 60
_MOST_NAMED = 3


def _shortly(name: str, told: Sequence[str]) -> str:
    more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    return f"{name} ({', '.join(told[:_MOST_NAMED])}{more})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _subject(path: KeyPath) -> KeyPath:
    """Return the place of the package, file or variable that a path leads into; of all else, the path itself."""
    match path:
        case ("python_packages", "distributions", _, *_) | ("environment", "variables", _, *_):
            return path[:3]
        case ("files" | "inputs" | "environment_variables", _, *_):
            return path[:2]
        case ("source", *_) if path[len(tree_place(path)) :][:1] in {("overlay",), ("withheld",), ("left_out",)}:
            return path[: len(tree_place(path)) + 2]
    return path


def _sentence(subject: KeyPath, about: Sequence[Difference]) -> str:
    name = _name(subject)
    if "overlay" in subject:  # that it differs from the commit no more, or only now, is a change as well
        return f"{name} changed"
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
    masked = is_masked(difference.path)
    match difference:
        case Gone():
            return f"{name} is not there any more" if not masked else f"{name} is not set any more"
        case New(here=here):
            version = part(here, ("version",))
            return f"{name} is new" if not isinstance(version, str) else f"{name} {_short(version)} is new"
        case Changed(there=there, here=here):
            if masked:
                return f"{name} has another value"
            return _change(name, there, here)


def _change(name: str, there: Json, here: Json) -> str:
    if isinstance(there, list | tuple) and isinstance(here, list | tuple) and name != "args":
        more, less = ([it for it in a if it not in b] for a, b in ((here, there), (there, here)))
        if name.rpartition("/")[2] == "deleted":
            place = name.removesuffix("deleted")
            removed, again = ([f"{place}{_short(it)}" for it in some] for some in (more, less))
            return ", ".join(
                [*(f"{it} is not there any more" for it in removed), *(f"{it} is there again" for it in again)]
            )
        return f"{name}: {', '.join([*(f'+{_short(it)}' for it in more[:3]), *(f'-{_short(it)}' for it in less[:3])])}"
    return f"{name}: {_short(there)} → {_short(here)}"


def _name(subject: KeyPath) -> str:
    match subject:
        case ("python_packages" | "environment", _, name) | ("environment_variables" | "files" | "inputs", name):
            return name
        case ("source", *_):
            tree = tree_place(subject)
            rest = subject[len(tree) :]
            where = f"{tree[-1]}/" if len(tree) > 2 else ""
            return where + (rest[-1] if rest[:1] != ("head",) else "commit") if rest else tree[-1]
        case ("git", _, "sha"):
            return "commit"
        case ("git", _, *_, name) | ("determinism", *_, name):
            return name
    return " > ".join(subject[1:]) or subject[0]


def _short(value: Json) -> str:
    if isinstance(value, str) and len(value) == 40 and set(value) <= set("0123456789abcdef"):
        return value[:7]
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
