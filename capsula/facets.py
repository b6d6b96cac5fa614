"""Facets by name: ours by table, others by entry point; imported only when they are chosen."""

from collections.abc import Collection, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, TypeGuard

from returns.result import Failure, Result, Success

from capsula.core.ask import Ask
from capsula.core.collector import Asker, Collector
from capsula.core.config import FACET, Config
from capsula.core.effect import Effect
from capsula.core.fault import Fault, crash_of, is_json
from capsula.core.fragment import Answer, Fragment

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "capsula.facets"

ASKING = frozenset({"cpu", "platform", "python_packages"})
"""Those of ours that ask: the others need not be imported before the asks are started, and take their time to be."""

OF_REPOSITORIES = ("git", "source")
"""Those of ours that only libgit2 can answer; they are asked of the config's reader."""

LATE = ("python_packages", *OF_REPOSITORIES)
"""Those of ours that may wait for what is read of repositories: a package may stand in one."""

_ALWAYS = ("root_directory", "cwd", "platform", "environment_variables", "git", "files")


class Facet(Protocol):
    """What an entry point of the group leads to: a module, or any object; beside ``collect`` it may have ``asks``."""

    def collect(self, config: Config) -> Answer:
        """Return what the facet learns under this config."""
        ...


def collectors(config: Config, without: Collection[str] = ()) -> dict[str, Collector]:
    """Return the collectors of the facets that this config chooses, in the order of the document."""
    ours: dict[str, Collector] = {name: _ours(name) for name in chosen(config) if name not in without}
    return ours | {name: _collector(name) for name in _foreign(config)}


def asks(config: Config, without: Collection[str] = ()) -> tuple[Ask, ...]:
    """Return all that the chosen facets must ask other programs."""
    askers: list[Asker] = [_module(name).asks for name in chosen(config) if name in ASKING and name not in without]
    ours = tuple(ask for asker in askers for ask in asker(config))
    return ours + tuple(ask for name in _foreign(config) for ask in _questions(name, config))


def chosen(config: Config) -> tuple[str, ...]:
    """Return the names of those of ours that this config chooses."""
    capture = config.settings.capture
    source = ("source",) if capture.include_source else ()
    cpu = ("cpu",) if capture.include_cpu else ()
    packages = ("python_packages",) if capture.include_python_packages else ()
    system = ("system", "determinism") if capture.include_system else ()
    environment = ("environment",) if capture.include_environment else ()
    return _ALWAYS + source + cpu + packages + system + environment


def _ours(name: str) -> Collector:
    if name not in OF_REPOSITORIES:
        collector: Collector = _module(name).collect
        return collector
    return lambda config: config.reader((FACET, name), lambda: _module(name).collect(config))


@cache
def _module(name: str) -> ModuleType:
    return import_module(f"capsula.collectors.{name}")


def _foreign(config: Config) -> tuple[str, ...]:
    return tuple(name for name in config.settings.capture.facets if name not in chosen(config))


def _questions(name: str, config: Config) -> tuple[Ask, ...]:
    """Return what a third-party facet asks; what is wrong with that, its collector tells."""
    return _facet(name).bind(lambda facet: _asked(facet, config)).value_or(())


def _collector(name: str) -> Collector:
    """Return the collector of a third-party facet; whatever is wrong with the facet, it answers with a fault."""
    found = _facet(name)
    return lambda config: found.bind(lambda facet: _asked(facet, config).bind(lambda _: _sound(facet.collect(config))))


def _asked(facet: Facet, config: Config) -> Result[tuple[Ask, ...], Fault]:
    asker: Asker = getattr(facet, "asks", lambda _: ())
    try:
        questions: tuple[object, ...] = tuple(asker(config))
    except Exception as bug:  # a plugin that crashes costs no other facet
        return Failure(crash_of(bug, _REPORT))
    if _are_asks(questions):
        return Success(questions)
    return Failure(Fault("malformed", "the facet asks what is no Ask with a tuple of words", _REPORT))


def _are_asks(questions: tuple[object, ...]) -> TypeGuard[tuple[Ask, ...]]:
    return all(isinstance(question, Ask) and type(question.argv) is tuple for question in questions)


def _sound(answer: object) -> Answer:
    """Return the answer if it is one; what a plugin says is checked by no one else."""
    match answer:
        case Success(Fragment() as fragment) if is_json(fragment.facts) and _are_effects(fragment.effects):
            return Success(fragment)
        case Failure(Fault() as fault):
            return Failure(fault)
    message = "the facet answered with neither a Fragment of JSON and effects nor a Fault"
    return Failure(Fault("malformed", message, _REPORT))


def _are_effects(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, Effect) for value in values)


@cache
def _facet(name: str) -> Result[Facet, Fault]:
    """Return the object that the entry point of this name leads to, if it is a facet."""
    from importlib.metadata import entry_points  # for third-party facets alone: nobody else shall pay for it

    known = entry_points(group=ENTRY_POINTS)
    match tuple(known.select(name=name)):
        case ():
            return Failure(_unknown(name, sorted(known.names)))
        case (point,):
            return _loaded(point)
    return Failure(Fault("ambiguous", f"several packages bring a facet {name}", "remove all but one of them"))


def _unknown(name: str, known: Sequence[str]) -> Fault:
    others = f"known are {', '.join(known)}" if known else "none is installed"
    remedy = f"install the package that brings it, or remove the table [capture.facets.{name}]"
    return Fault("unknown", f"there is no facet {name}; {others}", remedy)


def _loaded(point: "EntryPoint") -> Result[Facet, Fault]:
    try:
        facet: Facet = point.load()
    except (Exception, SystemExit) as trouble:  # importing a plugin runs its code, which may raise anything
        return Failure(Fault("broken", f"{point.value}: {type(trouble).__name__}: {trouble}", _REPORT))
    if not callable(getattr(facet, "collect", None)):
        return Failure(Fault("broken", f"{point.value} has no function collect", _REPORT))
    return Success(facet)


_REPORT = "this is a bug of the facet; please report it to its authors"
