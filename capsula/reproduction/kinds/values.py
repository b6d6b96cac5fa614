"""JSON: compared value by value, in whatever order the keys stand; numbers may be close."""

import json
from collections.abc import Iterable
from math import isfinite
from typing import TypeAlias

from returns.result import Failure, Result, Success

from capsula.core.fault import Fault
from capsula.reproduction.comparison import Comparison, different, or_different
from capsula.reproduction.kinds import text
from capsula.reproduction.pair import MIB, Pair, Terms, both, size_of
from capsula.reproduction.tally import Tally

MOST_PARSED = 32 * MIB
"""Bytes of a file that is parsed, which takes a multiple of that; a longer one is compared as text."""

Place: TypeAlias = "tuple[Place, str | int] | None"


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two JSON files compare."""
    if max(size_of(pair.recorded), size_of(pair.replayed)) > MOST_PARSED:
        return text.compare(pair, terms)
    values = pair.whole.bind(lambda contents: both(parsed, *contents))
    return or_different("json", values.map(lambda it: _compared(*it, Tally(terms.tolerance))))


def _compared(recorded: object, replayed: object, tally: Tally) -> Comparison:
    mismatch = _mismatch(recorded, replayed, tally)
    return different("json", mismatch) if mismatch else tally.comparison("json")


def parsed(content: bytes) -> Result[object, Fault]:
    """Return the value of a JSON text in which no key stands twice, and no number is beyond a double."""
    try:
        value: object = json.loads(content, object_pairs_hook=_table, parse_float=_double)
    except RecursionError:
        return Failure(Fault("malformed", "is nested too deep"))
    except ValueError:
        return Failure(Fault("malformed", "is no sound JSON"))
    return Success(value)


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice")
    return table


def _double(number: str) -> float:
    value = float(number)
    if not isfinite(value):
        raise ValueError("a number is beyond a double")
    return value


def _mismatch(recorded: object, replayed: object, tally: Tally) -> str:
    """Return where the values differ in more than numbers, in words, and add all numbers to the tally."""
    waiting: list[tuple[Place, object, object]] = [(None, recorded, replayed)]
    while waiting:
        place, one, other = waiting.pop()
        match one, other:
            case dict(), dict():
                if one.keys() != other.keys():
                    return f"{_pointer(place)} has other keys"
                waiting += (((place, key), value, other[key]) for key, value in one.items())
            case list(), list():
                if len(one) != len(other):
                    return f"{_pointer(place)} holds {len(other)} values instead of {len(one)}"
                if _are_numbers(one) and _are_numbers(other):
                    tally.add(zip(one, other, strict=True))
                else:
                    parts = enumerate(zip(one, other, strict=True))
                    waiting += (((place, index), value, another) for index, (value, another) in parts)
            case (int() | float(), int() | float()) if _are_numbers((one, other)):
                tally.add([(one, other)])
            case _ if type(one) is not type(other) or one != other:
                return f"{_pointer(place)} differs"
    return ""


def _are_numbers(values: Iterable[object]) -> bool:
    return all(type(value) in (float, int) for value in values)  # True is an int, and no number


def _pointer(place: Place) -> str:
    keys: list[str] = []
    while place:
        place, key = place
        keys.append(str(key).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{key}" for key in reversed(keys)) or "the whole"
