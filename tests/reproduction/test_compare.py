"""Comparisons of outputs: files of every kind, written as their programs write them."""

import base64
import gzip
import json
import os
import pickle
import resource
import sqlite3
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from hashlib import sha256
from io import BytesIO
from itertools import count
from math import inf, nan
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest

from capsula.reproduction.compare import Digest, compared, compared_contents, settled
from capsula.reproduction.comparison import Comparison, Grade, Tolerance, unjudged

IDENTICAL, EQUIVALENT, CLOSE, DIFFERENT = Grade.IDENTICAL, Grade.EQUIVALENT, Grade.CLOSE, Grade.DIFFERENT


def array(dtype: str, shape: str, data: bytes, order: str = "False") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def doubles(*numbers: float) -> bytes:
    return array("<f8", f"({len(numbers)},)", struct.pack(f"<{len(numbers)}d", *numbers))


def zipped(year: int, *members: tuple[str, bytes], packing: int = ZIP_DEFLATED) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", packing) as archive:
        for name, content in members:
            archive.writestr(ZipInfo(name, (year, 1, 1, 0, 0, 0)), content, packing)
    return file.getvalue()


def png(*chunks: tuple[bytes, bytes], size: tuple[int, int] = (2, 2)) -> bytes:
    header = (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    parts = [header, *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def pixels(rows: bytes, level: int = 6) -> tuple[bytes, bytes]:
    return (b"IDAT", zlib.compress(rows, level))


def database(*statements: str, page: int = 4096) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(f"PRAGMA page_size = {page}; CREATE TABLE t (a, b); {'; '.join(statements)}")
        return connection.serialize()


def framed(pickled: bytes) -> bytes:
    """Return a pickle without the length of its only frame."""
    return pickled[:2] + pickled[11:]


def svg(identity: str, date: str, x: str = "1.5") -> bytes:
    return f"""<?xml version="1.0"?><svg><metadata><dc:date>{date}</dc:date></metadata><!-- {date} -->
<defs><path id="{identity}"/></defs><use xlink:href="#{identity}" x="{x}" clip-path="url(#{identity})" fill="#ff0000"/>
</svg>""".encode()


def pdf(date: str, identity: str, stream: str = "0 0 m") -> bytes:
    return "\n".join(
        (
            f"%PDF-1.4\n1 0 obj << /CreationDate ({date}) /ModDate ({date}) >> endobj",
            f"2 0 obj << /Length 5 >> stream\n{stream}\nendstream endobj",
            f"xref\n0 2\n0000000000 65535 f \n{len(date):010} 00000 n ",
            f"trailer << /ID [<{identity}> <{identity}>] >>\nstartxref\n{90 + len(date)}\n%%EOF",
        )
    ).encode()


def eps(date: str, rest: str = "0 0 moveto") -> bytes:
    return f"%!PS-Adobe-3.0 EPSF-3.0\n%%CreationDate: {date}\n{rest}\n".encode()


def core(date: str) -> tuple[str, bytes]:
    text = f'<x><dcterms:created xsi:type="dcterms:W3CDTF">{date}</dcterms:created><dc:creator>me</dc:creator></x>'
    return ("docProps/core.xml", text.encode())


def notebook(counter: int | None, text: str = "0.5", source: str = "1/2", picture: bytes = b"") -> bytes:
    data = {
        "text/plain": [f"<Line at 0x7f{counter or 0}>\n", text],
        "image/png": base64.b64encode(picture).decode(),
    }
    output = {"output_type": "execute_result", "execution_count": counter, "data": data, "metadata": {}}
    cell = {"cell_type": "code", "id": f"{counter}", "source": source, "execution_count": counter, "outputs": [output]}
    metadata = {"language_info": {"version": f"3.{counter}"}}
    return json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4}).encode()


BLACK = b"\0\0\0\0\0\0"
SHEET = ("xl/worksheets/sheet1.xml", b"<v>1.5</v>")

SAMENESS = [
    ("a.txt", b"one\ntwo\n", b"one\r\ntwo\r\n"),
    ("a.txt", b"one\ntwo\n", b"\xef\xbb\xbfone\ntwo"),
    ("a.txt", b"", b"\xef\xbb\xbf"),
    ("a.txt", b"x = 1.0\n", b"x = 1.00\n"),
    ("a.txt", b"x = -0.0\n", b"x = 0.0\n"),
    ("a.CSV", b"a,b\n1,2\n", b"a,b\r\n1,2\r\n"),
    ("a.json", b'{"a": [1, 2], "b": null}', b'{"b":null,"a":[1,2.0]}\n'),
    ("a.json", b"[NaN, Infinity]", b"[NaN,Infinity]"),
    ("a.npy", doubles(0.0, nan, inf), doubles(-0.0, -nan, inf)),
    ("a.npz", zipped(2020, ("x.npy", doubles(1.0))), zipped(2021, ("x.npy", doubles(1.0)))),
    ("a.zip", zipped(2020, ("a", b"1"), ("b", b"2")), zipped(2020, ("b", b"2"), ("a", b"1"), packing=ZIP_STORED)),
    ("a.xlsx", zipped(2020, core("2020-01-01"), SHEET), zipped(2020, core("2021-01-01T00:00:00Z"), SHEET)),
    ("a.docx", zipped(2020, core("2020-01-01")), zipped(2021, core("2021-01-01"))),
    ("a.gz", gzip.compress(b"content", mtime=1), gzip.compress(b"content", 1, mtime=2)),
    ("a.csv.gz", gzip.compress(b"1\n2\n", mtime=1), gzip.compress(b"1\r\n2\r\n", mtime=1)),
    ("a.svg", svg("m3a7f", "2020-01-01"), svg("p91c02d", "2021-12-31T00:00")),
    ("a.pdf", pdf("D:20200101000000Z", "ab"), pdf("D:20210101000000+01'00'", "cdef")),
    ("a.eps", eps("Wed Jan  1 2020"), eps("Sat Dec 31 2021")),
    ("a.png", png(pixels(BLACK), (b"tEXt", b"Software\0one")), png((b"tIME", b"1234567"), pixels(BLACK, 0))),
    ("a.png", png(pixels(b"\0\1\3\0\4\4")), png(pixels(b"\1\1\2\4\3\0"))),
    ("a.png", png(pixels(b"\0\1\3\0\4\4")), png(pixels(b"\2\1\3\3\4\1"))),
    ("a.ipynb", notebook(1), notebook(7)),
    ("a.ipynb", notebook(1), notebook(None)),
    (".coverage", database("INSERT INTO t VALUES (1, 'x')"), database("INSERT INTO t VALUES (1, 'x')", page=512)),
    (
        "a.db",
        database(),
        database("INSERT INTO t VALUES (1, 2)", "DELETE FROM t", "CREATE TABLE u (a)", "DROP TABLE u"),
    ),
    ("a.pkl", pickle.dumps(["a", 1, 1.5], 4), framed(pickle.dumps(["a", 1, 1.5], 4))),
    (
        "a.ipynb",
        notebook(1, picture=png(pixels(BLACK))),
        notebook(1, picture=png(pixels(BLACK), (b"tEXt", b"a\0b"))),
    ),
]


@pytest.mark.parametrize(("name", "recorded", "replayed"), SAMENESS, ids=count())
def test_dates_ids_and_ways_of_writing_are_not_the_content(name: str, recorded: bytes, replayed: bytes) -> None:
    grades = [compared_contents(*both, name).grade for both in ((recorded, replayed), (replayed, recorded))]

    assert grades == [EQUIVALENT, EQUIVALENT]


CLOSENESS = [
    ("a.txt", b"pi is 3.141592653589793, or so\n", b"pi is 3.141592653589794, or so\n"),
    ("a.txt", b"v:  9.9999999999\n", b"v: 10.0000000000\n"),
    ("a.txt", b"0.1 to 20 digits\n", b"0.10000000000000000555 to 20 digits\n"),
    ("a.csv", b"a,b\n1,0.3\n", b"a,b\n1,0.30000000000000004\n"),
    ("a.tsv", b"a\t1e-05\n", b"a\t1.00000000000001e-05\n"),
    ("a.json", b'{"a": {"b": [0.3, "x"]}}', b'{"a":{"b":[0.30000000000000004,"x"]}}'),
    ("a.npy", doubles(0.3, 1), doubles(0.30000000000000004, 1)),
    ("a.npz", zipped(2020, ("x.npy", doubles(0.3))), zipped(2021, ("x.npy", doubles(0.30000000000000004)))),
    ("a.xlsx", zipped(2020, SHEET), zipped(2020, (SHEET[0], b"<v>1.5000000000000002</v>"))),
    ("a.csv.gz", gzip.compress(b"0.3\n"), gzip.compress(b"0.30000000000000004\n")),
    ("a.svg", svg("a1", "x"), svg("b2", "y", "1.5000000000000002")),
    ("a.ipynb", notebook(1, "0.3"), notebook(2, "0.30000000000000004")),
]


@pytest.mark.parametrize(("name", "recorded", "replayed"), CLOSENESS, ids=count())
def test_numbers_within_the_tolerance_are_close_and_without_any_different(
    name: str, recorded: bytes, replayed: bytes
) -> None:
    usual = compared_contents(recorded, replayed, name)
    exact = compared_contents(recorded, replayed, name, Tolerance(0.0, 0.0))

    assert (usual.grade, exact.grade, usual.differing) == (CLOSE, DIFFERENT, 1)
    assert 0 < (usual.max_relative or 0) < 1e-9
    assert 0 < (usual.max_absolute or 0) < 1e-9


DIFFERENCE = [
    ("a.txt", b"a\n", b"b\n", "line 1 differs"),
    ("a.txt", b"a\n", b"a\nb\n", "goes on after line 1, the last one of the recorded"),
    ("a.txt", b"a\nb\n", b"a\n", "ends after line 1, before the recorded does"),
    ("a.txt", b"x = 1.0\n", b"x = nan\n", "line 1 differs"),
    ("a.txt", b"x = 1 \n", b"x = 1\n", "line 1 differs"),
    ("a.txt", b"1e400\n", b"1e500\n", "1 number differs, 1 beyond the tolerance"),
    ("a.txt", b"7\n", b"007\n", "line 1 differs"),
    ("a.txt", b"\0001\n", b"\0001.0\n", "line 1 differs"),
    ("a.txt", b"v1.2.3\n", b"v1.2.4\n", "line 1 differs"),
    ("a.txt", b"2024-01-02\n", b"2024-01-03\n", "line 1 differs"),
    ("a.csv", b"id\n9007199254740993\n", b"id\n9007199254740992\n", "1 number differs, 1 beyond the tolerance"),
    ("a.csv", b"a\n1\n2\n", b"a\n2\n1\n", "2 numbers differ, 2 beyond the tolerance"),
    ("a.csv", b"a\nx\ny\n", b"a\ny\nx", "the same rows in another order"),
    ("a.csv", b"a,b\n1,2\n", b"a,b,c\n1,2,3\n", "line 1 has 3 columns instead of 2"),
    ("a.tsv", b"a\tb\n", b"a\n", "line 1 has 1 columns instead of 2"),
    ("a.json", b"[1]", b"[true]", "/0 differs"),
    ("a.json", b'[{"a/b": "x"}]', b'[{"a/b": "y"}]', "/0/a~1b differs"),
    ("a.json", b'{"a": 1}', b'{"b": 1}', "the whole has other keys"),
    ("a.json", b'{"a": [1]}', b'{"a": [1, 2]}', "/a holds 2 values instead of 1"),
    ("a.json", b"[1, 2]", b"[2, 1]", "2 numbers differ, 2 beyond the tolerance"),
    ("a.json", b"[NaN]", b"[1.0]", "1 number differs, 1 beyond the tolerance"),
    ("a.json", b"[9007199254740993]", b"[9007199254740992]", "1 number differs, 1 beyond the tolerance"),
    ("a.json", b'{"a": 1, "a": 2}', b'{"a": 2}', "is no sound JSON"),
    ("a.json", b"[1e400]", b"[1e500]", "is no sound JSON"),
    ("a.json", b"[" * 100_000, b"[1]", "is nested too deep"),
    ("a.json", b"[" + b"1" * 5000 + b"]", b"[1]", "is no sound JSON"),
    ("a.npy", doubles(1.0), doubles(nan), "1 number differs, 1 beyond the tolerance"),
    ("a.npy", doubles(inf), doubles(-inf), "1 number differs, 1 beyond the tolerance"),
    ("a.npy", doubles(1.0), array("<f4", "(1,)", struct.pack("<f", 1)), "dtype <f4 instead of <f8"),
    ("a.npy", doubles(1.0), array("<f8", "(1, 1)", struct.pack("<d", 1)), "shape (1, 1) instead of (1,)"),
    ("a.npy", array("<f8", "()", bytes(8)), array("<f8", "()", bytes(8), "True"), "its memory order changed"),
    ("a.npy", array("|b1", "(1,)", b"\0"), array("|b1", "(1,)", b"\1"), "values of dtype |b1 differ, and are compared"),
    ("a.npy", doubles(1.0), doubles(1.0)[:-1], "the array holds 7 bytes instead of 8"),
    ("a.npy", doubles(1.0), b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "the head of the array is malformed"),
    (
        "a.npy",
        doubles(1.0),
        array("<f8", f"(1, {'9' * 4000})", bytes(8)),
        "the head of the array is malformed",
    ),
    ("a.npy", doubles(1.0), array("<f8", f"({'9, ' * 3000})", bytes(8)), "the head of the array is malformed"),
    ("a.npy", doubles(1.0), b"", "is no array of numpy"),
    ("a.npz", zipped(2020, ("a.npy", b"")), zipped(2020, ("b.npy", b"")), "without a.npy and with b.npy besides"),
    ("a.npz", zipped(2020, ("a.npy", doubles(1))), zipped(2020, ("a.npy", doubles(2))), "a.npy: 1 number differs, 1"),
    ("a.zip", zipped(2020, ("a", b"1")), zipped(2020, ("a", b"2")), "a: its bytes differ"),
    ("a.zip", zipped(2020, ("a", b"1")), zipped(2020, ("a", b"1"))[:-9], "is no sound zip archive"),
    (
        "a.xlsx",
        zipped(2020, core("2020")),
        zipped(2020, (core("2020")[0], b"<x/>")),
        "docProps/core.xml: line 1 differs",
    ),
    ("a.gz", gzip.compress(b"a"), gzip.compress(b"b"), "its bytes differ"),
    ("a.gz", gzip.compress(b"a"), gzip.compress(b"a")[:-1], "is no sound gzip file"),
    ("a.svg", svg("a1", ""), svg("a1", "").replace(b"ff0000", b"00ff00"), "line 2 differs"),
    ("a.svg", b'<p id="a"/><p id="b"/>#<use href="#a"/>', b'<p id="c"/><p id="d"/>#<use href="#d"/>', "line 1 differs"),
    ("a.pdf", pdf("D:2020", "ab"), pdf("D:2020", "ab", "9 0 m"), "more than dates and ids differs"),
    ("a.eps", eps("x"), eps("x", "1 0 moveto"), "more than dates and ids differs"),
    ("a.png", png(pixels(BLACK)), png(pixels(b"\0\0\0\0\0\1")), "its pixels differ"),
    ("a.png", png(pixels(BLACK)), png(pixels(BLACK), (b"pHYs", b"123456789")), "its palette, colours or resolution"),
    ("a.png", png(pixels(BLACK)), png(pixels(b"\0\0"), size=(1, 1)), "1 x 1 pixels of 1 samples of 8 bits instead"),
    ("a.png", png(pixels(BLACK)), png(pixels(BLACK[1:])), "is no sound PNG"),
    ("a.png", png(pixels(BLACK)), png(pixels(b"\5\0\0\5\0\0")), "its pixels differ"),
    ("a.ipynb", notebook(1), notebook(1, source="1/3"), "cell 1, code: its bytes differ"),
    (
        "a.ipynb",
        notebook(1),
        notebook(1, "0.6"),
        "output 1 of cell 1, text/plain.txt: 1 number differs, 1 be",
    ),
    ("a.ipynb", notebook(1), b'{"worksheets": []}', "is no sound notebook"),
    ("a.db", database("INSERT INTO t VALUES (1, 2)"), database("INSERT INTO t VALUES (1, 3)"), "as a dump: 1 number"),
    ("a.db", database("INSERT INTO t VALUES (1, X'00')"), database("INSERT INTO t VALUES (1, X'01')"), "as a dump: "),
    ("a.db", database("INSERT INTO t VALUES (1, 2)"), database("CREATE TABLE u (a)"), "as a dump: line"),
    ("a.db", database(), database()[:-5000], "is no sound SQLite database"),
    ("a.db", database(), database()[:100] + bytes(8092), "is no sound SQLite database"),
    ("a.db", database(), b"none", "its bytes differ"),
    ("a.pkl", pickle.dumps([1, "x"]), pickle.dumps([2, "x"]), "as a listing: 1 number differs, 1 beyond"),
    ("a.pkl", pickle.dumps(str), pickle.dumps(int), "as a listing: line"),
    ("a.pkl", pickle.dumps(1), pickle.dumps(1) + pickle.dumps(2), "as a listing: goes on after line"),
    ("a.pkl", pickle.dumps([1]), pickle.dumps([1])[:-1], "is no sound pickle"),
    ("a.pkl", pickle.dumps([1]), b"\xff", "is no sound pickle"),
    ("a.unknown", b"1.0", b"1.00", "its bytes differ"),
    ("a", b"1.0", b"1.00", "its bytes differ"),
]


@pytest.mark.parametrize(("name", "recorded", "replayed", "reason"), DIFFERENCE, ids=count())
def test_what_changed_is_different_and_the_reason_is_told(
    name: str, recorded: bytes, replayed: bytes, reason: str
) -> None:
    there = compared_contents(recorded, replayed, name)
    back = compared_contents(replayed, recorded, name)

    assert (there.grade, back.grade, there.judged) == (DIFFERENT, DIFFERENT, True)
    assert there.reason.startswith(reason)


@pytest.mark.parametrize(
    ("recorded", "replayed", "reason"),
    [
        (b"a\nb\n", b"a\nc\n", "line 2 differs"),
        (b"a\nb\nc\n", b"x\nb\ny\n", "lines 1 and 3 differ"),
        (b"a\nb\nc\nd\ne\n", b"v\nw\nx\ny\nz\n", "lines 1, 2, 3 and more differ"),
        (
            b"took 1.5 s\nx\ntook 2 s\n",
            b"took 1.6 s\nx\ntook 3 s\n",
            "2 numbers differ, 2 beyond the tolerance: lines 1 and 3",
        ),
        (b"took 1.5 s\nx\nrest\n", b"took 1.6 s\nx\nend\n", "lines 1 and 3 differ"),
        (b"a\n", b"a\nb\n", "goes on after line 1, the last one of the recorded"),
    ],
)
def test_the_lines_in_which_texts_differ_are_named(recorded: bytes, replayed: bytes, reason: str) -> None:
    assert compared_contents(recorded, replayed, "stdout.log").reason == reason


def test_all_of_a_comparison_is_told() -> None:
    comparison = compared_contents(b"a,1.0,2.0,4.0\n", b"a,1.5,2.0,5.0\n", "a.csv")

    reason = "2 numbers differ, 2 beyond the tolerance: line 1"
    assert comparison == Comparison(DIFFERENT, "table", reason, 1.0, 1 / 3, 2)
    assert comparison.as_facts() == {
        "grade": "different",
        "kind": "table",
        "reason": reason,
        "max_absolute": 1.0,
        "max_relative": 1 / 3,
        "differing_numbers": 2,
        "judged": True,
    }


@pytest.mark.parametrize(
    ("dtype", "code"),
    [("<i2", "<2h"), (">u8", ">2Q"), ("<f2", "<2e"), (">f4", ">2f"), ("|u1", "2B")],
)
def test_arrays_of_every_number_are_compared_by_value(dtype: str, code: str) -> None:
    recorded, replayed = (array(dtype, "(2,)", struct.pack(code, 100, last)) for last in (100, 101))

    grades = [compared_contents(recorded, replayed, "a.npy", Tolerance(it)).grade for it in (0.009, 0.01)]

    assert grades == [DIFFERENT, CLOSE]


def test_a_complex_number_is_compared_part_by_part() -> None:
    recorded, replayed = (array("<c16", "(1,)", struct.pack("<2d", 1, imaginary)) for imaginary in (2, 2 + 1e-12))

    comparison = compared_contents(recorded, replayed, "a.npy")

    assert (comparison.grade, comparison.differing) == (CLOSE, 1)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    recorded, replayed = (array("|O", "(1,)", pickle.dumps([Trap(), number])) for number in (1, 2))

    comparison = compared_contents(zipped(2020, ("a.npy", recorded)), zipped(2020, ("a.npy", replayed)), "a.npz")

    pickled = compared_contents(pickle.dumps([Trap(), 1]), pickle.dumps([Trap(), 2]), "a.pkl")
    reason = "a.npy: values of dtype |O differ, and are compared by their bytes"
    assert comparison == Comparison(DIFFERENT, "zip", reason)
    assert (pickled.grade, pickled.judged) == (DIFFERENT, True)
    assert not (tmp_path / "sprung").exists()


def test_of_an_archive_the_worst_member_counts_and_the_numbers_of_all(tmp_path: Path) -> None:
    recorded = zipped(2020, ("a.csv", b"1.0\n"), ("b.csv", b"1.0\n"), ("c.txt", b"x\n"))
    replayed = zipped(2020, ("a.csv", b"1.25\n"), ("b.csv", b"2.0\n"), ("c.txt", b"x\r\n"))

    comparison = compared_contents(recorded, replayed, "a.zip", Tolerance(0.2, 0.0))

    assert comparison == Comparison(
        DIFFERENT, "zip", "b.csv: 1 number differs, 1 beyond the tolerance: line 1", 1.0, 0.5, 2
    )


def test_files_are_compared_and_equal_ones_are_identical_whatever_they_are(tmp_path: Path) -> None:
    one, other, changed = (tmp_path / name for name in ("one", "other", "changed"))
    one.write_bytes(b"\x93NUMPY broken")
    other.write_bytes(b"\x93NUMPY broken")
    changed.write_bytes(b"\x93NUMPY Broken")

    assert compared(one, other, "a.npy") == Comparison(IDENTICAL, "bytes")
    assert compared(one, changed, "a.npy") == Comparison(DIFFERENT, "npy", "is no array of numpy")


def test_what_is_on_one_side_alone_is_missing_or_extra(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch()

    assert compared(path, None, "a.txt").grade is Grade.MISSING
    assert compared(Digest("sha256", "00"), None, "a.txt").grade is Grade.MISSING
    assert compared(None, path, "a.txt").grade is Grade.EXTRA
    assert compared(None, None, "a.txt") == Comparison(IDENTICAL, "absence")


def test_of_a_file_that_was_not_kept_the_hash_decides_if_it_agrees(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1\n")
    agreeing, other = sha256(b"1\n").hexdigest(), sha256(b"1\r\n").hexdigest()

    comparisons = [
        compared(digest, path, "a.csv")
        for digest in (Digest("sha256", agreeing.upper()), Digest("sha256", agreeing, 3), Digest("sha256", other, 2))
    ]

    reason = "its bytes differ, and of the recorded ones only their hash is known"
    unknown = Comparison(DIFFERENT, "hash", reason, judged=False)
    assert comparisons == [Comparison(IDENTICAL, "hash"), unknown, unknown]


def test_what_cannot_be_read_is_not_judged_and_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    path, pipe = tmp_path / "a.txt", tmp_path / "pipe"
    path.touch()
    os.mkfifo(pipe)

    assert compared(path, pipe, "a") == Comparison(
        DIFFERENT, "bytes", "cannot be read: it is no regular file", judged=False
    )
    assert compared(tmp_path, path, "a") == Comparison(
        DIFFERENT, "bytes", "cannot be read: Is a directory", judged=False
    )
    assert not compared(tmp_path / "none", path, "a").judged


def test_an_output_is_nondeterministic_if_its_replays_differ_among_themselves() -> None:
    same, alike, apart = (
        Comparison(IDENTICAL, "bytes"),
        Comparison(EQUIVALENT, "svg"),
        Comparison(DIFFERENT, "text", "x"),
    )

    assert settled([same, alike], [Comparison(CLOSE, "text")]) == alike
    assert settled([unjudged("hash", "x"), apart], [same]) == apart
    assert settled([apart, apart], [same]) == apart
    assert settled([apart], []) == apart
    assert settled([same, apart], [apart]) == Comparison(
        Grade.NONDETERMINISTIC, "text", "the replays differ among themselves: x"
    )


TOO_MUCH = "its bytes differ, and it holds too much to look into"
BOMBS = """
import gzip, json, struct, sys, zlib
from io import BytesIO
from resource import RLIMIT_AS, setrlimit
from zipfile import ZIP_DEFLATED, ZipFile

from capsula.reproduction.compare import compared_contents

MIB = 1024 * 1024
setrlimit(RLIMIT_AS, (2048 * MIB, 2048 * MIB))

def zeros(count, name):
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive, archive.open(name, "w") as member:
        for _ in range(count):
            member.write(bytes(MIB))
    return file.getvalue()

def squeezed(count):
    packer = zlib.compressobj(1, wbits=31)
    head, more = [packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    return head + more * count

def nested(content, depth):
    for _ in range(depth):
        file = BytesIO()
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            archive.writestr("a.zip", content)
        content = file.getvalue()
    return content

def png(size):
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(MIB))), (b"IEND", b"")]
    return b"\\x89PNG\\r\\n\\x1a\\n" + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)

lol = b'<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><svg>&b;</svg>'
for name, one, other in [
    ("a.zip", zeros(257, "a"), zeros(258, "a")),
    ("a.gz", squeezed(10_000), squeezed(10_001)),
    ("a.zip", nested(zeros(1, "a"), 9), nested(zeros(1, "b"), 9)),
    ("a.png", png(60000), png(60001)),
    ("a.svg", lol, lol + b" "),
    ("a.svg", b"<!--" * 100_000, b"<metadata" * 100_000),
    ("a.svg", b'id="' * 100_000, b"url(#" * 100_000),
    ("a.pdf", b"/ID [" * 100_000, b"/CreationDate (" * 100_000),
    ("a.txt", b"1" * 1_000_000, b"1." * 400_000),
    ("a.txt", b"1" * 2_000_000, b"2" * 2_000_000),
]:
    comparison = compared_contents(one, other, name)
    print(json.dumps([name, comparison.grade.word, comparison.judged, comparison.reason]))
"""


def test_neither_bombs_nor_odd_texts_exhaust_memory_or_time() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    done = subprocess.run([sys.executable, "-c", BOMBS], check=True, capture_output=True, timeout=120)

    inner = "a.zip: a.zip: a.zip: a.zip: its bytes differ, too deep in other files to look into"
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        ["a.zip", "different", False, TOO_MUCH],
        ["a.gz", "different", False, TOO_MUCH],
        ["a.zip", "different", False, inner],
        ["a.png", "different", False, TOO_MUCH],
        ["a.svg", "different", True, "line 1 differs"],
        ["a.svg", "different", True, "line 1 differs"],
        ["a.svg", "different", True, "line 1 differs"],
        ["a.pdf", "different", True, "more than dates and ids differs"],
        ["a.txt", "different", True, "line 1 differs"],
        ["a.txt", "different", False, "its bytes differ, and line 1 is too long to look into"],
    ]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 30
