"""Laws of documents: what is written is what is read, whatever the text."""

import os

from hypothesis import given
from hypothesis import strategies as st
from returns.result import Success

from capsula.core.document import HEADER, Document, dumps, loads
from capsula.core.fault import Json

decoded = st.binary(max_size=6).map(os.fsdecode)
lookalikes = st.sampled_from(
    ["\udcff", "\\xff", "\\xff'", "\\xff\udcff", "#", "#/", "/", "~", "~1", "~0", "0", "", "bytes", HEADER, "\\udcff"]
)
texts = decoded | lookalikes | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(texts, parts, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(texts, values, max_size=4)
headers = st.dictionaries(texts.filter(lambda key: key != "bytes"), values, max_size=3)
documents = st.builds(lambda table, header: {**table, HEADER: header}, tables, headers)


@given(documents)
def test_what_is_written_is_what_is_read(document: Document) -> None:
    assert loads(dumps(document)) == Success(document)


@given(documents)
def test_a_text_is_utf8_and_the_same_again(document: Document) -> None:
    text = dumps(document)

    assert "\\ud" not in text.decode("utf-8").replace("\\\\", "")
    assert loads(text).map(dumps) == Success(text)


@given(documents)
def test_the_order_of_keys_stays(document: Document) -> None:
    assert list(loads(dumps(document)).unwrap()) == list(document)


@given(st.binary(max_size=200) | documents.map(dumps), st.integers(0, 300), st.binary(max_size=3))
def test_no_text_whatever_is_more_than_malformed(text: bytes, place: int, instead: bytes) -> None:
    spoilt = text[:place] + instead + text[place + 1 :]

    answer = loads(spoilt)

    assert isinstance(answer, Success) or answer.failure().kind == "malformed"
