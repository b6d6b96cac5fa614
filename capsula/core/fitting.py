"""Fitting: what a document says if each value is of its kind; to load who tells what is not takes far longer."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault

T = TypeVar("T", bound=tuple[object, ...])


def fitted(kind: type[T], document: object) -> Result[T, Fault]:
    """Return the named tuple that a table makes, its keys written with hyphens; the fault does not say where.

    >>> from typing import NamedTuple
    >>> class Limits(NamedTuple):
    ...     most_files: int | None = None
    ...     seconds: float = 1.0
    ...     names: tuple[str, ...] = ()
    >>> fitted(Limits, {"most-files": 3, "names": ["a"]}).unwrap()
    Limits(most_files=3, seconds=1.0, names=('a',))
    >>> [fitted(Limits, it).failure().kind for it in ({"most-files": True}, {"most_files": 3}, [])]
    ['misfit', 'misfit', 'misfit']
    """
    try:
        return Success(cast("T", _fit(kind, document)))
    except _MisfitError:
        return Failure(Fault("misfit", "a value is not of its kind"))


_UNIONS = (Union, UnionType)


class _MisfitError(Exception):
    """A value is not of its kind."""


def _fit(kind: Any, value: object) -> object:
    kinds = get_args(kind)
    match get_origin(kind):
        case None if hasattr(kind, "_fields"):
            return _fit_table(kind, _only((dict,), value))
        case None:
            return _only((int, float) if kind is float else (kind,), value)
        case origin if origin in _UNIONS:
            return _fit(kinds[0], value)  # or None, which no document can say
        case origin if origin is Literal and value in kinds:
            return value
        case origin if origin is tuple:
            return tuple([_fit(kinds[0], part) for part in _only((list,), value)])
        case origin if origin is Mapping and kinds[1] is object:  # somebody else's to read
            return _only((dict,), value)
        case origin if origin is Mapping:
            return {key: _fit(kinds[1], part) for key, part in _only((dict,), value).items()}
    raise _MisfitError


def _fit_table(kind: Any, table: Mapping[str, object]) -> object:
    kinds = {name.replace("_", "-"): (name, each) for name, each in kind.__annotations__.items()}
    if not table.keys() <= kinds.keys():
        raise _MisfitError
    known = ((*kinds[key], value) for key, value in table.items())
    return kind(**{name: _fit(each, value) for name, each, value in known})


def _only(kinds: tuple[type, ...], value: object) -> Any:
    """Return a value of exactly one of these types; to Python, a bool would be an int as well."""
    if type(value) not in kinds:
        raise _MisfitError
    return value
