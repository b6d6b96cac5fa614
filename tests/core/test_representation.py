"""Values of the user's program as facts."""

import io
import json
import math
import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import ClassVar, NoReturn

import attrs
import pytest

from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.representation import (
    DEEPEST,
    LONGEST_REPR,
    LONGEST_TEXT,
    MOST_FAULTS,
    MOST_PARTS,
    MOST_TEXT,
    represented,
)

HERE = __name__


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    HIGH = 3


class Mood(StrEnum):
    FINE = "fine"


@dataclass
class Point:
    x: object
    y: object = 2
    secret: str = field(default="s", repr=False)
    kind: ClassVar[str] = "point"


@attrs.define
class Size:
    width: int
    secret: str = attrs.field(default="s", repr=False)


Pair = namedtuple("Pair", ["one", "other"])  # the kind without types is the older


class Unwilling:
    def __getattribute__(self, name: str) -> NoReturn:
        raise ZeroDivisionError(name)

    def __repr__(self) -> NoReturn:
        raise ZeroDivisionError

    __bool__ = __len__ = __iter__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]  # none of them is called


class Leaving:
    def __repr__(self) -> NoReturn:
        sys.exit("leaves the program")


class Liar:
    @property  # type: ignore[misc]  # a lie
    def __class__(self) -> type:
        return int

    def __repr__(self) -> str:
        return "a liar"


class UnwillingClass(type):
    def __getattribute__(cls, name: str) -> NoReturn:
        raise ZeroDivisionError(name)


class OfUnwillingClass(metaclass=UnwillingClass):
    pass


class Array:
    """What numpy's arrays do: they compare part by part, and refuse to be true or false."""

    def __eq__(self, other: object) -> "Array":  # type: ignore[override]  # as numpy
        return self

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __len__(self) -> int:
        return 3

    def __repr__(self) -> str:
        return "array([1, 2, 3])"

    __hash__ = None  # type: ignore[assignment]  # as numpy


def refuse(*_: object) -> NoReturn:
    raise ZeroDivisionError


HOSTILE = dict.fromkeys(["__len__", "__iter__", "__getitem__", "__eq__", "__str__", "__int__", "__float__"], refuse)


@pytest.mark.parametrize(
    "value", [None, True, 1, -(2**1000), 1.5, "é", "\udcff", "", [1, [2]], {"a": {"b": None}}, [], {}]
)
def test_what_is_json_is_itself(value: object) -> None:
    assert represented(value) == Fragment(value)  # type: ignore[arg-type]  # it is Json


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        ((1, 2), [1, 2]),
        (Level.HIGH, 3),
        (Mood.FINE, "fine"),
        (Point(1), {"type": f"{HERE}.Point", "fields": {"x": 1, "y": 2}}),
        (Size(1), {"type": f"{HERE}.Size", "fields": {"width": 1}}),
        (Pair(1, (2,)), {"type": f"{HERE}.Pair", "fields": {"one": 1, "other": [2]}}),
        (b"\0\xff", {"type": "bytes", "length": 2, "base64": "AP8="}),
        (Colour.RED, {"type": f"{HERE}.Colour", "repr": "<Colour.RED: 1>"}),
        (math.inf, {"type": "float", "repr": "inf"}),
        (math.nan, {"type": "float", "repr": "nan"}),
        ({1: "a", (2,): [3]}, {"type": "dict", "length": 2, "repr": "{1: 'a', (2): [3]}"}),
        ({1}, {"type": "set", "length": 1, "repr": "{1}"}),
        (OrderedDict(a=1), {"type": "collections.OrderedDict", "length": 1, "repr": "OrderedDict('a': 1)"}),
        (Counter("a"), {"type": "collections.Counter", "length": 1, "repr": "Counter('a': 1)"}),
        (deque([1]), {"type": "collections.deque", "length": 1, "repr": "deque(1)"}),
        (Liar(), {"type": f"{HERE}.Liar", "repr": "a liar"}),
        (Array(), {"type": f"{HERE}.Array", "repr": "array([1, 2, 3])"}),
        (Point, {"type": "type", "repr": f"<class '{HERE}.Point'>"}),
    ],
)
def test_what_is_not_json_tells_its_type(value: object, fact: object) -> None:
    assert represented(value) == Fragment(fact)  # type: ignore[arg-type]  # it is Json


@pytest.mark.parametrize(("kind", "value"), [(int, 5), (float, 1.5), (str, "text")])
def test_a_number_or_text_of_a_hostile_class_is_a_plain_one(kind: type, value: object) -> None:
    fragment = represented(type("Hostile", (kind,), HOSTILE)(value))

    assert fragment == Fragment(value)  # type: ignore[arg-type]  # it is Json
    assert type(fragment.facts) is kind


@pytest.mark.parametrize(("kind", "value"), [(list, [1]), (tuple, (1,)), (dict, {1: 2}), (bytes, b"a"), (set, {1})])
def test_a_container_of_a_hostile_class_is_told_without_its_methods(kind: type, value: object) -> None:
    fragment = represented(type("Hostile", (kind,), HOSTILE)(value))

    assert fragment.faults == ()


def test_a_value_whose_methods_raise_costs_only_itself() -> None:
    fragment = represented([1, Unwilling(), OfUnwillingClass()])

    assert isinstance(fragment.facts, list)
    assert fragment.facts[:2] == [1, {"type": f"{HERE}.Unwilling"}]
    assert fragment.facts[2]["type"] == "OfUnwillingClass" or fragment.facts[2]["type"] == f"{HERE}.OfUnwillingClass"
    assert fragment.faults[0] == Fault("unrepresentable", "its methods raised ZeroDivisionError", path=("1", "repr"))


def test_a_value_that_would_leave_the_program_is_not_let() -> None:
    fragment = represented([Leaving(), 1])

    assert fragment.facts == [{"type": f"{HERE}.Leaving"}, 1]
    assert fragment.faults == (Fault("unrepresentable", "its methods raised SystemExit", path=("0", "repr")),)


def test_a_field_that_cannot_be_read_costs_only_itself() -> None:
    point = Point(1)
    del point.x

    fragment = represented(point)

    assert fragment == Fragment(
        {"type": f"{HERE}.Point", "fields": {"y": 2}},
        (),
        (Fault("unrepresentable", "its methods raised AttributeError", path=("fields", "x")),),
    )


def test_nothing_is_consumed() -> None:
    numbers = iter([1, 2])
    stream = io.StringIO("text")

    def generated() -> Iterator[int]:
        yield 1

    generator = generated()

    represented([numbers, stream, generator])

    assert (list(numbers), stream.read(), list(generator)) == ([1, 2], "text", [1])


def test_a_value_inside_of_itself_is_cut_there() -> None:
    row: list[object] = [1]
    row.append(row)
    point = Point(None)
    point.x = point

    fragment = represented({"row": row, "point": point})

    assert [fault.path for fault in fragment.faults] == [("row", "1", "whole"), ("point", "fields", "x", "whole")]
    assert fragment.facts == {
        "row": [1, {"type": "list", "length": 2, "repr": "[1, [1, [1, [...]]]]"}],
        "point": {"type": f"{HERE}.Point", "fields": {"x": {"type": f"{HERE}.Point"}, "y": 2}},
    }


def test_what_is_too_deep_is_cut_there() -> None:
    value: object = 1
    for _ in range(DEEPEST + 1):
        value = [value]

    fragment = represented(value)

    facts: Json = {"type": "list", "length": 1, "repr": "[1]"}
    for _ in range(DEEPEST):
        facts = [facts]
    place = (*("0",) * DEEPEST, "whole")
    assert fragment == Fragment(facts, (), (Fault("cut", "a value too deep: only a part is recorded", path=place),))


def deep() -> object:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    return value


def shared() -> object:
    value: object = "x"
    for _ in range(30):
        value = Point(value, value)
    return value


def shared_rows() -> object:
    value: object = {1: "x"}
    for _ in range(40):
        value = [value] * 10
    return value


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: [0] * 5_000_000, id="a list of 40 MB"),
        pytest.param(lambda: {str(number): number for number in range(1_000_000)}, id="a table of a million names"),
        pytest.param(lambda: {number: number for number in range(1_000_000)}, id="a table of a million numbers"),
        pytest.param(lambda: defaultdict(int, dict.fromkeys(range(1000000), 1)), id="a subclass of dict"),
        pytest.param(lambda: set(range(1_000_000)), id="a set of a million"),
        pytest.param(lambda: deque(range(1_000_000)), id="a deque of a million"),
        pytest.param(lambda: [[0] * 5] * 9_999, id="many lists"),
        pytest.param(lambda: [bytearray(10_000_000)] * 100, id="long bytearrays"),
        pytest.param(lambda: [b"x" * LONGEST_TEXT] * 1_000, id="many bytes"),
        pytest.param(lambda: ["x" * LONGEST_TEXT] * 1_000, id="many texts"),
        pytest.param(lambda: [Colour] * 9_000, id="many reprs"),
        pytest.param(lambda: {"x" * 10_000_000: 1}, id="a long name"),
        pytest.param(lambda: "x" * 100_000_000, id="a long text"),
        pytest.param(lambda: b"x" * 100_000_000, id="many bytes at once"),
        pytest.param(lambda: 1 << 3_500_000, id="a number of a million digits"),
        pytest.param(deep, id="a deep list"),
        pytest.param(shared, id="a value that shares its parts"),
        pytest.param(shared_rows, id="rows that share their parts"),
    ],
)
def test_time_and_size_are_bounded_whatever_the_value(made: Callable[[], object]) -> None:
    fragment = represented(made())

    size = len(json.dumps([fragment.facts, [fault.as_facts() for fault in fragment.faults]]))
    assert size < 4_000_000
    assert len(fragment.faults) <= MOST_FAULTS


def test_what_is_cut_says_so_and_how_much_there_was() -> None:
    row = [0] * (MOST_PARTS + 1)

    assert represented({"row": row, "text": "x" * (LONGEST_TEXT + 1)}) == Fragment(
        {
            "row": {"type": "list", "length": MOST_PARTS + 1, "repr": "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...]"},
            "text": {"type": "str", "length": LONGEST_TEXT + 1, "text": "x" * 200},
        },
        (),
        (
            Fault("cut", f"{MOST_PARTS + 1} values: only a part is recorded", path=("row", "whole")),
            Fault("cut", f"a text of {LONGEST_TEXT + 1} characters: only a part is recorded", path=("text", "whole")),
        ),
    )


def test_an_array_that_would_show_all_of_itself_is_told_by_its_shape() -> None:
    numpy = pytest.importorskip("numpy")
    size = 10 * MOST_PARTS

    def reprs() -> list[object]:
        given = (array("d", bytes(8 * size)), numpy.zeros((2, size)), numpy.zeros(3))
        return [part["repr"] for part in represented(given).facts]  # type: ignore[index,union-attr,call-overload]  # Json

    bounded = reprs()
    with numpy.printoptions(threshold=sys.maxsize):
        boundless = reprs()

    big = f"<array of shape ({size},)>"
    few = "array([0., 0., 0.])"
    assert bounded == [big, repr(numpy.zeros((2, size))), few]
    assert boundless == [big, f"<ndarray of shape (2, {size})>", few]


def test_a_long_repr_is_cut() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 10_000_000

    fragment = represented(Long())

    assert isinstance(fragment.facts, dict)
    assert fragment.facts["repr"] == "x" * LONGEST_REPR + "..."


def test_texts_are_whole_as_long_as_their_sum_is_affordable() -> None:
    texts = ["x" * LONGEST_TEXT] * (MOST_TEXT // LONGEST_TEXT)

    assert represented(texts) == Fragment(texts)
