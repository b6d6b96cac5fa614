"""Files with secrets, planted wherever Capsula keeps what nobody named, are found in no file of the vault."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from tests.canaries import CANARIES
from tests.inflated import inflated
from tests.repositories import commit, git, repository, write
from tests.running import PLAIN, capsula, capsules, document, only_capsule

TEXTS = {rule: text.format(secret).encode() + b"\n" for rule, (text, secret) in CANARIES.items()}
SECRETS = {rule: secret.strip().splitlines()[0].encode() for rule, (_, secret) in CANARIES.items()}
PASSWORD = b"canary-in-a-private-place"
PRIVATE = (".env", "id_rsa", ".netrc", ".pypirc", "credentials.json", "keys/server.pem", "prod.env")


def test_secrets_in_files_that_nobody_named_are_kept_nowhere(tmp_path: Path) -> None:
    every, some = b"".join(TEXTS.values()), TEXTS["github"]
    lines = b"".join(b"%d\n" % number for number in range(20))
    root = repository(tmp_path / "root", {f"{rule}.ini": b"[x]\n" + text for rule, text in TEXTS.items()})
    write(root, dict.fromkeys(("staged.yaml", "unstaged.yaml", "both.yaml", "image.bin", "tracked.env"), lines))
    write(root, {"capsula.toml": PLAIN.replace("include-source = false\n", "").encode(), "removed.yaml": every})
    commit(root, "say " + some.decode())
    write(root, {"staged.yaml": lines + every, "both.yaml": every + lines, "image.bin": bytes(99) + every})
    git(root, "add", "--all")
    write(root, {"unstaged.yaml": lines + every, "both.yaml": lines, "tracked.env": PASSWORD, "new.toml": every})
    write(root, dict.fromkeys(PRIVATE, PASSWORD))
    (root / "removed.yaml").unlink()
    program = "import shutil; shutil.copy('new.toml', 'out.json'); shutil.copy('.env', 'out.env')"

    ended = capsula("monitor", sys.executable, "-c", program, cwd=root)

    assert (ended.returncode, ended.stdout) == (0, "")
    held = inflated(root / "vault")
    assert {rule for rule, secret in SECRETS.items() if secret in held} == set()
    assert PASSWORD not in held
    assert leaked(ended.stderr) == set()
    outputs = document(only_capsule(root), "post-run-info.json")["outputs"]
    assert {path: it["withheld"] for path, it in outputs.items()} == {
        "out.env": "looks like a secret",
        "out.json": f"secret: {next(iter(TEXTS))}",
    }


def test_a_file_that_was_named_is_kept_as_it_is_and_check_tells(tmp_path: Path) -> None:
    files = '[capture.files]\n"config.ini" = { copy = true }\n'
    write(tmp_path, {"capsula.toml": (PLAIN + files).encode(), "config.ini": TEXTS["github"]})

    capsula("capture", cwd=tmp_path)
    checked = capsula("check", "--secrets", cwd=tmp_path, PATH=os.defpath)

    capsule = only_capsule(tmp_path)
    assert (capsule / "config.ini").read_bytes() == TEXTS["github"]
    assert (checked.returncode, checked.stdout.splitlines()[0]) == (1, f"{capsule.name}/config.ini: line 1: github")


@pytest.mark.parametrize(
    ("given", "status", "suspects"),
    [
        (None, 4, []),
        (TEXTS["github"], 0, []),
        (b"other\n", 1, [{"facet": "inputs", "reason": "d/key.py has other content than then"}]),
    ],
)
def test_a_withheld_file_is_needed_and_known_again(
    given: bytes | None, status: int, suspects: list[object], tmp_path: Path
) -> None:
    files = {"main.py": b"print(len(open('d/key.py').read()))\n", "capsula.toml": b"[capture]\ninclude-cpu = false\n"}
    root = repository(tmp_path / "root", files)
    write(root, {"d/key.py": TEXTS["github"]})
    assert capsula("monitor", sys.executable, "main.py", cwd=root).stderr == ""
    (root / "d/key.py").unlink()
    (tmp_path / "given").write_bytes(given or b"")
    words = ("--input", f"d/key.py={tmp_path / 'given'}") if given else ()

    done = capsula("reproduce", "--no-rebuild", "--json", *words, cwd=root, XDG_CACHE_HOME=str(tmp_path / "cache"))

    assert done.returncode == status, done.stdout
    if given:
        assert json.loads(done.stdout)["context"]["suspects"] == suspects


def test_a_withheld_file_of_somebody_elses_capsule_is_known_by_nobody(tmp_path: Path) -> None:
    files = {"main.py": b"print(len(open('key.py').read()))\n", "capsula.toml": b"[capture]\ninclude-cpu = false\n"}
    root = repository(tmp_path / "root", files)
    write(root, {"key.py": TEXTS["github"]})
    capsula("monitor", sys.executable, "main.py", cwd=root)
    reader = repository(tmp_path / "reader", {"capsula.toml": PLAIN.encode()})
    capsula("capture", cwd=reader)
    only_capsule(root).rename(reader / "received")

    words = ("reproduce", "--no-rebuild", "--json", "--trust", "--input", f"key.py={root / 'key.py'}", "received")
    done = capsula(*words, cwd=reader, XDG_CACHE_HOME=str(tmp_path / "cache"))

    told = {"facet": "inputs", "reason": "key.py is as you gave it"}
    assert told in json.loads(done.stdout)["context"]["suspects"]


def test_of_an_output_that_is_withheld_a_seal_tells_whether_it_is_the_same(tmp_path: Path) -> None:
    program = b"import time\nopen('same.env', 'w').write('1234')\nopen('other.env', 'w').write(str(time.time_ns()))\n"
    configuration = PLAIN.replace("include-source = false\n", "")
    root = repository(tmp_path / "root", {"main.py": program, "capsula.toml": configuration.encode()})
    assert capsula("monitor", sys.executable, "main.py", cwd=root).stderr == ""

    verified = capsula("verify", cwd=root)
    capsula("monitor", sys.executable, "main.py", cwd=root)
    compared = capsula("diff", "@1", "@", "--json", cwd=root)
    replayed = capsula("reproduce", "@1", "--no-rebuild", "--json", cwd=root, XDG_CACHE_HOME=str(tmp_path / "cache"))

    sealed = document(capsules(root)[0], "post-run-info.json")["outputs"]["same.env"]
    assert ({*sealed}, len(sealed["seal"]["sha256"])) == ({"change", "withheld", "size", "seal"}, 32)
    assert hashlib.sha256(b"1234").hexdigest().encode() not in inflated(root / "vault")
    judged = (json.loads(compared.stdout)["results"], json.loads(replayed.stdout)["outputs"])
    grades = [{name: it["grade"] for name, it in those.items() if name.endswith(".env")} for those in judged]
    assert grades == [{"other.env": "different", "same.env": "identical"}] * 2
    assert verified.returncode == 0, verified.stdout


def leaked(said: str) -> set[str]:
    return {rule for rule, secret in SECRETS.items() if secret.decode() in said}
