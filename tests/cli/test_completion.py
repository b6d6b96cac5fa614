import shutil
import subprocess
from pathlib import Path

import pytest

from capsula.cli.main import COMMANDS
from tests.running import PLAIN, capsula, environment


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs: bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["capsula", "mon"], {"monitor"}),
        (["capsula", "-C", ".", "ch"], {"check", "checkout"}),
        (["capsula", "reproduce", "--off"], {"--offline"}),
        (["capsula", "reproduce", "--require", "id"], {"identical"}),
        (["capsula", "-l", "w"], {"warning"}),
        (["capsula", "checkout", "--fetch", "so"], {"some"}),
        (["capsula", "monitor", "-q", "pytho"], {"python-of-mine"}),
        (["capsula", "monitor", "--json-"], {"--json-file"}),
        (["capsula", "monitor", "python", "--json-"], set()),
        (["capsula", "completion", "f"], {"fish"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], offered: set[str]) -> None:
    (tmp_path / "python-of-mine").touch(0o755)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "capsula"
    program.write_text("#!/bin/sh\necho some-otter\necho some\n")
    program.chmod(0o755)
    script = capsula("completion", "bash", cwd=tmp_path).stdout
    typed = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _capsula; printf '%s\\n' \"${{COMPREPLY[@]}}\""

    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{asked}"],
        cwd=tmp_path,
        env=environment(PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    answers = set(done.stdout.split())
    assert answers == offered if words[-1] not in {"so", "pytho"} else answers >= offered


def test_all_commands_and_their_options_are_told_to_fish(tmp_path: Path) -> None:
    done = capsula("completion", "fish", cwd=tmp_path)

    lines = done.stdout.splitlines()
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert f"complete -c capsula -f -n __fish_use_subcommand -a {name} -d '{summary}'" in lines
    assert "complete -c capsula -n '__fish_seen_subcommand_from reproduce' -l offline -d 'fetch no packages'" in lines


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs: zsh")
def test_zsh_takes_the_script(tmp_path: Path) -> None:
    script = capsula("completion", "zsh", cwd=tmp_path).stdout

    done = subprocess.run(
        ["zsh", "-f", "-c", f"autoload -Uz compinit; compinit -D\n{script}\nwhich _capsula"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_refused(tmp_path: Path) -> None:
    done = capsula("completion", "tcl", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "invalid choice: 'tcl'" in done.stderr


def test_the_names_of_capsules_are_listed_for_programs(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN)
    assert capsula("list", "--names", cwd=tmp_path).stdout == ""
    for _ in range(2):
        assert capsula("capture", cwd=tmp_path).returncode == 0

    done = capsula("list", "--names", cwd=tmp_path)
    newest = capsula("list", "--names", "-n", "1", cwd=tmp_path)

    names = done.stdout.split()
    assert (len(names), done.returncode) == (2, 0)
    assert newest.stdout.split() == names[:1]
    assert all(capsula("show", name, cwd=tmp_path).returncode == 0 for name in names)
