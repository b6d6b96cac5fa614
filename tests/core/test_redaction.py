"""What stands in the place of a secret."""

import json
from typing import Any

import pytest

from capsula.core.fault import Fault, Json
from capsula.core.redaction import Passage, Redaction, exposures, is_redacted, redactions
from capsula.core.settings import DiscretionSettings
from tests.canaries import CANARIES

KEYED = Redaction(key=b"k" * 32)


def mark(secret: str, rule: str = "named") -> str:
    return KEYED.mark(rule, secret.encode()).decode()


def test_marks_tell_one_secret_from_another_by_the_key_alone() -> None:
    others = Redaction(key=b"l" * 32)

    assert mark("one") == mark("one") != mark("two")
    assert KEYED.mark("named", b"one") != others.mark("named", b"one")
    assert Redaction().text("password=hunter2") == "password=[redacted named]"


def test_a_document_keeps_all_but_its_secrets() -> None:
    document: dict[str, Any] = {
        "args": ["train", "--password", "hunter2", "--max-tokens", "256", "--api-key=s3cret", "pip==1.0"],
        "kwargs": {"password": "p", "pin": 12, "token": {"type": "bytes", "length": 3, "base64": "AAAA"}},
        "environment": {"digests": {"API_TOKEN": "5d41402a"}, "values": {"KEY": "swordfish", "LANG": "C"}},
        "remote": "https://me:hunter2@host/x",
        "odd": "password=hunter2 \udcff",
        "source": {
            "x": {
                "seals": {"my.token": "5d41402a", "token=hunter2": "7d793037"},
                "withheld": [{"path": "a", "reason": "secret: private-key"}],
            }
        },
        "hunter2 is no secret": [None, True, 1.5, "hunter2"],
    }

    discreet = KEYED.json(document)

    assert discreet == {
        **document,
        "args": [
            *("train", "--password", mark("hunter2"), "--max-tokens", "256"),
            *(f"--api-key={mark('s3cret')}", "pip==1.0"),
        ],
        "kwargs": {
            "password": mark("p"),
            "pin": 12,
            "token": {"type": "bytes", "length": 3, "base64": mark("AAAA")},
        },
        "environment": {
            "digests": {"API_TOKEN": "5d41402a"},
            "values": {"KEY": mark("swordfish"), "LANG": "C"},
        },
        "remote": f"https://me:{mark('hunter2', 'url-password')}@host/x",
        "odd": f"password={mark('hunter2')} \udcff",
        "source": {
            "x": {**document["source"]["x"], "seals": {"my.token": "5d41402a", f"token={mark('hunter2')}": "7d793037"}}
        },
    }


def test_the_words_of_a_program_that_takes_a_secret_are_judged_together() -> None:
    words = ["/usr/bin/curl", "-sSu", "me:hunter2", "https://host/?token=abc12345"]
    others: list[Json] = [
        ["docker", "run", "-p", "8080:80"],
        ["mysql", "-p", "db"],
        ["curl", 1, "-u"],
        ["run", "-u", "me:hunter2"],
    ]

    shown = KEYED.json(words)

    assert shown == [
        *words[:2],
        f"me:{mark('hunter2', 'command-line')}",
        f"https://host/?token={mark('abc12345')}",
    ]
    assert [KEYED.json(it) for it in others] == others


def test_what_is_marked_is_not_marked_again() -> None:
    said = [[text.format(secret)] for text, secret in CANARIES.values()]
    document = {"args": ["--password", "hunter2"], "url": "https://me:hunter2@host", "secret": "hunter2", "said": said}

    once = KEYED.json(document)

    assert KEYED.json(once) == Redaction().json(once) == once


def test_the_marks_of_a_document_are_listed_and_what_is_not_marked_is_told() -> None:
    document: dict[str, Any] = {"a": {"password": mark("hunter2")}, "b": ["x", "password=hunter2"]}

    assert list(redactions(document)) == [(("a", "password"), "named")]
    assert exposures(document, DiscretionSettings()) == ((("b", "1"), "named"),)


def test_a_fault_tells_no_secret() -> None:
    fault = Fault("pre-capture", "`login --password hunter2` failed", "mend password=hunter2", ("password=hunter2",))

    assert Redaction().fault(fault) == Fault(
        "pre-capture",
        "`login --password [redacted named]` failed",
        "mend password=[redacted named]",
        ("password=[redacted named]",),
    )


def test_what_is_a_secret_by_its_name_can_be_known_elsewhere() -> None:
    given: dict[str, Json] = {
        "environment_variables": {
            "A_TOKEN": "o-sesame",
            "B_TOKEN": "sesameseed",  # a word
            "C_TOKEN": "s3same",  # short
            "D_PASSWORD": "12345678",  # a number
            "E_KEY": "s3-first\n  and-second\n",
            "F_URL": "https://me:s3-in-url@host/x",
            "PLAIN": "s3-plain-value",
        },
        "argv": ["mysql", "-ps3-of-mysql", "--token", "s3-of-option", "s3-of-none"],
    }
    secrets = ["and-second", "o-sesame", "s3-first", "s3-in-url", "s3-of-mysql", "s3-of-option"]
    others = "sesameseed s3same 12345678 s3-plain-value s3-of-none host"

    knowing = KEYED.knowing(given)

    assert knowing.known == tuple(secret.encode() for secret in secrets)
    assert knowing.text(f"{' '.join(secrets)} {others}") == f"{' '.join(map(mark, secrets))} {others}"
    assert knowing.json(["o-sesame"]) == [mark("o-sesame")]
    assert KEYED.json(["o-sesame"]) == ["o-sesame"]
    assert knowing.knowing({"password": "also-known"}).known == (b"also-known", *knowing.known)


def test_what_is_known_is_found_as_it_is_written_out_and_within_what_is_named_like_a_secret() -> None:
    knowing = KEYED.knowing({"password": {"inner": ["s3-inner"]}, "conf": {"db": {"password": 'o\\"sesame'}}})

    written = [repr('o\\"sesame'), json.dumps('o\\"sesame'), 'o\\"sesame', "s3-inner"]

    assert "sesame" not in knowing.text(" ".join(written))
    assert knowing.text("s3-inner") == mark("s3-inner")


def test_what_is_likely_the_name_of_something_is_not_known_elsewhere() -> None:
    variables: Json = {
        "PRIMARY_KEY": "subject_id",
        "SUBJECT_KEY": "sub-01_ses-02",
        "S3_KEY": "datasets/train2/bert-base-7b.csv",
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": "https://keystone.example.org:5000/v3",
        "AUTH_SERVICE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.example.org/x9/y",
        "AWS_SECRET_NAME": "db-of-project-3",
        "GOOGLE_APPLICATION_CREDENTIALS": "creds-1.json",
        "PAD_TOKEN": "<|endoftext|>",
        "STOP_TOKENS": "Assistant: ",
        "LABEL_TOKEN": "[LABEL_1]",
        "TLS_KEY": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "SERVICE_KEY": "3f9c1e7a-aa41",
    }
    words: Json = ["train", "--eos-token", "<|im_end|>", "--secret-name=db-secret-1", "--token-file", "a/token-1.txt"]

    knowing = KEYED.knowing({"environment_variables": variables, "argv": words})

    assert knowing.known == (b"3f9c1e7a-aa41",)


def test_what_is_known_is_put_back_in_the_place_of_its_marks() -> None:
    knowing = KEYED.knowing({"password": "o-sesame"})
    text = "--door=o-sesame o-sesame s3-other"
    marked = KEYED.knowing({"password": "s3-other"}).text(knowing.text(text))

    assert knowing.unmarked(marked) == f"--door=o-sesame o-sesame {mark('s3-other')}"
    assert knowing._replace(key=None).unmarked(marked) == marked
    assert knowing.unmarked("[redacted named]") == "[redacted named]"


def test_what_is_allowed_is_not_known_elsewhere() -> None:
    lenient = Redaction(DiscretionSettings(allow=("A_TOKEN",)))

    assert lenient.knowing({"environment_variables": {"A_TOKEN": "o-sesame"}}) == lenient


def test_a_stream_is_marked_up_to_its_limit_and_its_digest_tells_the_rest() -> None:
    limited = Redaction(DiscretionSettings(scan_limit=20), b"k" * 32)
    passage, other = Passage(limited), Passage(limited)

    log = b"".join((*passage.fed(memoryview(b"password=hunter2\npass")), *passage.fed(memoryview(b"word=hunter2\n"))))
    other_log = b"".join(other.fed(memoryview(b"password=hunter2\npassword=hunter3\n")))

    assert log + passage.rest() == f"password={mark('hunter2')}\npassword=hunter2\n".encode()
    assert (passage.unscanned_from, is_redacted(log.decode())) == (20, True)
    assert passage.digest is not None
    assert (other_log != log, other.digest != passage.digest) == (True, True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_stream_of_two_bytes_a_character_is_one_with_its_marks(encoding: str, size: int) -> None:
    passage = Passage(KEYED)
    said = "first\r\nexport DB_PASSWORD=hunter2; echo\r\nlast\r\n" * 20
    sent = memoryview(said.encode(encoding))

    log = b"".join(part for at in range(0, len(sent), size) for part in passage.fed(sent[at : at + size]))

    assert (log + passage.rest()).decode(encoding) == said.replace("hunter2", mark("hunter2"))


def test_a_stream_without_secrets_has_no_digest() -> None:
    passage = Passage(KEYED)

    log = b"".join(passage.fed(memoryview(b"loss 0.1\n")))

    assert (log + passage.rest(), passage.digest, passage.unscanned_from) == (b"loss 0.1\n", None, None)


def test_what_was_harmless_is_marked_once_it_stands_behind_the_name_of_a_secret() -> None:
    plain = {"name": "correct horse", "argv": ["run", "--depth", "correct horse"]}
    telling = {"password": "correct horse", "argv": ["run", "--token", "correct horse"]}

    once, then = KEYED.json(plain), KEYED.json(telling)

    mark = KEYED.mark("named", b"correct horse").decode()
    assert (once, then) == (plain, {"password": mark, "argv": ["run", "--token", mark]})


def test_what_one_wish_allows_another_one_marks() -> None:
    value = {"environment_variables": {"MY_KEY": "correct horse"}}
    lenient = Redaction(DiscretionSettings(allow=("MY_KEY",)))

    allowed, marked = lenient.json(value), Redaction().json(value)

    assert (allowed, marked) == (value, {"environment_variables": {"MY_KEY": "[redacted named]"}})
