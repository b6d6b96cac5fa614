"""Secrets of every kind, planted wherever Capsula looks, are found in no file of the vault, and never said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.canaries import CANARIES
from tests.repositories import git
from tests.running import PLAIN, capsula, capsules, document, only_capsule
from tests.wheels import installed

WORDS = {rule: text.format(secret) for rule, (text, secret) in CANARIES.items()}
SECRETS = {rule: secret.strip().splitlines()[0] for rule, (_, secret) in CANARIES.items()}
SAID = "\n".join(WORDS.values())


def leaked(*texts: bytes) -> set[str]:
    return {rule for rule, secret in SECRETS.items() if any(secret.encode() in text for text in texts)}


def held(root: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted((root / "vault").rglob("*")) if file.is_file())


def test_what_a_command_is_given_and_prints_is_kept_without_secrets(tmp_path: Path) -> None:
    names = [f"VARIABLE_{number}" for number in range(len(WORDS))]
    commands = [f"true '{WORDS['github']}' --password {SECRETS['named']}"]
    capture = f"environment-variables = {json.dumps(names)}\npre-capture-commands = {json.dumps(commands)}\n"
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("[capture]\n", f"[capture]\n{capture}"))
    (tmp_path / "said").write_text(SAID)
    script = "cat said; cat said >&2; exit 3"

    ended = capsula(
        *("-l", "info", "monitor", "sh", "-c", script, "sh", *WORDS.values(), "--password", SECRETS["named"]),
        cwd=tmp_path,
        **dict(zip(names, WORDS.values(), strict=True)),
    )
    shown = capsula("show", cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (3, SAID)
    assert ended.stderr.count(SAID) == 1
    assert leaked(held(tmp_path)) == set()
    assert leaked(ended.stderr.replace(SAID, "").encode(), shown.stdout.encode(), shown.stderr.encode()) == set()
    listed = document(only_capsule(tmp_path), "post-run-info.json")["capsula"]["redacted"]
    assert {it["rule"] for it in listed if it["path"] == ["stdout"]} == {*CANARIES}


def test_what_a_command_repeats_of_its_environment_and_arguments_is_kept_without_secrets(tmp_path: Path) -> None:
    variables = '[capture]\nenvironment-variables = ["MY_TOKEN"]\n'
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("[capture]\n", variables))
    script = 'echo "of $MY_TOKEN, and on"; echo "and $2" >&2; exit 3'
    words = ("sh", "--password", "canary-2", "canary-1", "by:canary-1")

    ended = capsula("monitor", "sh", "-c", script, *words, cwd=tmp_path, MY_TOKEN="canary-1")

    marked = document(only_capsule(tmp_path), "context.json")["environment_variables"]["MY_TOKEN"]
    assert (ended.returncode, ended.stdout, ended.stderr[:13]) == (3, "of canary-1, and on\n", "and canary-2\n")
    assert (only_capsule(tmp_path) / "stdout.log").read_text() == f"of {marked}, and on\n"
    assert document(only_capsule(tmp_path), "pre-run-info.json")["args"][-2:] == [marked, f"by:{marked}"]
    assert b"canary-" not in held(tmp_path)


def test_what_a_function_is_called_with_returns_and_raises_is_kept_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    (tmp_path / "said").write_text(SAID)
    (tmp_path / "program.py").write_text(
        """
import functools
import os
from pathlib import Path
import capsula

said = Path("said").read_text()

class Door:
    def open(self, password): ...
    def __call__(self, password): ...

def enter(user, password):
    raise ValueError(f"{user} may not enter with {password}, nor with {os.environ['MY_TOKEN']}")

@capsula.monitor(include_return_value=True)
def login(user, password, said, *more, secret=""):
    capsula.record("said", said)
    capsula.record("password", str(password))
    capsula.record("door", {"opens": os.environ["MY_TOKEN"]})
    return {"said": said, "token": str(secret)}

@capsula.monitor
def fail(said):
    raise ValueError(said)

@capsula.monitor
def knock(settings):
    raise KeyError(settings["door"]["password"])

def knocked():
    try:
        knock({"door": {"password": "canary-by\\\\key"}})
    except KeyError as error:
        raise ValueError from error

@capsula.monitor(include_return_value=True)
def repeat(*all, it):
    return [*all, it]

login("me", "canary-by-position", said, said, secret="canary-by-name")
login("me", said=said, password="canary-by-name")
repeat("canary-by-environment", it="to canary-by-environment")
login("me", said=said, password=["canary-by-name"], secret={"of": "canary-by-name"})
capsula.monitor(Door().open)("canary-by-position")
capsula.monitor(Door())("canary-by-position")

def entered():
    capsula.monitor(functools.partial(enter, "me"))("canary-by-position")

for call in (entered, knocked, lambda: fail(said)):
    try:
        call()
    except ValueError:
        pass
"""
    )

    environ = {**os.environ, "MY_TOKEN": "canary-by-environment"}
    words = ("--password", "canary-by-option", "to canary-by-option", "to canary-by-environment")
    program = [sys.executable, "-P", "program.py", *words]
    ended = subprocess.run(program, cwd=tmp_path, env=environ, capture_output=True, check=False)

    assert (ended.returncode, len(capsules(tmp_path))) == (0, 9), ended.stderr
    assert leaked(held(tmp_path), ended.stderr) == set()
    assert b"canary-by" not in held(tmp_path)


def test_a_remote_is_kept_without_its_password(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", f"https://me:{SECRETS['url-password']}@host/x")
    git(tmp_path, "remote", "add", "other", f"https://{SECRETS['github']}@host/x")

    captured = capsula("capture", cwd=tmp_path)

    assert captured.returncode == 0
    assert leaked(held(tmp_path)) == set()


def test_a_pre_capture_command_that_fails_is_told_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(SAID)
    commands = json.dumps([f"cat said; false --password {SECRETS['named']}"])
    (tmp_path / "capsula.toml").write_text(
        PLAIN.replace("[capture]\n", f"[capture]\npre-capture-commands = {commands}\n")
    )

    captured = capsula("capture", cwd=tmp_path)
    monitored = capsula("monitor", "true", cwd=tmp_path)
    program = [sys.executable, "-P", "-c", "import capsula; capsula.capture()"]
    raised = subprocess.run(program, cwd=tmp_path, capture_output=True, check=False)

    assert (captured.returncode, monitored.returncode, raised.returncode) == (1, 0, 1)
    assert leaked(captured.stderr.encode(), monitored.stderr.encode(), raised.stderr, held(tmp_path)) == set()
    assert "[redacted github" in captured.stderr


FAILING = f"""
from returns.result import Success
from capsula.core.effect import Source, Write
from capsula.core.fragment import Fragment
def fail():
    raise OSError({SAID!r})
    yield
"""
FAILURES = {
    "looking": "def collect(config): fail().send(None)",
    "writing": "def collect(config): return Success(Fragment(effects=(Write((('a', Source('a', fail)),)),)))",
}


@pytest.mark.parametrize("how", FAILURES.values(), ids=FAILURES)
def test_what_a_facet_fails_with_is_told_without_secrets(how: str, tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(f"{PLAIN}\n[capture.facets.drawn]\n")
    installed(tmp_path, "drawn", f"{FAILING}{how}\n")

    captured = capsula("capture", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    shown = capsula("show", "@", cwd=tmp_path)
    refused = capsula("monitor", "--strict", "true", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    (fault,) = document(capsules(tmp_path)[0], "context.json")["capsula"]["faults"]
    said = (*(captured.stdout, captured.stderr, refused.stderr), *(shown.stdout, shown.stderr))
    assert (captured.returncode, refused.returncode, shown.returncode) == (0, 125, 0)
    assert leaked(held(tmp_path), *map(str.encode, said)) == set()
    assert all("[redacted aws" in text for text in (fault["message"], captured.stderr, refused.stderr))


def test_what_was_kept_before_there_were_marks_is_shown_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    capsula("monitor", "echo", "word", cwd=tmp_path)
    for name in ("pre-run-info.json", "post-run-info.json", "context.json"):
        file = only_capsule(tmp_path) / name
        file.write_text(file.read_text().replace("word", SECRETS["github"]))

    words = (("show",), ("show", "--json"), ("list",), ("list", "--json"), ("verify",), ("diff", "@", "@"))
    said = [capsula(*it, cwd=tmp_path) for it in words]

    assert [it.args[4:] for it in said if leaked(it.stdout.encode(), it.stderr.encode())] == []
    assert ["[redacted github]" in it.stdout for it in said[:2]] == [True, True]
    assert json.loads(said[1].stdout)


def test_what_tells_a_secret_from_another_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("include-environment = false\n", ""))
    capsula("monitor", "true", cwd=tmp_path, API_TOKEN=SECRETS["named"])

    shown = json.loads(capsula("show", "--json", cwd=tmp_path).stdout)

    kept = document(only_capsule(tmp_path), "context.json")["environment"]
    assert kept["digests"]["API_TOKEN"]
    assert shown["documents"]["context.json"]["environment"] == kept


def test_what_somebody_types_is_not_said_again_if_it_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    capsula("capture", cwd=tmp_path)

    asked = capsula("show", SECRETS["github"], cwd=tmp_path)

    assert (asked.returncode, leaked(asked.stderr.encode())) == (2, set())
    assert "[redacted github]" in asked.stderr


def test_two_runs_with_one_secret_have_one_mark(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)

    for secret in ("one", "one", "two"):
        capsula("monitor", "true", "--password", f"canary-{secret}", cwd=tmp_path)

    first, second, third = (document(capsule, "pre-run-info.json")["args"][-1] for capsule in capsules(tmp_path))
    assert first == second != third


def test_rules_and_names_can_be_exempted(tmp_path: Path) -> None:
    wish = '[discretion]\nallow = ["password"]\nrules.github = false\n'
    (tmp_path / "capsula.toml").write_text(PLAIN + wish)
    words = ["true", "--password", "hunter2", WORDS["github"], "--api-key=hunter2"]

    capsula("monitor", *words, cwd=tmp_path)

    args = document(only_capsule(tmp_path), "pre-run-info.json")["args"]
    assert (args[:-1], args[-1].startswith("--api-key=[redacted named ")) == (words[:-1], True)


def test_mistakes_about_discretion_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text('[discretion]\nrules.jvt = false\nallow = ["a=b"]\nscan-limit = -1\n')

    ended = capsula("capture", cwd=tmp_path)

    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "capsula: capsula.toml: discretion > scan-limit: -1 is not a size in bytes",
        "capsula: capsula.toml: discretion > rules > jvt: 'jvt' is no rule (did you mean 'jwt'?)",
        "capsula: capsula.toml: discretion > allow: 'a=b' holds '='",
    ]


def test_what_comes_after_the_limit_is_kept_as_it_is_and_said(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN + "[discretion]\nscan-limit = 100\n[monitor]\noutput-in-record = 0\n")
    (tmp_path / "said").write_text("password=canary-one\n" * 10)

    ended = capsula("monitor", "cat", "said", cwd=tmp_path)

    capsule = only_capsule(tmp_path)
    assert ended.stdout == (tmp_path / "said").read_text()
    assert (capsule / "stdout.log").read_text().endswith("\n" + "password=canary-one\n" * 5)
    log = document(capsule, "post-run-info.json")["logs"]["stdout"]
    assert (log["size"], log["unscanned_from"], len(log["digest"])) == (200, 100, 64)


def test_outputs_beyond_the_limit_are_kept_unsearched_and_said(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN + "[discretion]\nscan-limit = 100\n")
    program = "printf a > small; yes password=canary-one | head -n 10 > large; yes | head -n 60; ln -s small link"

    capsula("monitor", "sh", "-c", program, cwd=tmp_path)
    shown, checked = capsula("show", cwd=tmp_path), capsula("check", "--secrets", cwd=tmp_path, PATH=os.defpath)

    capsule = only_capsule(tmp_path)
    outputs = document(capsule, "post-run-info.json")["outputs"]
    assert {path: it.get("unscanned_from") for path, it in outputs.items()} == {"large": 0, "link": None, "small": None}
    told = [line.partition("not searched")[2] for line in shown.stdout.splitlines() if "not searched" in line]
    assert told == [" for secrets, new", " for secrets from byte 100 on)"]
    assert checked.stdout.splitlines()[0] == f"{capsule.name}/.capsula/outputs/large: line 1: named"


def test_a_replay_that_prints_the_same_secret_is_identical(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("include-source = false\n", ""))
    (tmp_path / "say.py").write_text("print('password', 'canary-hunter2', sep='=')")
    capsula("monitor", "python", "say.py", cwd=tmp_path)
    first = only_capsule(tmp_path).name

    replayed = capsula("reproduce", first, "--into", str(tmp_path.with_name("again")), "--no-rebuild", cwd=tmp_path)

    assert (replayed.returncode, replayed.stdout.splitlines()[0]) == (
        0,
        "identical: exit status, stdout; no output files known",
    )
    assert "canary-hunter2" not in (tmp_path / "vault" / first / "stdout.log").read_text()


def test_a_replay_with_a_secret_in_its_words_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("include-source = false\n", ""))
    capsula("monitor", "echo", "--password", "canary-hunter2", cwd=tmp_path)

    plan = capsula("reproduce", "--plan", cwd=tmp_path)

    assert (plan.returncode, "needs" in plan.stdout, "canary-hunter2" in plan.stdout) == (4, True, False)
