"""Values of the user's program as facts: JSON as it is, all else as a type and a bounded ``repr``."""

import math
import sys
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sized
from itertools import islice
from types import ModuleType
from typing import Any, TypeGuard, TypeVar

from capsula.core.fault import Fault, Json, KeyPath
from capsula.core.fragment import Fragment

LONGEST_TEXT = 64 * 1024
"""Characters of one text, and bytes of one ``bytes``, that are recorded."""
LONGEST_REPR = 4 * 1024
"""Characters of one ``repr`` that are recorded."""
MOST_PARTS = 10_000
"""Values inside of one value that are recorded one by one."""
MOST_TEXT = 1024 * 1024
"""Characters of all texts inside of one value."""
DEEPEST = 32
"""Containers around a value."""
LONGEST_INTEGER = 1024
"""Bits of an integer that is recorded as a number."""
MOST_FAULTS = 20
"""Faults of one value that are told; what else is cut shows it by its ``type``."""

Kind = TypeVar("Kind")

_CONTAINERS: tuple[type[Collection[object]], ...] = (list, tuple, dict, set, frozenset, deque)
_BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}"), set: ("{", "}")}
_ARRAYS = frozenset({"array", "cupy", "jaxlib", "numpy", "pandas", "polars", "tensorflow", "torch", "xarray"})
"""Packages of arrays; the ``repr`` of a big one may compute it first, and then show all of it."""
_MOST_SHOWN: dict[str, Callable[[Any], float | None]] = {
    "numpy": lambda numpy: numpy.get_printoptions()["threshold"],
    "pandas": lambda pandas: pandas.get_option("display.max_rows"),
}
"""How many values, or rows, the ``repr`` of an array shows, where its package tells."""
_SHOWN_PARTS = 10
_SHOWN_TEXT = 200
_SHOWN_DEPTH = 3
_SHOWN_BITS = 256


def represented(value: object) -> Fragment:
    """Return a value as a fact; what cannot be told, in part or whole, costs a fault and never an exception.

    Finite numbers, texts, lists, tuples and tables of names are JSON, and so are dataclasses and their like, as a table
    of ``type`` and ``fields``. Anything else, and what is too long, too deep or inside of itself, is a table of
    ``type`` and ``repr`` (``base64`` for bytes), and ``length`` where it has one. Of the value's own methods none is
    called but ``__repr__``, and those that make up a field.
    """
    walk = _Walk()
    return Fragment(walk.fact(value, (), ()), (), tuple(walk.faults))


class _Walk:
    """One walk through a value, with what is left of its budget."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._parts = MOST_PARTS
        self._text = MOST_TEXT

    def fact(self, value: object, place: KeyPath, above: tuple[int, ...]) -> Json:
        self._parts -= 1
        try:
            return self._fact(value, place, above)
        except (Exception, SystemExit) as error:  # whatever the value's own methods raise
            self._raised(error, (*place, "repr"))
            return {"type": _name(type(value))}

    def _fact(self, value: object, place: KeyPath, above: tuple[int, ...]) -> Json:
        kind = type(value)  # what isinstance asks for besides, a __class__, may lie
        if value is None or value is True or value is False:
            return value
        if _is(value, int) and int.bit_length(value) <= LONGEST_INTEGER:
            return int.__pos__(value)  # a plain number, also of an enumeration's member
        if _is(value, float) and math.isfinite(value):
            return float.__pos__(value)
        if _is(value, str):
            return self._told(_plain(value), place)
        if _is(value, bytes):
            return self._encoded(value, place)
        if kind is list or kind is tuple or kind is dict or _fields(kind):
            return self._whole(value, place, above)
        return self._described(value)

    def _told(self, text: str, place: KeyPath) -> Json:
        if len(text) <= LONGEST_TEXT and self._affords(len(text)):
            return text
        self._cut(place, f"a text of {len(text)} characters")
        return {"type": "str", "length": len(text), "text": text[:_SHOWN_TEXT]}

    def _encoded(self, data: bytes, place: KeyPath) -> Json:
        length = bytes.__len__(data)
        shown = bytes.__getitem__(data, slice(LONGEST_TEXT))
        if length > LONGEST_TEXT or not self._affords(length):
            self._cut(place, f"{length} bytes")
        if self._text <= 0:
            return {"type": "bytes", "length": length}
        return {"type": "bytes", "length": length, "base64": b64encode(shown).decode()}

    def _whole(self, value: object, place: KeyPath, above: tuple[int, ...]) -> Json:
        """Return a container part by part, if it is small enough, and not inside of itself."""
        names = _fields(type(value))
        count = len(names) or _length(value) or 0
        inside = (*above, id(value))
        if id(value) in above:
            return self._summary(value, place, "a value inside of itself")
        if len(above) >= DEEPEST:
            return self._summary(value, place, "a value too deep")
        if count > self._parts:
            return self._summary(value, place, f"{count} values")
        if names:
            return {"type": _name(type(value)), "fields": self._told_fields(value, names, (*place, "fields"), inside)}
        if isinstance(value, dict):
            return self._table(value, place, inside)
        return [self.fact(part, (*place, str(index)), inside) for index, part in enumerate(_parts(value))]

    def _told_fields(self, value: object, names: tuple[str, ...], place: KeyPath, inside: tuple[int, ...]) -> Json:
        fields: dict[str, Json] = {}
        for name in names:
            try:
                part = getattr(value, name)
            except (Exception, SystemExit) as error:  # a field may be a property, or not be set at all
                self._raised(error, (*place, name))
            else:
                fields[name] = self.fact(part, (*place, name), inside)
        return fields

    def _table(self, table: dict[object, object], place: KeyPath, inside: tuple[int, ...]) -> Json:
        names = {key: part for key, part in table.items() if type(key) is str}
        if len(names) < len(table):
            return self._described(table)
        if not self._affords(sum(map(len, names))):
            return self._summary(table, place, "names of too much text")
        return {name: self.fact(part, (*place, name), inside) for name, part in names.items()}

    def _described(self, value: object) -> Json:
        length = _length(value)
        told: dict[str, Json] = {"type": _name(type(value))} | ({} if length is None else {"length": length})
        if self._text <= 0:
            return told
        text = _shown(value, _SHOWN_DEPTH)
        cut = text if len(text) <= LONGEST_REPR else f"{text[:LONGEST_REPR]}..."
        self._text -= len(cut)
        return {**told, "repr": cut}

    def _summary(self, value: object, place: KeyPath, why: str) -> Json:
        self._cut(place, why)
        return {"type": _name(type(value))} if _fields(type(value)) else self._described(value)

    def _affords(self, characters: int) -> bool:
        self._text -= characters
        return self._text >= 0

    def _cut(self, place: KeyPath, what: str) -> None:
        self._tell(Fault("cut", f"{what}: only a part is recorded", path=(*place, "whole")))

    def _raised(self, error: BaseException, place: KeyPath) -> None:
        self._tell(Fault("unrepresentable", f"its methods raised {_name(type(error))}", path=place))

    def _tell(self, fault: Fault) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)


def _shown(value: object, depth: int) -> str:
    """Return a ``repr`` that takes no longer, and is no longer, the more a built-in container holds."""
    name = type(value).__name__
    if _is(value, int) and int.bit_length(value) > LONGEST_INTEGER:
        bits = int.bit_length(value) - _SHOWN_BITS
        return f"{int.__rshift__(int.__abs__(value), bits):#x}..., of {bits + _SHOWN_BITS} bits"
    if _is(value, str):
        return repr(_plain(value)[:_SHOWN_TEXT]) + ("..." if len(_plain(value)) > _SHOWN_TEXT else "")
    if _is(value, bytes) or _is(value, bytearray):
        return repr(value[:_SHOWN_TEXT]) + ("..." if len(value) > _SHOWN_TEXT else "")
    length = _length(value)
    if length is None:
        return _plain(_big_array(value) or repr(value))[: LONGEST_REPR + 1]
    parts = ", ".join(_shown_parts(value, depth - 1)) if depth else "..."
    more = ", ..." if depth and length > _SHOWN_PARTS else ""
    opening, closing = _BRACKETS.get(type(value), (f"{name}(", ")"))
    return f"{opening}{parts}{more}{closing}"


def _shown_parts(value: object, depth: int) -> Iterator[str]:
    if _is(value, dict):
        pairs = islice(dict.items(value), _SHOWN_PARTS)
        return (f"{_shown(key, depth)}: {_shown(part, depth)}" for key, part in pairs)
    return (_shown(part, depth) for part in islice(_parts(value), _SHOWN_PARTS))


def _parts(value: object) -> Iterator[object]:
    """Return what a built-in container holds, whatever its subclass makes of that."""
    return next(kind.__iter__(value) for kind in _CONTAINERS if _is(value, kind))


def _length(value: object) -> int | None:
    """Return how many a built-in container holds; none of any other value."""
    return next((kind.__len__(value) for kind in _CONTAINERS if _is(value, kind)), None)


def _big_array(value: object) -> str | None:
    """Return what tells of an array, if its ``repr`` may be without bounds; none of any other value."""
    package = _module(type(value)).partition(".")[0]
    if package not in _ARRAYS:
        return None
    shape = (len(value),) if isinstance(value, Sized) and package == "array" else tuple(getattr(value, "shape", ()))
    is_big = all(_is(length, int) for length in shape) and math.prod(shape) > MOST_PARTS
    if not is_big or _shows_few(sys.modules[package]):
        return None
    return f"<{type(value).__name__} of shape {shape}>"


def _shows_few(package: ModuleType) -> bool:
    most = _MOST_SHOWN.get(package.__name__, lambda _: None)(package)
    return most is not None and most <= MOST_PARTS


def _plain(text: str) -> str:
    """Return the text of a subclass of it too, by none of its own methods."""
    return str.__getitem__(text, slice(None))


def _is(value: object, kind: type[Kind]) -> TypeGuard[Kind]:
    """Tell whether a value is of a type; ``isinstance`` would believe a ``__class__`` that lies, or raises."""
    return issubclass(type(value), kind)


def _fields(kind: type) -> tuple[str, ...]:
    """Return the names of the fields that a dataclass, an attrs class or a named tuple shows of itself."""
    if issubclass(kind, tuple):
        return tuple(getattr(kind, "_fields", ()))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(field.name for field in kind.__attrs_attrs__ if field.repr)
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields  # whoever has a dataclass has paid for it

        names = fields(kind)  # type: ignore[arg-type]  # no type tells that a type has fields
        return tuple(field.name for field in names if field.repr)
    return ()


def _name(kind: type) -> str:
    """Return the full name of a type, by none of the methods of its own type."""
    module = _module(kind)
    name: str = type.__dict__["__qualname__"].__get__(kind)
    return f"{module}.{name}" if module and module != "builtins" else name


def _module(kind: type) -> str:
    try:
        module = type.__dict__["__module__"].__get__(kind)
    except AttributeError:
        return ""
    return _plain(module) if _is(module, str) else ""
