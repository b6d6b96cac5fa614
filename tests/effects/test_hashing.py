"""What is hashed beside is hashed whole, and in its order."""

import random
from hashlib import sha256

import pytest

from capsula.effects.hashing import WORTH, Hashing


@pytest.mark.parametrize("sizes", [(), (1,), (WORTH,), (WORTH, 1, WORTH - 1, 8 * WORTH, 0, WORTH), (8 * WORTH,) * 20])
def test_parts_of_any_size_make_one_hash(sizes: tuple[int, ...]) -> None:
    parts = [random.Random(size).randbytes(size) for size in sizes]
    buffers = [memoryview(bytearray(8 * WORTH)) for _ in range(2)]
    hashing = Hashing()

    for number, part in enumerate(parts):
        chunk = buffers[number % 2][: len(part)]
        chunk[:] = part
        hashing.update(chunk)

    assert hashing.hexdigest() == sha256(b"".join(parts)).hexdigest()
    hashing.close()
