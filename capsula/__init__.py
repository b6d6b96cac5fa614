"""Capsula: capture what exactly produced a result, so that you can get it again."""

TYPE_CHECKING = False  # as ``typing`` has it, which takes longer to import than all else here

__version__ = "0.1.0"

__all__ = [
    "CapsulaError",
    "CapsulaWarning",
    "Capsule",
    "Config",
    "Fault",
    "Fragment",
    "capture",
    "collect",
    "get_capsule_dir",
    "get_capsule_name",
    "load",
    "monitor",
    "record",
]

if TYPE_CHECKING:
    from capsula.api import (
        CapsulaError,
        CapsulaWarning,
        capture,
        collect,
        get_capsule_dir,
        get_capsule_name,
        load,
        record,
    )
    from capsula.core.config import Config
    from capsula.core.fault import Fault
    from capsula.core.fragment import Fragment
    from capsula.decorator import monitor
    from capsula.flows.capsule import Capsule

_HOMES = {
    "monitor": "capsula.decorator",
    "Capsule": "capsula.flows.capsule",
    "Config": "capsula.core.config",
    "Fault": "capsula.core.fault",
    "Fragment": "capsula.core.fragment",
}


def __getattr__(name: str) -> object:
    # The command line imports this package too, and must not pay for what it does not use.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES.get(name, "capsula.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
