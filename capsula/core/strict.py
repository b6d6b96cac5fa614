"""Structuring that guesses nothing, and tells all mistakes at once, each at its key."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import chain, combinations, islice
from os.path import normpath
from pathlib import Path, PurePath
from sys import maxsize
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args, get_origin

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault, KeyPath
from capsula.core.fitting import fitted
from capsula.core.names import (
    clashes,
    is_below,
    placed,
    repository_flaw,
    template_flaw,
    text_flaw,
    variable_flaw,
    vault_flaw,
)
from capsula.core.secrets import RULES
from capsula.core.settings import FileSettings, Settings

if TYPE_CHECKING:
    from cattrs import Converter

LONGEST_TIME_LIMIT = 1e9
"""Seconds; the clocks of the operating system take little more."""

LARGEST_OUTPUT = 16 * 1024 * 1024
"""Bytes of a stream in the record; the whole of it is in a file beside that, and the record must stay readable."""

LONGEST_SHOWN = 80
"""Characters of a value, or a key, that a message repeats."""

MOST_TOLD = 100
"""Mistakes that are told; of more, that there are more."""

_Place: TypeAlias = tuple[str | int, ...]
_Hook: TypeAlias = Callable[[Any, Any], object]  # as cattrs has it


def structured(document: object, origin: str, root: Path) -> Result[Settings, tuple[Fault, ...]]:
    """Return the settings that a TOML document holds, or every mistake in it, as far as ``MOST_TOLD``.

    What is of a wrong type is left out before the laws are applied to the rest, so that neither hides the other.

    Args:
        document: The table with the settings as tomli reads it; what stands under ``capture.facets.NAME``
            is handed over unread.
        origin: The name of the file, for the mistakes.
        root: The absolute directory that the settings hold for; it is not read.
    """
    settings, misfits = _tolerant(document)
    faults = tuple(islice(chain(misfits, _unlawful(settings, root)), MOST_TOLD + 1))
    if not faults:
        return Success(settings)
    more = (Fault("mistake", "there are more mistakes"),) if len(faults) > MOST_TOLD else ()
    told = (*faults[:MOST_TOLD], *more)
    return Failure(tuple(it._replace(origin=origin) for it in told))


def item_mistakes(settings: Settings, items: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return a mistake for each item that is not configured."""
    known = settings.monitor.item
    return tuple(
        Fault("mistake", "no such item", f"{_nearest(item, known)} {_listed(known)}".strip(), ("monitor", "item", item))
        for item in dict.fromkeys(items)
        if item not in known
    )


def conflicts(settings: Settings, items: tuple[str, ...]) -> tuple[Fault, ...]:
    """Return a mistake for each file to which two of the items, used in one run, want different things done.

    Items that are not configured are passed over; see ``item_mistakes``.
    """
    known = settings.monitor.item
    wishes = [
        (item, key, wish) for item in dict.fromkeys(items) if item in known for key, wish in known[item].files.items()
    ]
    return tuple(
        Fault(
            "mistake",
            f"the item {one!r} has other options for this file",
            "give both items the same options, or use one of them",
            ("monitor", "item", other, "files", key),
        )
        for (one, same, this), (other, key, that) in combinations(wishes, 2)
        if one != other and normpath(same) == normpath(key) and this != that
    )


def _tolerant(document: object) -> tuple[Settings, tuple[Fault, ...]]:
    """Return the settings of all that fits in the document, and a mistake for each place that does not."""
    fitting = fitted(Settings, document)
    if isinstance(fitting, Success):
        return fitting.unwrap(), ()
    from cattrs.errors import BaseValidationError

    try:
        return _converter().structure(document, Settings), ()
    except (BaseValidationError, _MisfitError) as error:
        misfits = dict(islice(_misfits(error), MOST_TOLD + 1))
    is_beyond_all_help = len(misfits) > MOST_TOLD
    settings = Settings() if is_beyond_all_help else _converter().structure(_without(document, misfits), Settings)
    return settings, tuple(_mistake(place, str(misfit), misfit.remedy) for place, misfit in misfits.items())


def _unlawful(settings: Settings, root: Path) -> Iterator[Fault]:
    """Yield what no type forbids: names that cannot be used, options that exclude each other."""
    capture, monitor = settings.capture, settings.monitor
    yield from _judged(("vault-directory",), settings.vault_directory, vault_flaw(settings.vault_directory, root))
    yield from _judged(("capsule-template",), settings.capsule_template, template_flaw(settings.capsule_template))
    for command in capture.pre_capture_commands:
        yield from _judged(("capture", "pre-capture-commands"), command, text_flaw(command))
    limit = capture.pre_capture_time_limit
    limit_flaw = None if 0 < limit <= LONGEST_TIME_LIMIT else f"is not between 0 and {LONGEST_TIME_LIMIT:.0e} seconds"
    yield from _judged(("capture", "pre-capture-time-limit"), limit, limit_flaw)
    for name in capture.environment_variables:
        yield from _judged(("capture", "environment-variables"), name, variable_flaw(name))
    for mistake in _unlawful_files(capture.files, root):
        yield mistake.under("capture", "files")
    for mistake in _unlawful_repositories(capture.git.repositories or {}):
        yield mistake.under("capture", "git", "repositories")
    size = monitor.output_in_record
    size_flaw = None if 0 <= size <= LARGEST_OUTPUT else f"is not between 0 and {LARGEST_OUTPUT} bytes"
    yield from _judged(("monitor", "output-in-record"), size, size_flaw)
    limit_flaw = None if 0 <= settings.discretion.scan_limit <= maxsize else "is not a size in bytes"
    yield from _judged(("discretion", "scan-limit"), settings.discretion.scan_limit, limit_flaw)
    for rule in settings.discretion.rules:
        flaw = None if rule in RULES else "is no rule"
        yield from _judged(("discretion", "rules", rule), rule, flaw, _nearest(rule, RULES) or _listed(RULES))
    for name in settings.discretion.allow:
        yield from _judged(("discretion", "allow"), name, variable_flaw(name))
    for name, item in monitor.item.items():
        for mistake in _unlawful_files(item.files, root):
            yield mistake.under("monitor", "item", name, "files")


def _unlawful_files(files: Mapping[str, FileSettings], root: Path) -> Iterator[Fault]:
    first: dict[PurePath, str] = {}
    for key, wish in files.items():
        same = first.setdefault(placed(key, root), key)
        if files[same] != wish:
            yield from _judged((key,), key, f"names the same file as {same!r}, with other options", "keep one")
        yield from _judged((key,), key, text_flaw(key))
        if wish.move and wish.copy:
            yield from _judged((key,), key, "would be both moved and copied", "set only one of move and copy")
        if wish.move and not is_below(key, root):
            yield from _judged((key,), key, "would be moved from outside the root directory", "copy it instead")


def _unlawful_repositories(repositories: Mapping[str, str]) -> Iterator[Fault]:
    rivals = clashes(name for name in repositories if not repository_flaw(name))
    for name, path in repositories.items():
        yield from _judged((name,), name, repository_flaw(name))
        yield from _judged((name,), path, text_flaw(path))
        if name in rivals:
            yield from _judged((name,), name, f"would share the file of its diff with {rivals[name]!r}", "rename one")


def _judged(place: _Place, value: object, flaw: str | None, remedy: str = "") -> Iterator[Fault]:
    if flaw:
        yield _mistake(place, f"{_shown(value)} {flaw}", remedy)


def _mistake(place: _Place, message: str, remedy: str) -> Fault:
    return Fault("mistake", message, remedy, _keys(place))


def _keys(place: _Place) -> KeyPath:
    """Return the keys on the way; which element of a list it is, the message tells by the element itself."""
    return tuple(_cut(step) for step in place if isinstance(step, str))


class _MisfitError(ValueError):
    """A value, or a key, that has no place in the settings."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


def _misfits(error: Exception, place: _Place = ()) -> Iterator[tuple[_Place, _MisfitError]]:
    """Yield every misfit that cattrs met, and where; whatever else it met is a bug."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    place += tuple(_step(note) for note in getattr(error, "__notes__", ()))
    match error:
        case BaseValidationError():
            for part in error.exceptions:
                yield from _misfits(part, place)
        case ForbiddenExtraKeysError():
            known = [_kebab(name) for name in _names(error.cl)]
            for key in sorted(error.extra_fields):
                yield (*place, key), _MisfitError("unknown key", _nearest(key, known) or _listed(known))
        case _MisfitError():
            yield place, error
        case _:
            raise error


def _step(note: object) -> str | int:
    from cattrs.errors import AttributeValidationNote, IterableValidationNote

    match note:
        case AttributeValidationNote(name=name):
            return _kebab(name)
        case IterableValidationNote(index=index):
            return index
        case _:
            raise AssertionError(note)


def _without(value: object, places: Collection[_Place]) -> object:
    """Return the value less what stands at the places; nothing beside the way to them is walked."""
    if () in places:
        return {}
    if places and isinstance(value, dict):
        return {key: _without(part, _beyond(key, places)) for key, part in value.items() if (key,) not in places}
    if places and isinstance(value, list):
        return [_without(part, _beyond(i, places)) for i, part in enumerate(value) if (i,) not in places]
    return value


def _beyond(step: str | int, places: Collection[_Place]) -> list[_Place]:
    return [place[1:] for place in places if place[0] == step]


@cache
def _converter() -> "Converter":
    """Return the converter whose every hook takes exactly one kind of TOML value."""
    from cattrs import Converter
    from cattrs.cols import is_namedtuple, namedtuple_dict_structure_factory
    from cattrs.gen import override

    converter = Converter(forbid_extra_keys=True)

    def table(kind: type) -> _Hook:
        names: dict[str, Any] = {name: override(rename=_kebab(name)) for name in _names(kind)}
        structure: _Hook = namedtuple_dict_structure_factory(kind, converter, True, True, **names)
        return _only((dict,), "a table", structure)

    def mapping(kind: object) -> _Hook:
        plain: Any = GenericAlias(dict, get_args(kind))
        return _only((dict,), "a table", lambda value, _: converter.structure(value, plain))

    def sequence(kind: object) -> _Hook:
        plain: Any = GenericAlias(list, get_args(kind)[:1])
        return _only((list,), "a list", lambda value, _: tuple(converter.structure(value, plain)))

    converter.register_structure_hook(bool, _only((bool,), "true or false"))
    converter.register_structure_hook(int, _only((int,), "an integer"))
    converter.register_structure_hook(float, _only((int, float), "a number"))
    converter.register_structure_hook(str, _only((str,), "a string"))
    converter.register_structure_hook_factory(_of(Literal), _choice)
    converter.register_structure_hook_factory(_of(tuple), sequence)
    converter.register_structure_hook_factory(_of(Mapping), mapping)
    converter.register_structure_hook_factory(is_namedtuple, table)
    converter.register_structure_hook_func(
        lambda kind: kind == Mapping[str, object], _only((dict,), "a table")
    )  # unread
    return converter


def _names(kind: type) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(kind, "_fields", ())
    return names


def _of(origin: object) -> Callable[[object], bool]:
    return lambda kind: get_origin(kind) is origin


def _only(kinds: tuple[type, ...], expected: str, then: _Hook = lambda value, _: value) -> _Hook:
    """Return a hook for values of exactly these types; to Python, a bool would be an int as well."""

    def hook(value: object, kind: object) -> object:
        if type(value) not in kinds:
            raise _MisfitError(f"expected {expected}, found {_described(value)}")
        return then(value, kind)

    return hook


def _choice(kind: object) -> _Hook:
    choices = get_args(kind)

    def hook(value: object, _: object) -> object:
        if value not in choices:
            expected = ", ".join(map(repr, choices))
            remedy = _nearest(value, choices) if isinstance(value, str) else ""
            raise _MisfitError(f"expected one of {expected}, found {_described(value)}", remedy)
        return value

    return hook


def _described(value: object) -> str:
    """Name a TOML value as its author sees it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"the string {_shown(value)}"
        case int() | float():
            return f"the number {_shown(value)}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _shown(value: object) -> str:
    text = hex(value) if isinstance(value, int) and abs(value) > maxsize else repr(value)
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _nearest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(_kebab(word[:LONGEST_SHOWN]).lower(), known, 1)
    return f"did you mean {nearest[0]!r}?" if nearest else ""


def _listed(known: Iterable[str]) -> str:
    return f"known: {', '.join(known) or 'none'}"


def _kebab(name: str) -> str:
    return name.replace("_", "-")
