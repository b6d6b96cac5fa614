"""The programmatic interface: what it answers, what it raises, and that looking touches nothing."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import capsula
from capsula.core.effect import Keep, Shell
from capsula.core.redaction import is_redacted

LEAN = """
[capture]
include-cpu = false
include-python-packages = false
"""


def configured(root: Path, capture: str = "", more: str = "") -> Path:
    root.mkdir(exist_ok=True)
    (root / "capsula.toml").write_text(LEAN + capture + "\n" + more)
    return root


def run(root: Path, source: str, *before: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a project; nothing of it is compiled to a file."""
    (root / "program.py").write_text(source)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CAPSULA_")}
    return subprocess.run(
        [*before, sys.executable, "program.py"],
        cwd=root,
        env=environ | {"PYTHONDONTWRITEBYTECODE": "1", "PWD": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# Loading.


def test_loading_answers_with_what_holds_in_a_directory(tmp_path: Path) -> None:
    root = configured(tmp_path)

    config = capsula.load(str(root))

    assert (config.root, config.file, config.vault) == (root, root / "capsula.toml", root / "vault")
    assert config.settings.capture.include_cpu is False
    assert config.surroundings.cwd == Path.cwd()


def test_loading_searches_upwards_from_the_working_directory(tmp_path: Path) -> None:
    (configured(tmp_path) / "below").mkdir()

    done = run(tmp_path, "import os, capsula\nos.chdir('below')\nprint(capsula.load().root)\n")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}\n", "")


def test_all_mistakes_of_a_configuration_are_raised_at_once(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text("vault-dir = 'x'\n[capture]\ninclude-cpu = 'false'\n")

    with pytest.raises(capsula.CapsulaError) as raised:
        capsula.load(tmp_path)

    assert [fault.path for fault in raised.value.faults] == [("capture", "include-cpu"), ("vault-dir",)]
    assert str(raised.value) == "\n".join(map(str, raised.value.faults))


def test_the_error_survives_a_pickle() -> None:
    error = capsula.CapsulaError((capsula.Fault("missing", "no such file", "make it", ("files", "x")),))

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), copy.faults, str(copy)) == (capsula.CapsulaError, error.faults, str(error))


# Collecting.


def test_collecting_tells_what_a_capture_would_do_and_does_none_of_it(tmp_path: Path) -> None:
    files = '[capture.files]\n"kept.txt" = { copy = true }\n"gone.txt" = { hash = "md5" }\n'
    root = configured(tmp_path / "root", "pre-capture-commands = ['touch made.txt']\n" + files)
    (root / "kept.txt").write_text("kept")
    before = snapshot(tmp_path)

    fragment = capsula.collect(capsula.load(root))

    assert snapshot(tmp_path) == before
    wanted = {effect.at: effect for effect in fragment.effects}
    command, keep = ("pre_capture_commands", "1"), ("files", "kept.txt")
    assert wanted[command] == Shell("touch made.txt", root, 600, at=command)
    assert wanted[keep] == Keep(root / "kept.txt", "kept.txt", plain=True, at=keep)
    assert {command, keep} <= set(fragment.pending)
    assert [(fault.path, fault.kind) for fault in fragment.faults] == [(("files", "gone.txt"), "missing")]
    assert isinstance(fragment.facts, dict)
    assert fragment.facts["files"] == {}
    assert fragment.facts.keys() >= {"root_directory", "cwd", "platform", "environment_variables", "git", "files"}


def test_what_is_collected_is_marked_as_in_a_capsule(tmp_path: Path) -> None:
    configured(tmp_path, 'environment-variables = ["API_KEY", "SERVICE"]\n')
    source = "import json, os, capsula\nos.environ |= {'API_KEY': 'canary', 'SERVICE': 'https://me:canary@host'}\n"
    source += "seen = [capsula.capture().documents['context.json'], capsula.collect().facts]\n"

    done = run(tmp_path, source + "print(json.dumps([it['environment_variables'] for it in seen]))\n")

    kept, collected = json.loads(done.stdout)
    assert collected == kept
    assert [*map(is_redacted, kept.values())] == [True, True]
    assert "canary" not in done.stdout


def test_collecting_works_where_there_is_neither_git_nor_a_configuration(tmp_path: Path) -> None:
    source = (
        "import json, capsula\nfragment = capsula.collect()\nprint(json.dumps([fragment.facts, fragment.faults]))\n"
    )

    done = run(tmp_path, source)

    assert (done.returncode, done.stderr) == (0, "")
    facts, faults = json.loads(done.stdout)
    assert faults == []
    assert (facts["root_directory"], facts["git"], facts["files"]) == (str(tmp_path), {}, {})
    assert facts.keys() >= {"cwd", "platform", "environment_variables", "cpu", "python_packages"}


COLLECTING = """
import capsula
fragment = capsula.collect()
assert "git" in fragment.facts and len(fragment.effects) >= 3, fragment
"""


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A project for which every facet has something to do: a repository with changes, files, commands."""
    root = tmp_path / "project"
    root.mkdir()
    capture = "[capture]\npre-capture-commands = ['touch made.txt']\n"
    files = '[capture.files]\n"program.py" = { hash = "sha256" }\n"new.txt" = { move = true, hash = "sha256" }\n'
    (root / "capsula.toml").write_text(capture + files)
    (root / "program.py").write_text("")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=."]):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    (root / "new.txt").write_text("new")
    return root


def test_collecting_opens_nothing_for_writing_as_python_tells(busy: Path) -> None:
    source = f"""
import os, sys
opened = []
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
touching = {{"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.utime",
            "os.chmod", "os.chown", "tempfile.mkstemp", "tempfile.mkdtemp", "shutil.copyfile", "shutil.rmtree"}}
def opens_for_writing(path, mode, flags):  # a descriptor is open already: in memory, for the answers to asks
    return isinstance(path, (str, bytes)) and path != os.devnull and (flags or 0) & writing
def watch(event, args):
    if event in touching or event == "open" and opens_for_writing(*args):
        opened.append((event, args))
sys.addaudithook(watch)
{COLLECTING}
assert opened == [], opened
"""

    done = run(busy, source)

    assert (done.returncode, done.stderr) == (0, "")
    assert not (busy / "made.txt").exists()
    assert not (busy / "vault").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs: strace")
def test_collecting_opens_nothing_for_writing_as_the_kernel_tells(busy: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    calls = (
        "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat"
    )

    done = run(busy, COLLECTING, "strace", "-f", "-o", str(trace), "-e", calls)

    if "ptrace" in done.stderr.lower():
        pytest.skip("needs: strace")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in trace.read_text().splitlines() if _writes(line)] == []


def _writes(line: str) -> bool:
    # Semaphores and pipes stand below /dev, where no disk is.
    if "(" not in line or '"/dev/' in line or line.endswith("ENOENT (No such file or directory)"):
        return False
    return "open" not in line.partition("(")[0] or any(flag in line for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))


# Capturing.


def test_capturing_keeps_what_was_collected(tmp_path: Path) -> None:
    root = configured(tmp_path, "pre-capture-commands = ['touch made.txt']\n")

    capsule = capsula.capture(root)

    assert (root / "made.txt").is_file()
    assert (capsule.directory.parent, capsule.name, capsule.faults) == (root / "vault", capsule.directory.name, ())
    assert capsule.documents == {"context.json": json.loads((capsule.directory / "context.json").read_text())}


def test_a_config_can_be_captured_that_was_loaded_before(tmp_path: Path) -> None:
    config = capsula.load(configured(tmp_path))

    first, second = capsula.capture(config), capsula.capture(config)

    assert first.directory != second.directory
    assert first.header.id != second.header.id


def test_a_strict_capture_raises_all_faults_and_keeps_the_capsule(tmp_path: Path) -> None:
    root = configured(tmp_path, "environment-variables = ['UNSET_ONE', 'UNSET_TWO']\n")

    with pytest.raises(capsula.CapsulaError) as raised:
        capsula.capture(root, strict=True)
    lenient = capsula.capture(root)

    assert [fault.path[-1] for fault in raised.value.faults] == ["UNSET_ONE", "UNSET_TWO"]
    assert lenient.faults == raised.value.faults
    assert len([path for path in (root / "vault").iterdir() if not path.name.startswith(".")]) == 2


def test_a_capture_whose_command_fails_raises_and_keeps_nothing(tmp_path: Path) -> None:
    root = configured(tmp_path, "pre-capture-commands = ['echo why >&2; exit 3', 'touch made.txt']\n")

    with pytest.raises(capsula.CapsulaError, match="why"):
        capsula.capture(root)

    assert not (root / "made.txt").exists()
    assert not (root / "vault").exists()


def test_a_capture_without_a_place_for_it_raises(tmp_path: Path) -> None:
    root = configured(tmp_path)
    (root / "vault").write_text("in the way")

    with pytest.raises(capsula.CapsulaError) as raised:
        capsula.capture(root)

    assert len(raised.value.faults) == 1
    assert (root / "vault").read_text() == "in the way"


# The package itself.


def test_every_public_name_is_there_and_no_other() -> None:
    assert [name for name in capsula.__all__ if not hasattr(capsula, name)] == []
    assert capsula.__all__ == sorted(capsula.__all__)
    with pytest.raises(AttributeError, match="module 'capsula' has no attribute 'missing'"):
        capsula.missing  # noqa: B018  # that is the point
