"""What is in packed files: all of it within bounds, and said where it is not."""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

import pytest

from capsula.core.fault import Fault
from capsula.reading.packed import unpacked

TEXT = b"some text\n"


def held(content: bytes, name: str, most: int = 10_000_000) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """Return what is in a file by its names, and the faults."""
    parts: dict[str, bytes] = {}
    faults: list[tuple[str, str]] = []
    for it in unpacked(io.BufferedReader(io.BytesIO(content)), name, most):
        if isinstance(it, Fault):
            faults.append((it.path[0], it.message))
        else:
            parts[it.name] = it.content.read()
    return parts, faults


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


COMPRESSED: Mapping[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_compressed_file_is_its_content(suffix: str) -> None:
    packed = COMPRESSED[suffix](TEXT) * 2

    assert held(packed, f"a.txt.{suffix}") == ({f"a.txt.{suffix}": TEXT * 2}, [])


@pytest.mark.parametrize("suffix", [None, *COMPRESSED])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_is_its_members_however_they_are_told(form: int, suffix: str | None) -> None:
    long_name = "folder/" * 20 + "name" if form != tarfile.USTAR_FORMAT else "folder/" * 20
    members = {"a": TEXT, "empty": b"", long_name: TEXT * 100}
    packed = COMPRESSED[suffix](tarred(members, form)) if suffix else tarred(members, form)

    parts, faults = held(packed, "data")

    assert (parts, faults) == ({f"data!{name}": content for name, content in members.items()}, [])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_is_its_members(method: int) -> None:
    packed = zipped({"folder/a": TEXT, "folder/": b"", "b": b""}, method)

    assert held(packed, "a.npz") == ({"a.npz!folder/a": TEXT, "a.npz!b": b""}, [])
    assert held(b"#!/bin/sh\n" + packed, "runs.zip") == ({"runs.zip!folder/a": TEXT, "runs.zip!b": b""}, [])


def test_an_archive_in_another_is_looked_into_and_no_further() -> None:
    inner = zipped({"deep": TEXT})
    middle = gzip.compress(tarred({"inner.zip": inner}))
    outer = zipped({"middle.tar.gz": middle, "plain": TEXT})

    parts, faults = held(outer, "x")
    twice = held(gzip.compress(gzip.compress(TEXT)), "x.gz.gz")

    assert parts == {"x!middle.tar.gz!inner.zip": inner, "x!plain": TEXT}
    assert faults == [("x!middle.tar.gz!inner.zip", "is packed too often")]
    assert twice == ({"x.gz.gz": gzip.compress(TEXT)}, [("x.gz.gz", "is packed too often")])
    assert held(middle, "m") == ({"m!inner.zip!deep": TEXT}, [])


def test_what_is_not_packed_is_itself() -> None:
    for name in ("a.txt", "a.gz", "PK"):
        assert held(TEXT, name) == ({name: TEXT}, [])


def test_what_only_has_the_name_of_an_archive_is_told_and_searched() -> None:
    assert held(TEXT, "a.zip") == ({"a.zip": TEXT}, [("a.zip", "is no sound zip archive")])
    assert held(TEXT, "a.tar") == ({"a.tar": TEXT}, [("a.tar", "is no sound tar archive")])
    assert held(b"\x28\xb5\x2f\xfd..", "a") == (
        {"a": b"\x28\xb5\x2f\xfd.."},
        [("a", "is packed by zstd, which is unknown")],
    )


def test_encrypted_members_are_told_and_the_others_had() -> None:
    packed = bytearray(zipped({"a": TEXT, "b": TEXT, "c": TEXT}))
    for place in [it.start() for it in re.finditer(rb"PK\x01\x02", packed)][:2]:
        packed[place + 8] |= 1

    assert held(bytes(packed), "x.zip") == ({"x.zip!c": TEXT}, [("x.zip", "is encrypted: a and 1 more")])


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("x.gz", gzip.compress(bytes(5000), mtime=0)[:-9]),
        ("x.tar", tarred({"a": TEXT, "b": TEXT * 100})[:1800]),
        ("x.tar", tarred({"a": TEXT, "b": TEXT}).replace(b"ustar", b"vstar")),
        ("x.xz", lzma.compress(bytes(5000))[:-20]),
        ("x.bz2", bz2.compress(bytes(5000))[:-5]),
        ("x.zip", zipped({"a": TEXT}, zipfile.ZIP_STORED).replace(TEXT, TEXT.upper(), 1)),
        ("x.zip", zipped({"a": TEXT})[:-5]),
    ],
)
def test_what_is_broken_is_told(name: str, packed: bytes) -> None:
    _, faults = held(packed, name)

    assert [place.partition("!")[0] for place, _ in faults] == [name]


def test_no_more_is_unpacked_than_is_wanted() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    many = zipped({f"{number}": bytes(600_000) for number in range(10)})
    told = "holds more than 1000000 bytes or 100000 files: the rest was not searched"

    for name, packed in {"x.gz": bomb, "x.zip": many, "y.zip": zipped({"bomb.gz": bomb, "b": TEXT})}.items():
        parts, faults = held(packed, name, 1_000_000)

        assert (faults, sum(map(len, parts.values())) < 1_300_000) == ([(name, told)], True)


def test_the_rest_of_a_large_member_is_not_passed_over() -> None:
    header = tarfile.TarInfo("large")
    header.size = 10**13
    packed = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(3_000_000))

    _, faults = held(packed, "x", 1_000_000)

    assert [message.partition(":")[0] for _, message in faults] == ["holds more than 1000000 bytes or 100000 files"]


def test_headers_without_end_are_no_archive() -> None:
    endless = tarfile.TarInfo("x")
    endless.type, endless.size = tarfile.XHDTYPE, 10**9
    negative = bytearray(tarfile.TarInfo("x").tobuf())
    negative[124:136] = b"\xff" * 12
    negative[148:156] = b"%06o\0 " % (sum(negative[:148]) + 256 + sum(negative[156:]))

    for packed in (endless.tobuf() + b"1" * 100_000, bytes(negative) + bytes(1024)):
        assert held(packed, "x.tar") == ({"x.tar": packed}, [("x.tar", "is no sound tar archive")])


def test_what_would_take_too_much_memory_is_told() -> None:
    packed = bytearray(lzma.compress(TEXT))
    end = 12 + (packed[12] + 1) * 4 - 4
    packed[16] = 40  # a dictionary of 4 GiB
    packed[end : end + 4] = zlib.crc32(packed[12:end]).to_bytes(4, "little")

    assert held(bytes(packed), "x.xz") == ({"x.xz": b""}, [("x.xz", "cannot be unpacked")])


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE])
def test_headers_are_read_within_the_bounds_of_all_that_is_unpacked(kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 0 if kind == tarfile.GNUTYPE_SPARSE else 1 << 20
    parts = (bytes(504) + b"\1" + bytes(7)) * 2047 + bytes(512)
    more = parts if kind == tarfile.GNUTYPE_SPARSE else b"2 " * (1 << 19)
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    packed = gzip.compress((bytes(block) + more) * 4)

    _, faults = held(packed, "x", 2_000_000)

    assert [message.partition(":")[0] for _, message in faults] == ["holds more than 2000000 bytes or 100000 files"]
