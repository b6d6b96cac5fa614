"""Facets by name: ours by table, others by entry point; imported only when they are chosen."""

from importlib import import_module
from types import ModuleType

from returns.result import Failure

from capsula.core.ask import Ask
from capsula.core.collector import Asker, Collector
from capsula.core.config import Config
from capsula.core.fault import Fault

ENTRY_POINTS = "capsula.facets"

_ALWAYS = ("root_directory", "cwd", "platform", "environment_variables", "git", "files")


def collectors(config: Config) -> dict[str, Collector]:
    """Return the collectors of the facets that this config chooses, in the order of the document."""
    ours: dict[str, Collector] = {name: _module(name).collect for name in _chosen(config)}
    return ours | {name: _foreign(name).collect for name in config.settings.capture.facets}


def asks(config: Config) -> tuple[Ask, ...]:
    """Return all that the chosen facets must ask other programs."""
    askers: list[Asker] = [_module(name).asks for name in _chosen(config) if hasattr(_module(name), "asks")]
    return tuple(ask for asker in askers for ask in asker(config))


def _chosen(config: Config) -> tuple[str, ...]:
    capture = config.settings.capture
    cpu = ("cpu",) if capture.include_cpu else ()
    packages = ("python_packages",) if capture.include_python_packages else ()
    return _ALWAYS + cpu + packages


def _module(name: str) -> ModuleType:
    return import_module(f"capsula.collectors.{name}")
