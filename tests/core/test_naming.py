"""Memorable names: the same for ever."""

from hashlib import sha256

import pytest

from capsula.core.naming import memorable
from capsula.core.words import ADJECTIVES, ANIMALS


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("15a50c6a51b34b7f9d0e2a4c6b8d0f1e", "brave-otter"),
        ("0" * 32, "agile-albatross"),
        ("f" * 32, "zippy-zebra"),
        ("FFFF" + "0" * 28, "zippy-zebra"),
    ],
)
def test_the_first_two_bytes_of_an_id_choose_its_name(identity: str, name: str) -> None:
    assert memorable(identity) == name


@pytest.mark.parametrize(
    ("words", "digest"),
    [
        (ADJECTIVES, "73425156c3fd315500786d541cb3e52626539039161b394769fa1b8ee10af658"),
        (ANIMALS, "355f1a8fcbac6d10dec061e93ab66d985690e909ece045ead21aebf85c92d758"),
    ],
)
def test_the_words_never_change(words: tuple[str, ...], digest: str) -> None:
    assert sha256(" ".join(words).encode()).hexdigest() == digest


@pytest.mark.parametrize("words", [ADJECTIVES, ANIMALS])
def test_there_is_a_plain_word_for_every_byte(words: tuple[str, ...]) -> None:
    plain = [word for word in words if 3 <= len(word) <= 9 and word.isascii() and word.isalpha() and word.islower()]

    assert len(set(plain)) == len(words) == 256


def test_no_word_means_either_part_of_a_name() -> None:
    assert set(ADJECTIVES).isdisjoint(ANIMALS)
