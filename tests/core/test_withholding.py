"""Withholding: what is taken for a secret in a file, what for an example of one, and how that can be chosen."""

import random
import tracemalloc

import pytest

from capsula.core.secrets import PROSE_RULES, RULES
from capsula.core.settings import DiscretionSettings, SourceSettings
from capsula.core.withholding import Withholding
from capsula.reading.cleared import Cleared
from tests.canaries import CANARIES, TOKENS

SHAPES = {rule: text.format(secret).encode() for rule, (text, secret) in CANARIES.items() if rule not in PROSE_RULES}


@pytest.mark.parametrize("rule", SHAPES)
def test_a_secret_of_known_shape_is_one_in_every_file(rule: str) -> None:
    parts = (b"x = '", SHAPES[rule], b"'\n")

    whys = [Withholding().why_content(path, parts) for path in (b"a.py", b"a.toml", b"a.bin")]

    assert whys == [f"secret: {rule}"] * 3


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_turned_off_withholds_nothing(rule: str) -> None:
    text, secret = CANARIES[rule]

    why = Withholding(DiscretionSettings({rule: False})).why_content(b"a.ini", (text.format(secret).encode(),))

    assert why is None


@pytest.mark.parametrize(
    ("path", "why"),
    [
        *(
            (path, "secret: named")
            for path in (b"a.ini", b"d/a.yaml", b"run.log", b"out.txt", b"run.sh", b"Dockerfile")
        ),
        *((path, None) for path in (b"a.py", b"A.PY", b"a.md", b"a.ipynb")),
    ],
)
def test_a_value_with_a_secret_name_is_one_in_all_text_that_is_no_code(path: bytes, why: str | None) -> None:
    said = b"DB_PASSWORD='correct-horse-1'\n"

    assert Withholding().why_content(path, (said,)) == why
    assert Withholding().why_content(path, (b"\x7fELF\0" + said,)) is None


@pytest.mark.parametrize("text", [b"https://me:word@host/x", b"AKIAIOSFODNN7EXAMPLE"])
def test_what_is_made_up_to_show_a_secret_is_none_in_code(text: bytes) -> None:
    whys = [Withholding().why_content(path, (text,)) is None for path in (b"test.py", b"test.ini")]

    assert whys == [True, False]


def test_a_text_of_two_bytes_a_character_is_a_text() -> None:
    said = "DB_PASSWORD='correct-horse-1'\r\n"

    whys = [Withholding().why_content(path, (said.encode("utf-16"),)) for path in (b"a.ini", b"a.py")]

    assert whys == ["secret: named", None]


@pytest.mark.parametrize("rule", PROSE_RULES)
def test_what_shows_how_a_secret_is_told_is_none_in_code(rule: str) -> None:
    text, secret = CANARIES[rule]

    whys = [Withholding().why_content(path, (text.format(secret).encode(),)) for path in (b"a.md", b"a.yaml")]

    assert whys == [None, f"secret: {rule}"]


def test_a_secret_across_two_parts_and_behind_much_else_is_found() -> None:
    token = TOKENS["github"].encode()

    why = Withholding().why_content(b"big.bin", (bytes(3_000_000), b"\n" + token[:9], token[9:]))

    assert why == "secret: github"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("size", [3, 1000, 70_000])
@pytest.mark.parametrize("rule", SHAPES)
def test_a_secret_between_bytes_that_are_no_text_is_found(rule: str, size: int, encoding: str) -> None:
    noise = random.Random(1).randbytes(200 if size < 1000 else 50_000)
    readable = b"" if size < 1000 else b"readable " * 2000
    said = SHAPES[rule].decode().encode(encoding)
    first, second = b"readable\xff%b\xffreadable" % said, b"\n%b\n" % SHAPES[rule]
    content = b"".join((b"\0", noise, first, noise, readable, second, readable))

    whys = [
        Withholding().why_content(b"a.bin", (it[start : start + size] for start in range(0, len(it), size)))
        for it in (content, content[: content.index(said) + len(said) + 1], content.replace(said, b"", 1))
    ]

    assert whys == [f"secret: {rule}"] * 3


def test_of_what_is_no_text_little_is_held_at_once() -> None:
    parts = (part for part in [b"\0", *[b"readable " * 10_000] * 20])

    tracemalloc.start()
    why = Withholding().why_content(b"a.bin", parts)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert why is None
    assert most < 1_600_000


def test_what_is_no_text_has_no_secret_by_chance() -> None:
    noise = random.Random(1).randbytes(2_000_000)

    assert Withholding().why_content(b"a.bin", (noise[:1_000_000], noise[1_000_000:])) is None


def test_a_name_that_holds_a_secret_is_withheld_too() -> None:
    assert Withholding().why_content(TOKENS["github"].encode() + b".txt", ()) == "secret: github"


def test_a_file_that_is_to_be_kept_is_kept_whatever_is_in_it() -> None:
    withholding = Withholding(source=SourceSettings(keep=("tests/*",)))

    whys = [withholding.why(path, (TOKENS["github"].encode(),)) for path in (b"tests/.env", b"a.py", b".env")]

    assert whys == [None, "secret: github", "looks like a secret"]


def test_what_was_cleared_by_other_rules_or_at_another_path_is_judged_again() -> None:
    withholding, other = Withholding(), Withholding(DiscretionSettings({"jwt": False}))
    cleared = Cleared(withholding)
    cleared.add(b"a.py", b"i" * 20)
    remembered = cleared.news or b""

    known = [
        Cleared(it, remembered).holds(path, b"i" * 20) for it in (withholding, other) for path in (b"a.py", b"b.py")
    ]

    assert known == [True, False, False, False]


def test_nothing_is_remembered_anew_where_nothing_is_new() -> None:
    cleared = Cleared(Withholding())
    cleared.add(b"a", b"i" * 20)
    remembered = cleared.news or b""
    again = Cleared(Withholding(), remembered)

    before = again.news
    again.holds(b"a", b"i" * 20)

    assert (before is not None, again.news) == (True, None)
