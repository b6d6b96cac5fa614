"""Values of the user's program as facts: JSON as it is, all else as a type and a bounded ``repr``."""

import math
from base64 import b64encode
from collections.abc import Iterable, Sized
from reprlib import Repr

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

_BOUNDED = Repr()
_BOUNDED.maxlevel = 4
_BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxset = _BOUNDED.maxfrozenset = _BOUNDED.maxdict = 50
_BOUNDED.maxstring = _BOUNDED.maxother = _BOUNDED.maxlong = 200


def represented(value: object) -> Fragment:
    """Return a value as a fact; what cannot be told, in part or whole, costs a fault and never an exception.

    Finite numbers, texts, lists, tuples and tables of names are JSON, and so are dataclasses and their like, as a table
    of ``type`` and ``fields``. Anything else, and what is too long, too deep or inside of itself, is a table of
    ``type`` and ``repr`` (``base64`` for bytes), and ``length`` where it has one.
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
        except Exception as error:  # whatever the value's own methods raise
            raised = Fault("unrepresentable", f"its methods raised {type(error).__name__}", path=(*place, "repr"))
            self.faults.append(raised)
            return {"type": _name(value)}

    def _fact(self, value: object, place: KeyPath, above: tuple[int, ...]) -> Json:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, int) and value.bit_length() <= LONGEST_INTEGER:
            return int.__pos__(value)  # a plain number, also of an enumeration's member
        if isinstance(value, float) and math.isfinite(value):
            return float.__pos__(value)
        if isinstance(value, str):
            return self._told(str.__getitem__(value, slice(None)), place)
        if isinstance(value, bytes):
            return {"type": "bytes", "length": len(value), "base64": b64encode(value[:LONGEST_TEXT]).decode()}
        if type(value) in (list, tuple, dict) or _fields(value):
            return self._whole(value, place, above)
        return self._described(value)

    def _told(self, text: str, place: KeyPath) -> Json:
        self._text -= len(text)
        if len(text) <= LONGEST_TEXT and self._text >= 0:
            return text
        self._cut(place, f"a text of {len(text)} characters")
        return {"type": "str", "length": len(text), "text": text[:LONGEST_REPR]}

    def _whole(self, value: object, place: KeyPath, above: tuple[int, ...]) -> Json:
        """Return a container part by part, if it is small enough, and not inside of itself."""
        if id(value) in above or len(above) >= DEEPEST:
            return self._summary(value, place, "a value inside of itself" if id(value) in above else "a value too deep")
        if isinstance(value, Sized) and len(value) > self._parts:
            return self._summary(value, place, f"{len(value)} values")
        inside = (*above, id(value))
        if type(value) in (list, tuple):
            parts = enumerate(value) if isinstance(value, Iterable) else ()
            return [self.fact(part, (*place, str(index)), inside) for index, part in parts]
        if isinstance(value, dict):
            if not all(type(key) is str for key in value):
                return self._described(value)
            return {key: self.fact(part, (*place, key), inside) for key, part in value.items()}
        fields: dict[str, Json] = {
            name: self.fact(getattr(value, name, None), (*place, "fields", name), inside) for name in _fields(value)
        }
        return {"type": _name(value), "fields": fields}

    def _described(self, value: object) -> Json:
        text = _BOUNDED.repr(value) if type(value) in _CONTAINERS else repr(value)
        self._text -= len(text)
        return {"type": _name(value), "repr": text if len(text) <= LONGEST_REPR else f"{text[:LONGEST_REPR]}..."}

    def _summary(self, value: object, place: KeyPath, why: str) -> Json:
        self._cut(place, why)
        length: dict[str, Json] = {"length": len(value)} if isinstance(value, Sized) else {}
        return {"type": _name(value), **length, "repr": _BOUNDED.repr(value)}

    def _cut(self, place: KeyPath, what: str) -> None:
        self.faults.append(Fault("cut", f"{what}: only a part is recorded", path=(*place, "whole")))


_CONTAINERS = (list, tuple, dict, set, frozenset, int)


def _fields(value: object) -> tuple[str, ...]:
    """Return the names of the fields that a dataclass, an attrs class or a named tuple shows of itself."""
    kind = type(value)
    if issubclass(kind, tuple):
        return tuple(getattr(kind, "_fields", ()))
    shown = (*getattr(kind, "__dataclass_fields__", {}).values(), *getattr(kind, "__attrs_attrs__", ()))
    return tuple(field.name for field in shown if field.repr)


def _name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
