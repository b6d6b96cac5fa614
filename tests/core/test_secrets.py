"""What is a secret in a text, and what only looks like one."""

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from capsula.core.secrets import RULES, Finding, Scan, findings, is_watched, scanned
from capsula.core.settings import DiscretionSettings
from tests.canaries import CANARIES, TOKENS

DEFAULT = DiscretionSettings()

OF_FIXED_LENGTH = (
    *("grafana", "groq", "kaggle", "langsmith", "linear", "new-relic", "notion", "nvidia", "openrouter"),
    *("perplexity", "postman", "pulumi", "replicate", "rubygems", "shopify", "square", "wandb", "xai"),
)

NAMED = r"""
DB_PASSWORD=swordfish
export MY_API_KEY='swordfish'
capsula --password hunter2
capsula --api-key=abc123def
{"password": "swordfish"}
{\"token\": \"abc12345\"}
login(user="me", password='hunter2')
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
https://host/?token=abc123&more=1
password: hunt-er22
client_secret='hunter2'
password = hunter2x
    db_password: Summer2024
+smtp-password = hunter2x
token_or_id_token=abc12345
password = B"swordfish1"
<db><password>hunter2</password></db>
mount --pass hunter2
login --pwd=hunter2 --pass=
db_pass=hunter2
export PGPASS=hunter2
smtp_pass: hunter2x
Driver={it};UID=me;PWD=hunter2;
jdbc:mysql://host/db?user=me&pwd=hunter2
{"pass": "hunter2"}
password = hunter2x  # mine
secret_key_base: hunter2x
<add key="Password" value="hunter2"/>
os.environ["DB_PASSWORD"] = "hunter2"
password <- 'hunter2'
ALTER USER me WITH PASSWORD 'hunter2';
login failed for password "hunter2"
setenv DB_PASSWORD hunter2
"""

HARMLESS = """
password = get_password()
token = os.environ["TOKEN"]
token = os.environ.get('GITHUB_TOKEN')
self.token = token
secret: str = field()
"token": token,
max_tokens=256 token_count=5 tokens/s = 123.4
pad_token="[PAD]" eos_token='</s>'
{"token": "hello", "score": 0.3}
SecretStorage==3.3.3
tokenize-rt==5.2.0
"js-tokens": "^4.0.0", "csrf-token": "^1.0.0",
5d41402abc4b2a76b9719d911017c592 sha512-oHTdEOrG9pYzGUXrE2JMMnOqLXXqY8eC2V7YvZC5p8o=
123e4567-e89b-12d3-a456-426614174000
password = "password"
GOOGLE_APPLICATION_CREDENTIALS=/home/me/key.json
--token TOKEN  the token to use
password=None
https://host:8080/a@b git@host:x https://user@host/x
token_type = "Bearer"
API_KEY = settings.API_KEY
API_KEY=$SECRET
passwd = x
password = settings.db1.password
password = base64_of(x)
password: hunter2x, as ever
token = TEST_DATA_BASE64
password = hunter2x if x else y
unexpected token "hunter2" password "required" DB_PASSWORD hunter2 setenv PATH hunter2
headers = f"Authorization: Bearer {token}"
Token: "#ddd0c0",
<th>password</th><td>hunter2</td> <b class="token">abc12345</b> <password>your_password</password> vector<token>x1;
\x1b[36mtoken\x1b[0m=\x1b[35mNone\x1b[0m \x1b[32mpassword\x1b[0m \x1b[1m
[redacted named 0123456789abcdef] password=[redacted named 0123456789abcdef]
--pass 2 --passes 3 bypass=hunter2 compass=hunter2 passed=hunter2 low_pass=300hz first-pass=x1y2 pass2=hunter2
PWD=/home/me OLDPWD=/home/me2 pwd=$(pwd) cwd=hunter2 PASS: tests/run1.sh
task-0123456789abcdef0123456789abcdef0123 disk-a
-----BEGIN RSA PRIVATE KEY-----
"""


@pytest.mark.parametrize("rule", CANARIES)
def test_each_rule_tells_its_secret_and_nothing_around_it(rule: str) -> None:
    text, secret = CANARIES[rule]
    whole = f"before {text} after\n"

    (found,) = findings(whole.format(secret).encode())

    start = whole.index("{}")
    assert found == Finding(rule, start, start + len(secret))


@pytest.mark.parametrize("rule", CANARIES)
def test_a_secret_is_found_between_lines_that_differ_in_numbers_alone(rule: str) -> None:
    text, secret = CANARIES[rule]
    lines = "".join(f"epoch {number:05} loss {1 / number:.6f}\r\n" for number in range(1, 200))
    whole = f"{lines}{text}\n{lines}"

    found = findings(whole.format(secret).encode())

    start = whole.index("{}")
    assert found == (Finding(rule, start, start + len(secret)),)


@pytest.mark.parametrize("style", ["\x1b[1;38;5;208m", "\x1b[m\x1b[K", r"\u001b[0;31m", r"\x1b[36m"])
@pytest.mark.parametrize("rule", CANARIES)
def test_colours_hide_no_secret(rule: str, style: str) -> None:
    text, secret = CANARIES[rule]
    whole = text.replace("{}", f"{style}{{}}{style}").replace("=", f"{style}={style}")

    (found,) = findings(f"{style}{whole.format(secret)}\n".encode())

    start = len(style) + whole.index("{}")
    assert found == Finding(rule, start, start + len(secret))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("rule", CANARIES)
def test_two_bytes_a_character_hide_no_secret(rule: str, encoding: str) -> None:
    text, secret = CANARIES[rule]
    whole = f"before \u2713 {text} after\r\n"
    encoded = whole.format(secret).encode(encoding)

    (found,) = findings(encoded)

    start = len(whole[: whole.index("{}")].encode(encoding)) + (encoding == "utf-16-be")
    assert found == Finding(rule, start, start + 2 * len(secret) - 1)


def test_every_rule_is_tried() -> None:
    assert {*CANARIES} == {*RULES}


@pytest.mark.parametrize("rule", CANARIES)
def test_a_rule_that_is_turned_off_tells_nothing(rule: str) -> None:
    text, secret = CANARIES[rule]

    found = findings(text.format(secret).encode(), DiscretionSettings(rules={rule: False}))

    assert rule not in {it.rule for it in found}


@pytest.mark.parametrize("text", NAMED.strip().splitlines())
def test_a_literal_behind_a_secret_name_is_a_secret(text: str) -> None:
    assert [it.rule for it in findings(text.encode())] == ["named"]


def test_a_name_that_is_allowed_has_no_secrets() -> None:
    wish = DiscretionSettings(allow=("DB_PASSWORD", "api-key"))

    assert findings(b"DB_PASSWORD=hunter2 --api-key=abc123def", wish) == ()


@pytest.mark.parametrize("text", HARMLESS.strip().splitlines())
def test_what_only_looks_like_a_secret_is_none(text: str) -> None:
    assert findings(text.encode()) == ()


SHAPES = {
    "https://host/?Expires=1&Signature=" + "a" * 27 + "%3D": "signed-url",
    "https://host/?Policy=a&Signature=" + "a~-_" * 80: "signed-url",
    r"https://host/?a=1\u0026X-Amz-Signature=" + "0a" * 32: "signed-url",
    "https://host/?X-Amz-Security-Token=" + "IQoJb3%2F" * 20: "signed-url",
    "https://host/?X-Goog-Signature=" + "0a" * 256: "signed-url",
    "jdbc:oracle:thin:scott/hunter2@//host:1521/x": "url-password",
    "machine host login me password hunter2": "netrc",
    "machine host\n\taccount me\n\tlogin me\n\tpassword hunter2\n": "netrc",
    "curl --user=me:hunter2 host": "command-line",
    "curl 'https://host/?a=1&b=2' -u 'me:correct horse'": "command-line",
    "mysqldump -uroot -phunter2 db": "command-line",
    "sshpass -p hunter2 ssh host": "command-line",
    "docker --debug login -u me -p hunter2 host": "command-line",
    "redis-cli -h host -a hunter2 ping": "command-line",
    "ldapsearch -x -w hunter2": "command-line",
    "smbclient //host/share -U me%hunter2": "command-line",
    "openssl rsa -in key -passin pass:hunter2": "command-line",
    '{"auths": {"host": {"auth": "bWU6aHVudGVyMg=="}}}': "docker",
    "//host/:_auth=bXk6aHVudGVyMg==": "npm",
    "glrt-" + "a1" * 10: "gitlab",
    "xapp-1-A0123456789-0123456789012-" + "0a" * 32: "slack",
    "glc_" + "a1" * 20: "grafana",
    "hvb." + "a1" * 75: "hashicorp",
    "a1" * 7 + ".atlasv1." + "a1" * 32: "hashicorp",
    "sntryu_" + "0a" * 32: "sentry",
    "s3://bucket/AKIAQWERTYUIOPASDFG7/file": "aws",
    "x+AKIAQWERTYUIOPASDFG7+y": "aws",
}
"""What else is told by its shape, or by where it stands, and by which rule."""

SHAPELESS = r"""
https://host/?signature=abc&sig=abc%3D&Signature=short
host X-Amz-Signature=0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
the machine asks for a login and a password first; machine learning password reset
machine host login me password $PASSWORD
curl -u me: host; curl -u $ME:$WORD host; curl --user me:${WORD} host; curl -fsSLu me host
curl host && run -u me:hunter2
mysql -u root -p db --port=3306 -port
docker run -p 8080:80 login
docker login --help
sshpass -e ssh -p 2222 host
{"auth": "required", "auth": "bearer12", "auth": "c29tZXRoaW5n"}
_auth=c29tZXRoaW5n proxy_auth = basic
Set-Cookie: theme=light; Cookie: seen=2024-01-01
MAKIAQWERTYUIOPASDFG7 AKIAQWERTYUIOPASDFG7X
key-0123456789abcdef0123456789abcdef
12:30:45:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
"""


@pytest.mark.parametrize(("text", "rule"), SHAPES.items())
def test_what_is_known_by_its_shape(text: str, rule: str) -> None:
    assert {it.rule for it in findings(text.encode()) if it.rule != "named"} == {rule}


@pytest.mark.parametrize("text", SHAPELESS.strip().splitlines())
def test_what_has_nearly_a_shape_has_none(text: str) -> None:
    assert findings(text.encode()) == ()


@pytest.mark.parametrize("rule", OF_FIXED_LENGTH)
def test_a_token_is_as_long_as_its_service_makes_it(rule: str) -> None:
    token = TOKENS[rule]

    found = findings(f"{token[:-1]} x{token}".encode())

    assert rule not in {it.rule for it in found}


def test_a_written_out_line_end_does_not_hide_a_token() -> None:
    _, secret = CANARIES["openai"]

    (found,) = findings(rf"'first\n{secret}\nlast'".encode())

    assert found.rule == "openai"


def test_the_sources_of_a_library_and_this_environment_raise_no_alarm() -> None:
    library = Path(os.__file__).parent
    modules = b"".join(file.read_bytes() for file in sorted((library / "json").glob("*.py")))
    paths = "\n".join((*sys.path, *(str(file) for file in sorted(library.glob("*.py"))))).encode()
    numbers = random.Random(1)
    hashes = b"\n".join(numbers.randbytes(32).hex().encode() for _ in range(2000))

    assert [findings(text) for text in (modules, paths, hashes)] == [(), (), ()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_a_text_in_parts_has_the_secrets_of_the_whole(size: int) -> None:
    lines = [text.format(secret) for text, secret in CANARIES.values()]
    lines += (f"\x1b[36mpassword\x1b[0m=\x1b[35m{secret}\x1b[0m" for secret in ("hunter2", "hunter3"))
    whole = ("progress 1\rprogress 2\r" + "\n".join(lines) + "\nno end: " + lines[0]).encode()
    scan = Scan()

    pieces = [scan.fed(whole[start : start + size]) for start in range(0, len(whole), size)]
    pieces.append(scan.rest())

    position, found = 0, []
    for text, secrets in pieces:
        found += [Finding(it.rule, position + it.start, position + it.end) for it in secrets]
        position += len(text)
    assert b"".join(text for text, _ in pieces) == whole
    assert tuple(found) == findings(whole)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_what_is_known_is_a_secret_wherever_it_stands_and_however_it_comes(size: int) -> None:
    whole = b"first\nopen the door: s3same, s3-s3sam, s3-s3same\x1b[31ms3-s3same\x1b[0mdoor\rlast s3-s3same"
    scan = Scan(known=[b"s3-s3same", b"door:"])

    pieces = [scan.fed(whole[start : start + size]) for start in range(0, len(whole), size)]
    pieces.append(scan.rest())

    assert b"".join(text for text, _ in pieces) == whole
    assert [text[it.start : it.end] for text, found in pieces for it in found] == [b"door:", *[b"s3-s3same"] * 3]
    assert [whole[it.start : it.end] for it in findings(whole, known=[b"s3-s3same"])] == [b"s3-s3same"] * 3


def test_a_line_without_secrets_waits_for_no_end() -> None:
    scan = Scan()

    shown = [scan.fed(b"loading 1")[0], scan.fed(b"0 %; secre")[0], scan.fed(b"cy\n")[0]]

    assert shown == [b"loading 1", b"0 %; ", b"secrecy\n"]


def test_a_line_waits_for_the_rest_of_what_is_known() -> None:
    scan = Scan(known=[b"s3-s3same"])

    shown = [scan.fed(b"open s3-s3"), scan.fed(b"x, s3-s"), scan.fed(b"3same\n")]

    assert shown == [(b"open ", ()), (b"s3-s3x, ", ()), (b"s3-s3same\n", (Finding("named", 0, 9),))]


def test_a_line_that_never_ends_does_not_wait_for_ever() -> None:
    scan = Scan()
    sent = b"token " + b"x" * 1_000_000

    shown = b"".join(scan.fed(sent[start : start + 65536])[0] for start in range(0, len(sent), 65536))

    assert len(sent) - len(shown) <= 2 * 16 * 1024


def test_a_secret_is_told_by_its_line() -> None:
    parts = [b"one\ntwo\npass", b"word=hunter2\n\n--tok", b"en abc123def\n"]

    assert list(scanned(parts)) == [(3, "named"), (5, "named")]


@pytest.mark.parametrize(
    "unit",
    [
        *("x", "token", "token_", "token=", "password: ", "://a:", "eyJ", "eyJaaaaaaaa.", "sk-", "SK", "ghp_"),
        *("--token ", "--token abc12345 ", "api_token=abc12345 ", 'Password="hunter2', "secret: hunter2x,"),
        *("\x1b[", "\x1b[1m", "\x1b[1mtoken\x1b[0m=abc12345"),
    ],
)
def test_twice_the_text_is_twice_the_work(unit: str) -> None:
    def calls(length: int) -> int:
        text = (unit * length)[:length].encode()
        return _counted(lambda: findings(text))

    calls(1000)  # patterns are compiled once

    assert calls(20_000) <= 2.2 * calls(10_000) + 100


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        *(("API_TOKEN=abc12345 ", 8), ("password=hunter2 ", 8), ("SECRET=foo_bar ", 16), ("secret: hunter2x\n", 16)),
        *(("://a:b@ ", 6), ("PASSWORD=def ", 0), ("token ", 0), ("--token x ", 0), ("sk-", 0)),
    ],
)
def test_a_word_in_a_line_of_names_and_secrets_costs_a_few_calls(unit: str, most: int) -> None:
    text = (unit * 1000).encode()
    findings(text)

    calls = _counted(lambda: findings(text))

    assert calls <= most * 1000 + 300


@pytest.mark.parametrize("name", ["password", "--api-key", "MY_TOKEN", "db_credentials", "clientSecret", "Set-Cookie"])
def test_a_value_by_its_name(name: str) -> None:
    assert is_watched(name, "swordfish", DEFAULT)
    assert not is_watched(name, "swordfish", DiscretionSettings(allow=(name,)))
    assert not is_watched(name, "/home/me/file", DEFAULT)
    assert not is_watched(name, "", DEFAULT)


def test_a_number_is_a_secret_for_passwords_alone() -> None:
    assert [is_watched(name, "256", DEFAULT) for name in ("max_tokens", "password")] == [False, True]


def test_a_key_is_a_secret_of_the_environment_alone() -> None:
    assert is_watched("KEY", "swordfish", DEFAULT, is_variable=True)
    assert not is_watched("key", "swordfish", DEFAULT)


def _counted(work: Callable[[], object]) -> int:
    """Return how many functions are called, of Python and of C."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
