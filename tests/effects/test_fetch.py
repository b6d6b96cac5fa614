"""A commit is fetched from remotes that others wrote, by a git that starts nothing but what brings it."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pygit2
import pytest
from returns.result import Failure, Success

from capsula.effects.fetch import fetched, fetching
from capsula.effects.process import fed
from tests.effects.wrapping import Terminal
from tests.repositories import commit, git, head, repository, write
from tests.running import PATIENCE
from tests.sources import ISOLATED

UNKNOWN = "0" * 40


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A repository with two commits and a tag."""
    remote = repository(tmp_path / "remote", {"a": b"a\n"})
    write(remote, {"a": b"changed\n"})
    commit(remote)
    git(remote, "tag", "v1")
    return remote


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return fresh(tmp_path / "into")


def fresh(directory: Path) -> Path:
    pygit2.init_repository(directory, bare=True)
    return directory


def program(file: Path, *lines: str) -> Path:
    """Write a program, and return the directory that it is in."""
    file.parent.mkdir()
    file.write_text("\n".join(("#!/bin/sh", *lines, "")))
    file.chmod(0o755)
    return file.parent


def first_on_the_path(directory: Path) -> dict[str, str]:
    return {**ISOLATED, "PATH": f"{directory}:{ISOLATED['PATH']}"}


def test_only_the_commit_is_fetched(remote: Path, into: Path) -> None:
    before = {it.name for it in into.iterdir()}

    answer = fetched(head(remote), [os.fspath(remote)], into, ISOLATED)

    tip = git(into, "rev-parse", head(remote) + "^{tree}").decode().strip()
    known = {
        it.split()[0].decode() for it in git(into, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    }
    assert answer == Success(os.fspath(remote))
    assert known == {head(remote), tip, git(remote, "rev-parse", "HEAD:a").decode().strip()}
    assert git(into, "for-each-ref") == b""
    assert {it.name for it in into.iterdir()} - before == {"shallow"}


def test_remotes_are_asked_in_turn_and_each_says_why_it_was_none(remote: Path, into: Path, tmp_path: Path) -> None:
    gone, odd = os.fspath(tmp_path / "gone"), "ext::sh -c id"

    found = fetched(head(remote), [odd, gone, os.fspath(remote)], into, ISOLATED)
    lost = fetched(UNKNOWN, [odd, gone], into, ISOLATED)
    alone = fetched(UNKNOWN, [], into, ISOLATED)

    message = f"the commit {UNKNOWN} could not be fetched: "
    assert found == Success(os.fspath(remote))
    assert lost.failure().kind == "missing"
    assert lost.failure().message.startswith(f"{message}{odd}: is no remote to fetch from; {gone}: ")
    assert alone.failure().message == f"{message}no remote is known"


@pytest.mark.parametrize("url", ["ext::touch {mark}", "--upload-pack=touch {mark};"])
def test_the_command_itself_runs_nothing_that_a_url_names(url: str, into: Path, tmp_path: Path) -> None:
    words = fetching(os.fspath(into), url.format(mark=tmp_path / "mark"))

    done = subprocess.run(words, cwd=into, env=ISOLATED, capture_output=True, timeout=PATIENCE, check=False)

    assert done.returncode == 128
    assert not (tmp_path / "mark").exists()


def test_the_command_itself_speaks_to_nobody_who_could_be_anybody(into: Path) -> None:
    words = fetching(UNKNOWN, "git://127.0.0.1:1/x")

    done = subprocess.run(words, cwd=into, env=ISOLATED, capture_output=True, timeout=PATIENCE, check=False)

    assert done.stderr == b"fatal: transport 'git' not allowed\n"


def test_variables_of_git_have_no_say(remote: Path, into: Path, tmp_path: Path) -> None:
    elsewhere = fresh(tmp_path / "elsewhere")
    said = {"GIT_DIR": os.fspath(elsewhere), "GIT_OBJECT_DIRECTORY": os.fspath(elsewhere / "objects")}
    said |= {"GIT_ALLOW_PROTOCOL": "ext", "GIT_EXEC_PATH": os.fspath(tmp_path)}

    answer = fetched(head(remote), [os.fspath(remote)], into, {**ISOLATED, **said})

    assert answer == Success(os.fspath(remote))
    assert (head(remote) in pygit2.Repository(into), [*pygit2.Repository(elsewhere)]) == (True, [])


def test_git_asks_nobody_and_says_why_in_english(into: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    words = "env > {0}; wc -c >> {0}; echo one >&2; echo 'fatal: no' >&2; exit 128"
    place = program(tmp_path / "bin/git", words.format(told))
    environ = {**first_on_the_path(place), "LC_ALL": "de_DE.UTF-8", "GIT_PAGER": "x"}
    (tmp_path / "mine").write_text("what is still to be read")

    with fed(tmp_path / "mine"):
        answer = fetched(UNKNOWN, ["/srv/x"], into, environ)

    lines = told.read_text().split()
    assert answer.failure().message.endswith("could not be fetched: /srv/x: fatal: no")
    assert {it for it in lines if it.startswith(("GIT_", "LC_"))} == {"GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}
    assert lines[-1] == "0"


def test_a_status_without_a_word_is_told(into: Path, tmp_path: Path) -> None:
    place = program(tmp_path / "bin/git", "exit 3")

    answer = fetched(UNKNOWN, ["/srv/x"], into, first_on_the_path(place))

    assert answer.failure().message.endswith("/srv/x: git ended with status 3")


def test_without_git_the_commit_is_missing(into: Path, tmp_path: Path) -> None:
    answer = fetched(UNKNOWN, ["/srv/x"], into, {"PATH": os.fspath(tmp_path)})

    assert isinstance(answer, Failure)
    assert answer.failure().kind == "missing"
    assert answer.failure().message.endswith("No such file or directory: 'git'")


def test_the_users_own_ssh_is_asked(remote: Path, into: Path, tmp_path: Path) -> None:
    place = program(tmp_path / "bin/ssh", 'for last; do :; done; exec sh -c "$last"')

    answer = fetched(head(remote), [f"ssh://host{remote}"], into, first_on_the_path(place))

    assert answer == Success(f"ssh://host{remote}")
    assert head(remote) in pygit2.Repository(into)


def test_ssh_may_ask_a_person_for_what_it_needs(remote: Path, into: Path, tmp_path: Path) -> None:
    asks = "echo passphrase? >/dev/tty; read -r answer </dev/tty"
    ssh = program(tmp_path / "bin/ssh", asks, f'[ "$answer" = open ] && exec git-upload-pack {remote}')
    script = f"""
from pathlib import Path
from capsula.effects.fetch import fetched
print(fetched("{head(remote)}", ["ssh://host/x"], Path("{into}"), {first_on_the_path(ssh)}))
"""

    terminal = Terminal.of([sys.executable, "-c", script])
    terminal.shown_until(b"passphrase?")
    terminal.type(b"open\n")
    terminal.shown_until(b"<Success: ssh://host/x>")

    assert terminal.ended() == 0


def test_nobody_is_refused_who_speaks_https(into: Path) -> None:
    answer = fetched(UNKNOWN, ["https://127.0.0.1:1/x"], into, ISOLATED)

    assert "not allowed" not in answer.failure().message


def test_where_nobody_sits_a_remote_that_says_nothing_is_given_up_and_no_one_left_who_waits_for_it(into: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/x"

        script = f"""
from pathlib import Path
from capsula.effects.fetch import fetched
print(fetched("{UNKNOWN}", ["{url}"], Path("{into}"), {ISOLATED}, time_limit=2).failure().message)
"""

        answer = subprocess.run(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True, check=True
        )

        silent.settimeout(PATIENCE)
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(PATIENCE)
            said = b"".join(iter(lambda: connection.recv(4096), b""))  # ends with whoever holds the other end
    assert answer.stdout.endswith(f"{url}: git was not done within 2 s\n")
    assert said[:1] == b"\x16"


def test_nothing_is_started_but_what_brings_the_commit(remote: Path, into: Path, tmp_path: Path) -> None:
    canary, trace = tmp_path / "canary", tmp_path / "trace"
    hooks = program(tmp_path / "hooks/reference-transaction", f"touch {canary}")
    (remote / ".gitmodules").write_text(
        f'[submodule "x"]\n\tpath = x\n\turl = ext::touch {canary}\n\tupdate = !touch\n'
    )
    git(remote, "update-index", "--add", "--cacheinfo", f"160000,{head(remote)},x")
    commit(remote)
    (tmp_path / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/reference-transaction\n"
        "[gc]\n\tauto = 1\n[maintenance]\n\tauto = true\n[fetch]\n\trecurseSubmodules = true\n"
        f"[trace2]\n\tnormalTarget = {trace}\n"
    )

    answer = fetched(head(remote), [os.fspath(remote)], into, {**ISOLATED, "HOME": os.fspath(tmp_path)})

    started = re.findall(r" child_start\[\d+\] '?(?:git )?(?:--shallow-file \S+ )?([\w-]+)", trace.read_text())
    assert answer == Success(os.fspath(remote))
    assert set(started) <= {"git-upload-pack", "pack-objects", "unpack-objects", "index-pack", "rev-list"}
    assert not canary.exists()
