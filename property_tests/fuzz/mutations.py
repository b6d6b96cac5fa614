"""Mutations: a content that differs a little from another, as bytes or, where it is JSON, in one of its values."""

import json
from random import Random
from typing import Any

from property_tests.test_forgeries import ODD, below, changed

TELLING = (
    *(b"\0", b"\xff", b"\n", b"\r", b"\x1b[2J", b"\xed\xa0\x80", b"../", b"[" * 3000, b"9" * 5000, b"-1", b"1e999"),
    *(b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0", b"NaN", b"\\ud800", b'"', b"{", b"]", b"%"),
)
"""Bytes that mean something to one reader or another."""


def mutated(content: bytes, random: Random) -> bytes:
    """Return a content with a few changes."""
    if random.random() < 0.5 and (told := _json(content)):
        return _otherwise(told, random)
    whole = bytearray(content)
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(whole))
        end = min(len(whole), start + random.choice((0, 1, 1, 4, 20)))
        match random.randrange(5):
            case 0:
                whole[start:end] = random.choice(TELLING)
            case 1:
                whole[start:end] = random.randbytes(end - start)
            case 2:
                whole[start:end] = whole[random.randint(0, len(whole)) :][: random.randint(0, 40)]
            case 3:
                del whole[start : end if random.random() < 0.7 else None]
            case _ if start < len(whole):
                whole[start] ^= 1 << random.randrange(8)
    return bytes(whole)


def _json(content: bytes) -> Any:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict | list) else None


def _otherwise(told: Any, random: Random) -> bytes:
    places = list(below(told))
    value = random.choice((..., *ODD))
    return json.dumps(changed(told, random.choice(places), value) if places else value).encode()
