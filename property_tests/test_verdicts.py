"""Laws of comparisons and verdicts: whatever the bytes, a grade comes out, and it is the same from either side."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from math import isclose, isinf, isnan

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capsula.reproduction.compare import compared_contents, settled
from capsula.reproduction.comparison import Comparison, Grade, Tolerance
from capsula.reproduction.verdict import Ending, Suspect, Verdict, blocked, exit_status, judged, lines

SUFFIXES = [
    "txt",
    "csv",
    "tsv",
    "json",
    "ipynb",
    "npy",
    "npz",
    "zip",
    "xlsx",
    "gz",
    "csv.gz",
    "svg",
    "pdf",
    "eps",
    "png",
]
NAMES = st.sampled_from([f"a.{suffix}" for suffix in SUFFIXES] + ["a", "a.unknown", "a.GZ"])

DOUBLES = st.floats()
INTEGERS = st.integers(-(10**320), 10**320) | st.integers(-(2**54), 2**54)
NUMBERS = DOUBLES | INTEGERS
TOLERANCES = st.builds(
    Tolerance, st.sampled_from([0.0, 1e-12, 1e-9, 0.5, 2.0]), st.sampled_from([0.0, 1e-300, 1e-6, 1.0, 1e300])
)


def zipped(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, colours: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def npy(dtype: str, shape: str, data: bytes) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


WORDS = st.lists(
    st.sampled_from(
        [b"1", b"-0.0", b"1e5", b"1e999", b" ", b"\n", b"\r\n", b",", b"a", b"007", b".", b"\xef\xbb\xbf", b"\0"]
    )
    | st.floats().map(lambda it: repr(it).encode())
).map(b"".join)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=3),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(max_size=2), it, max_size=3),
    max_leaves=6,
).map(lambda it: json.dumps(it).encode())
CELLS = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown", 3]), "source": st.text(max_size=3) | st.just(["a", "b"])},
    optional={
        "id": st.text(max_size=3),
        "execution_count": st.integers(),
        "outputs": st.lists(
            st.sampled_from(
                [
                    {"output_type": "stream", "name": "stdout", "text": ["1.5\n"]},
                    {"output_type": "execute_result", "data": {"text/plain": "<a at 0x1f>", "image/png": "====\u00e9"}},
                    {"output_type": "error", "ename": "E", "evalue": "e"},
                    {"output_type": 3},
                ]
            ),
            max_size=2,
        ),
    },
)
NOTEBOOKS = st.lists(CELLS, max_size=2).map(lambda cells: json.dumps({"cells": cells}).encode())
ARRAYS = st.builds(
    npy,
    st.sampled_from(["<f8", ">f4", "<f2", "|b1", "<i8", "<c16", "|O", "<M8[ns]", "<U2", "nonsense"]),
    st.sampled_from(["()", "(1,)", "(2,)", "(2, 1)", "(-1,)", "3"]),
    st.binary(max_size=32),
)
PICTURES = st.builds(
    png, st.integers(0, 2), st.integers(0, 2), st.sampled_from([0, 2, 3, 6, 9]), st.binary(max_size=18)
)
DRAWINGS = st.lists(
    st.sampled_from(
        [b'<g id="', b"a1", b'"/>', b"url(#", b"a1)", b"<metadata", b"</metadata>", b"<!--", b"-->", b"1.5"]
    )
).map(b"".join)
PAGES = st.lists(
    st.sampled_from(
        [b"/ID [<ab>", b"<cd>]", b"/CreationDate (D:2024)", b"%%CreationDate: x", b"\n", b"startxref 12", b"1"]
    )
).map(b"".join)
PLAIN = st.one_of(st.binary(max_size=40), WORDS, JSON, NOTEBOOKS, ARRAYS, PICTURES, DRAWINGS, PAGES)
CONTENTS = st.recursive(
    PLAIN,
    lambda it: (
        st.dictionaries(NAMES, it, max_size=2).map(zipped) | it.map(lambda content: gzip.compress(content, mtime=0))
    ),
    max_leaves=3,
)


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """A content with some of its bytes gone or changed."""
    content = bytearray(draw(CONTENTS))
    for _ in range(draw(st.integers(0, 2))):
        if content:
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))]) if draw(st.booleans()) else bytes(content)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(torn(), torn(), NAMES, TOLERANCES)
def test_every_two_contents_compare_and_alike_from_either_side(
    one: bytes, other: bytes, name: str, tolerance: Tolerance
) -> None:
    there, back = (compared_contents(*both, name, tolerance) for both in ((one, other), (other, one)))

    assert there.grade is back.grade
    assert (there.max_absolute, there.max_relative) == (back.max_absolute, back.max_relative)
    assert there.grade in (Grade.IDENTICAL, Grade.EQUIVALENT, Grade.CLOSE, Grade.DIFFERENT)
    assert (there.grade is Grade.IDENTICAL) == (one == other)
    json.dumps(there.as_facts(), allow_nan=False)


@given(CONTENTS, CONTENTS, NAMES, TOLERANCES, TOLERANCES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_wider_tolerance_never_makes_a_grade_worse(
    one: bytes, other: bytes, name: str, tolerance: Tolerance, more: Tolerance
) -> None:
    wider = Tolerance(max(tolerance.relative, more.relative), max(tolerance.absolute, more.absolute))

    assert compared_contents(one, other, name, wider).grade <= compared_contents(one, other, name, tolerance).grade


def as_text(number: float) -> bytes:
    return f"x = {number!r}\n".encode()


def as_json(number: float) -> bytes:
    return json.dumps([None, {"x": number}]).encode()


def as_array(number: float) -> bytes:
    return npy("<f8", "(1,)", struct.pack("<d", number))


@pytest.mark.parametrize(("name", "written"), [("a.csv", as_text), ("a.json", as_json), ("a.npy", as_array)])
@given(one=DOUBLES, other=DOUBLES, tolerance=TOLERANCES)
@example(one=1.0, other=1.5, tolerance=Tolerance(0.0, 0.5))
@example(one=2.0, other=1.0, tolerance=Tolerance(0.5, 0.0))
@example(one=1.0, other=2.0, tolerance=Tolerance(0.5, 0.0))
@example(one=float("inf"), other=1.0, tolerance=Tolerance(2.0, 1e300))
@example(one=1.7e308, other=-1.7e308, tolerance=Tolerance(0.5, 1e300))
@example(one=5e-324, other=0.0, tolerance=Tolerance(0.5, 0.0))
def test_numbers_are_close_as_the_tolerance_says(
    name: str, written: Callable[[float], bytes], one: float, other: float, tolerance: Tolerance
) -> None:
    grade = compared_contents(written(one), written(other), name, tolerance).grade

    if one == other or (isnan(one) and isnan(other)):
        assert grade <= Grade.EQUIVALENT
    elif isinf(one - other):
        assert grade is Grade.DIFFERENT
    else:
        is_close = isclose(one, other, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)
        assert grade is (Grade.CLOSE if is_close else Grade.DIFFERENT)


@pytest.mark.parametrize(("name", "written"), [("a.csv", as_text), ("a.json", as_json)])
@given(one=st.integers(2**53 + 1, 2**80), gap=st.integers(1, 3))
def test_integers_that_no_double_holds_are_equal_or_different(
    name: str, written: Callable[[float], bytes], one: int, gap: int
) -> None:
    generous = Tolerance(0.5, 1e6)

    assert compared_contents(written(one), written(one + gap), name, generous).grade is Grade.DIFFERENT


@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_a_picture_is_its_pixels_however_its_rows_are_filtered(data: st.DataObject, width: int, height: int) -> None:
    rows = data.draw(st.lists(st.binary(min_size=3 * width, max_size=3 * width), min_size=height, max_size=height))
    filters = st.lists(st.integers(0, 4), min_size=height, max_size=height)
    one, other = (png(width, height, 2, filtered(rows, data.draw(filters))) for _ in range(2))

    assert compared_contents(one, other, "a.png").grade <= Grade.EQUIVALENT


def filtered(rows: list[bytes], kinds: list[int]) -> bytes:
    """Filter rows of three bytes a pixel, as the standard has it."""
    above, out = bytes(len(rows[0])), b""
    for kind, row in zip(kinds, rows, strict=True):
        out += bytes([kind])
        for i, here in enumerate(row):
            a, b, c = row[i - 3] if i > 2 else 0, above[i], above[i - 3] if i > 2 else 0
            paeth = min((a, b, c), key=lambda it: abs(a + b - c - it))
            out += bytes([(here - (0, a, b, (a + b) // 2, paeth)[kind]) % 256])
        above = row
    return out


COMPARISONS = st.builds(
    Comparison,
    st.sampled_from([it for it in Grade if it not in (Grade.INCOMPLETE, Grade.FAILED, Grade.BLOCKED)]),
    st.just("bytes"),
    st.text(),
    st.none(),
    st.none(),
    judged=st.booleans(),
)
ENDINGS = st.none() | st.builds(Ending, st.integers(0, 2), st.tuples(st.integers(0, 2)))
VERDICTS = st.builds(
    lambda outputs, ending, stdout, suspects: judged(outputs, ending=ending, stdout=stdout, suspects=suspects),
    st.dictionaries(st.text(), COMPARISONS, max_size=4),
    ENDINGS,
    st.none() | COMPARISONS,
    st.none() | st.lists(st.builds(Suspect, st.sampled_from(["source", "system", "other"]), st.text()), max_size=3),
)


@given(VERDICTS)
def test_only_a_complete_and_good_verdict_reads_like_success(verdict: Verdict) -> None:
    first = lines(verdict)[0]
    comparisons = [*verdict.outputs.values(), *filter(None, (verdict.stdout,))]
    is_success = (
        bool(comparisons)
        and all(it.judged and it.grade <= Grade.CLOSE for it in comparisons)
        and (verdict.ending is None or verdict.ending.grade is Grade.IDENTICAL)
    )

    assert (exit_status(verdict) == 0) is is_success
    assert first.startswith(("identical", "equivalent", "close")) is is_success
    assert all(line.isprintable() for line in lines(verdict))
    json.dumps(verdict.as_facts(), allow_nan=False)


@given(VERDICTS, st.sampled_from(list(Grade)), st.sampled_from(list(Grade)))
def test_who_requires_less_is_never_satisfied_less(verdict: Verdict, one: Grade, other: Grade) -> None:
    lower, upper = sorted((one, other))

    assert exit_status(verdict, upper) <= exit_status(verdict, lower)


@given(st.lists(COMPARISONS, min_size=1), st.lists(COMPARISONS))
def test_what_the_replays_disagree_on_is_never_better_than_nondeterministic(
    with_record: list[Comparison], among: list[Comparison]
) -> None:
    grade = settled(with_record, among).grade

    if any(it.grade > Grade.CLOSE for it in among):
        assert grade is Grade.NONDETERMINISTIC
    else:
        assert grade is max(it.grade for it in with_record)


@given(st.lists(st.text()))
def test_what_is_blocked_is_never_success(reasons: list[str]) -> None:
    assert exit_status(blocked(reasons), Grade.BLOCKED) == 4
