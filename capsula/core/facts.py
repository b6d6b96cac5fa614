"""Facts of a value: how the schema of a facet, a named tuple, stands in a document."""

from collections.abc import Mapping
from typing import Protocol, cast

from capsula.core.fault import Json


class Schema(Protocol):
    """A named tuple whose fields are plain facts, further named tuples, or tuples and mappings of these."""

    @property
    def _field_defaults(self) -> Mapping[str, object]: ...

    def _asdict(self) -> Mapping[str, object]: ...


def facts_of(value: Schema) -> dict[str, Json]:
    """Return the fields by name; those that have their default are left out.

    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     x: int
    ...     y: int = 0
    ...     others: tuple["Point", ...] = ()
    >>> facts_of(Point(1, others=(Point(2, 3),)))
    {'x': 1, 'others': [{'x': 2, 'y': 3}]}
    """
    defaults = value._field_defaults
    return {
        name: _plain(part) for name, part in value._asdict().items() if name not in defaults or part != defaults[name]
    }


def _plain(value: object) -> Json:
    if isinstance(value, tuple):
        return facts_of(cast("Schema", value)) if hasattr(value, "_fields") else [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return cast("Json", value)
