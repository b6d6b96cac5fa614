"""Documents as text, and back."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from returns.result import Failure, Success

from capsula import __version__
from capsula.core.clock import stamp
from capsula.core.document import DEEPEST, Document, Header, document, dumps, loads
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment

MOMENT = datetime(2024, 2, 29, 12, tzinfo=UTC)
TOO_DEEP = f"holds more than {DEEPEST} values inside one another"
HEADER = Header(id="0" * 32, taken=MOMENT)


def test_a_document_is_its_facts_and_a_header() -> None:
    fault = Fault("missing", "no such file", "make one", ("files", "a"))

    written = document(Fragment({"cwd": "/", "files": {}}, (), (fault,)), HEADER, {"process": {"pid": 1}})

    assert written == {
        "cwd": "/",
        "files": {},
        "capsula": {
            "format": 1,
            "version": __version__,
            "id": "0" * 32,
            "taken": stamp(MOMENT),
            "status": "partial",
            "durability": "full",
            "faults": [
                {"path": ["files", "a"], "kind": "missing", "message": "no such file", "remedy": "make one"},
            ],
            "process": {"pid": 1},
        },
    }


def test_a_header_tells_its_parent_and_a_status_of_its_own() -> None:
    header = Header("1" * 32, MOMENT, status="running", parent="2" * 32, durability="fast")

    facts = header.as_facts(())

    assert (facts["status"], facts["parent"], facts["durability"]) == ("running", "2" * 32, "fast")


def test_a_text_is_made_for_people() -> None:
    assert dumps({"a": ["é", {}]}) == '{\n    "a": [\n        "é",\n        {}\n    ]\n}\n'.encode()


def test_what_is_not_utf8_is_readable_and_its_bytes_are_kept_beside() -> None:
    facts: Document = {"environ": {"A\udcff": "caf\udce9", "B": ["\udc80"]}, "capsula": {"format": 1}}

    text = dumps(facts)

    assert json.loads(text) == {
        "environ": {"A\\xff": "caf\\xe9", "B": ["\\x80"]},
        "capsula": {
            "format": 1,
            "bytes": {"#/environ/A\\xff": "Qf8=", "/environ/A\\xff": "Y2Fm6Q==", "/environ/B/0": "gA=="},
        },
    }
    assert loads(text) == Success(facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"\udcff": 1, "\\xff": 2},
        {"\\xff": 2, "\udcff": 1},
        {"\udcff": 1, "\\xff": 2, "\\xff'": 3, "\\xff\udcff": 4, "\udcff\udcff": 5},
        {"\udcff": 1, "\\xff#": "\udcfe", "#/\\xff": "\udcfd"},
        {"a": {"/": "\udcff"}, "a/": "\udcfe", "~1": "\udcfd", "~": {"1": "\udcfc"}},
        {"": {"": "\udcff"}, "/": "\udcfe"},
        {"bytes": {"/bytes": "\udcff"}, "\udcff": {"bytes": {"capsula": "\udcfe"}}},
        {"environ": {"capsula": {"bytes": "\udcff"}}},
    ],
)
def test_keys_that_look_alike_are_not_taken_for_one_another(facts: Document) -> None:
    facts = {**facts, "capsula": {"format": 1}}

    assert loads(dumps(facts)) == Success(facts)


def test_a_surrogate_that_stands_for_no_byte_is_readable() -> None:
    text = dumps({"a": "\ud800", "capsula": {}})

    assert json.loads(text)["a"] == "\\xed\\xa0\\x80"


def test_facts_in_tables_and_rows_of_any_kind_are_written() -> None:
    facts: Mapping[str, Json] = MappingProxyType({"a": MappingProxyType({"b": (1, 2)}), "c": range(2)})

    assert json.loads(dumps(facts)) == {"a": {"b": [1, 2]}, "c": [0, 1]}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"a": number})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"[]", "a document is a JSON object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": 1, "a": 1}', "a key stands twice in one object"),
        (b'{"capsula": {"bytes": 1}}', "capsula.bytes is not a table of texts"),
        (b'{"capsula": {"bytes": {"/a": 1}}}', "capsula.bytes is not a table of texts"),
        (b'{"a": 1, "b": 2, "capsula": {"bytes": {"#/a": "Yg=="}}}', "a key stands twice in one object"),
        (
            b'{"a": ' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
            TOO_DEEP,
        ),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", TOO_DEEP),
        (b"[" * 100_000, TOO_DEEP),
    ],
)
def test_a_text_that_is_no_document_is_malformed(text: bytes, message: str) -> None:
    assert loads(text) == Failure(Fault("malformed", message))


@pytest.mark.parametrize("exact", ['"/a": "!"', '"/a": "YQ"', '"/a": "é"'])
def test_bytes_that_are_no_base64_are_malformed(exact: str) -> None:
    answer = loads(f'{{"a": "x", "capsula": {{"bytes": {{{exact}}}}}}}'.encode())

    assert answer.failure().kind == "malformed"


@pytest.mark.parametrize("text", [b"\xff{}", b'{"a": "\xff"}'])
def test_a_text_that_is_not_utf8_is_malformed(text: bytes) -> None:
    assert loads(text).failure().kind == "malformed"


def test_bytes_of_what_is_not_there_are_passed_over() -> None:
    answer = loads(b'{"a": 1, "capsula": {"bytes": {"/a": "YQ==", "/b": "YQ==", "#/c": "YQ=="}}}')

    assert answer == Success({"a": 1, "capsula": {}})


def test_the_deepest_document_survives() -> None:
    deep: Json = "\udcff"
    for _ in range(DEEPEST - 1):
        deep = [deep]

    assert loads(dumps({"a": deep, "capsula": {}})) == Success({"a": deep, "capsula": {}})


def test_a_long_list_is_written_and_read_in_time_that_grows_with_its_length() -> None:
    facts: Document = {"names": [f"{number}\udcff" for number in range(50_000)], "capsula": {}}

    assert loads(dumps(facts)) == Success(facts)
