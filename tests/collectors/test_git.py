import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from capsula.core.fault import Fault
from capsula.core.fragment import Fragment
from capsula.reading.repository import holder, tracks
from tests.repositories import (
    captured,
    commit,
    fact,
    git,
    given_back,
    head,
    patches,
    repository,
    tracked,
    write,
)


def test_a_clean_repository_is_its_commit_and_an_empty_patch(tmp_path: Path) -> None:
    top = repository(tmp_path / "project", {"a": b"1\n"})
    git(top, "remote", "add", "origin", "https://me:token@example.org/x.git")

    fragment = captured(top)

    assert fragment.facts == {
        "project": {
            "path": ".",
            "sha": head(top),
            "branch": "main",
            "remotes": [{"name": "origin", "url": "https://example.org/x.git"}],
            "dirty": False,
            "changes": {"staged": 0, "unstaged": 0, "untracked": 0},
            "untracked": [],
        }
    }
    assert patches(fragment) == {"project.diff": b""}
    assert fragment.effects[0].at == ("project", "patches")
    assert fragment.faults == ()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("ssh://git:word@example.org:22/x", "ssh://git@example.org:22/x"),
        ("https://token@example.org/x", "https://example.org/x"),
        ("HTTPS://me:w@rd@example.org:8080/x@y", "HTTPS://example.org:8080/x@y"),
        ("https://example.org:8080/x@y", "https://example.org:8080/x@y"),
        ("../elsewhere", "../elsewhere"),
    ],
)
def test_a_url_is_told_without_its_secrets(tmp_path: Path, url: str, told: str) -> None:
    top = repository(tmp_path / "r", {})
    git(top, "remote", "add", "origin", url)

    fragment = captured(top)

    assert fact(fragment, "r", "remotes") == [{"name": "origin", "url": told}]


def test_staged_and_unstaged_changes_are_two_patches_in_the_order_to_apply(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    write(top, {"a": b"2\n", "new": b"n\n", "loose": b"l\n"})
    git(top, "add", "a", "new")
    write(top, {"a": b"3\n"})
    (top / "new").unlink()

    fragment = captured(top)

    assert list(patches(fragment)) == ["r.staged.diff", "r.diff"]
    assert fact(fragment, "r", "changes") == {"staged": 2, "unstaged": 2, "untracked": 1}
    assert fact(fragment, "r", "untracked") == ["loose"]
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == {"a": ("file", b"3\n")}


@pytest.mark.parametrize(
    "setting",
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.external", "false"),
        ("diff.context", "0"),
        ("diff.interHunkContext", "9"),
        ("diff.renames", "copies"),
        ("diff.algorithm", "patience"),
        ("diff.orderFile", "order"),
        ("diff.txt.textconv", "rev"),
        ("color.ui", "always"),
        ("core.quotePath", "false"),
        ("core.abbrev", "4"),
    ],
)
def test_the_configuration_of_the_user_has_no_influence_on_the_patch(tmp_path: Path, setting: tuple[str, str]) -> None:
    top = repository(
        tmp_path / "r", {"a b": b"1\n2\n3\n4\n5\n", "c.txt": b"c\n", ".gitattributes": b"*.txt diff=txt\n"}
    )
    write(top, {"a b": b"1\n2\nIII\n4\n5\n", "c.txt": b"C\n", "n\xe9w": b"n\n"})
    git(top, "add", "n\xe9w")
    plain = patches(captured(top))

    git(top, "config", *setting)

    assert patches(captured(top)) == plain
    assert given_back(top, tmp_path / "fresh", plain) == tracked(top)


@pytest.mark.parametrize(("other", "conflicts"), [("delete", 1), ("link", 2), ("edit", 1), ("both add", 1)])
def test_a_conflict_in_progress_is_given_back_as_it_stands(tmp_path: Path, other: str, conflicts: int) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n", "b": b"b\n"})
    git(top, "checkout", "--quiet", "-b", "other")
    name = "added" if other == "both add" else "a"
    if name == "a":
        (top / "a").unlink()
    if other == "link":
        (top / "a").symlink_to("b")
    elif other != "delete":
        write(top, {name: b"theirs\n"})
    commit(top)
    git(top, "checkout", "--quiet", "main")
    write(top, {name: b"ours\n"})
    commit(top)
    git(top, "merge", "other", check=False)

    fragment = captured(top)

    assert fact(fragment, "r", "changes", "conflicted") == conflicts
    assert fact(fragment, "r", "dirty") is True
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == tracked(top)


def test_a_file_only_intended_to_be_added_is_given_back(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    write(top, {"later": b"x\n"})
    git(top, "add", "--intent-to-add", "later")

    fragment = captured(top)

    assert fact(fragment, "r", "changes") == {"staged": 0, "unstaged": 1, "untracked": 0}
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == {"a": ("file", b"1\n"), "later": ("file", b"x\n")}


def test_before_the_first_commit_there_is_a_branch_and_no_sha(tmp_path: Path) -> None:
    top = tmp_path / "r"
    top.mkdir()
    git(top, "init", "--quiet", "--initial-branch=first")
    write(top, {"a": b"1\n"})
    git(top, "add", "a")

    fragment = captured(top)

    assert (fact(fragment, "r", "sha"), fact(fragment, "r", "branch")) == (None, "first")
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == {"a": ("file", b"1\n")}


def test_a_detached_head_has_a_sha_and_no_branch(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    git(top, "checkout", "--quiet", "--detach")

    fragment = captured(top)

    assert (fact(fragment, "r", "sha"), fact(fragment, "r", "branch")) == (head(top), None)


def test_a_linked_work_tree_is_captured_as_itself(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    git(top, "worktree", "add", "--quiet", "-b", "side", "../linked")
    write(tmp_path / "linked", {"a": b"2\n"})

    fragment = captured(tmp_path / "linked")

    assert (fact(fragment, "linked", "branch"), fact(fragment, "linked", "worktree")) == ("side", "linked")
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == {"a": ("file", b"2\n")}


def test_a_bare_repository_has_a_commit_and_no_patches(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    git(tmp_path, "clone", "--quiet", "--bare", "r", "bare.git")

    fragment = captured(tmp_path, {"it": "bare.git"})

    assert (fact(fragment, "it", "sha"), fact(fragment, "it", "bare")) == (head(top), True)
    assert fragment.effects == ()


def test_submodules_are_told_with_what_is_recorded_and_what_is_there(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"f": b"1\n"})
    recorded = head(inner)
    top = repository(tmp_path / "r", {"a": b"1\n"})
    for name in ("dirty", "moved", "gone", "same"):
        git(top, "submodule", "--quiet", "add", os.fspath(inner), name)
    commit(top)
    git(top, "submodule", "--quiet", "deinit", "--force", "gone")
    git(top, "submodule", "--quiet", "add", os.fspath(inner), "new")
    write(top, {"dirty/f": b"2\n", "moved/f": b"3\n", "a": b"2\n"})
    actual = commit(top / "moved")
    write(top, {"moved/f": b"4\n"})

    fragment = captured(top)

    assert fact(fragment, "r", "submodules") == [
        {"path": "dirty", "recorded": recorded, "actual": recorded, "dirty": True},
        {"path": "gone", "recorded": recorded, "actual": None},
        {"path": "moved", "recorded": recorded, "actual": actual, "dirty": True},
        {"path": "new", "recorded": None, "actual": recorded},
        {"path": "same", "recorded": recorded, "actual": recorded},
    ]
    assert fact(fragment, "r", "caveats") == ["changes inside the submodules dirty, moved are not in the patches"]
    assert fact(fragment, "r", "changes") == {"staged": 2, "unstaged": 3, "untracked": 0}
    assert patches(fragment)["r.diff"].endswith(b"+Subproject commit %s\n" % actual.encode())
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == tracked(top)


def test_behind_a_link_in_the_place_of_a_submodule_nothing_is_checked_out(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"f": b"1\n"})
    top = repository(tmp_path / "r", {})
    git(top, "submodule", "--quiet", "add", os.fspath(inner), "sub")
    commit(top)
    shutil.rmtree(top / "sub")
    (top / "sub").symlink_to(inner)

    fragment = captured(top)

    assert fact(fragment, "r", "submodules") == [{"path": "sub", "recorded": head(inner), "actual": None}]


def test_a_submodule_is_captured_as_a_repository_of_its_own(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"f": b"1\n"})
    top = repository(tmp_path / "r", {})
    git(top, "submodule", "--quiet", "add", os.fspath(inner), "sub")
    write(top, {"sub/f": b"2\n"})

    fragment = captured(top, {"sub": "sub"})

    assert (fact(fragment, "sub", "sha"), fact(fragment, "sub", "path")) == (head(inner), "sub")
    assert given_back(inner, tmp_path / "fresh", patches(fragment)) == {"f": ("file", b"2\n")}


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_was_told_not_to_look_at_are_a_caveat(tmp_path: Path, flag: str, version: str) -> None:
    top = repository(tmp_path / "r", {"dir/hidden.txt": b"1\n", "dir/hidden.txz": b"1\n", "a": b"1\n"})
    write(top, {"b" * length: b"" for length in range(1, 9)})
    commit(top)
    git(top, "update-index", f"--index-version={version}")
    git(top, "update-index", flag, "dir/hidden.txz")
    write(top, {"dir/hidden.txz": b"2\n", "a": b"2\n"})

    fragment = captured(top)

    assert fact(fragment, "r", "caveats") == [
        "git was told not to look at dir/hidden.txz: changes there are not in the patches"
    ]
    assert fact(fragment, "r", "changes") == {"staged": 0, "unstaged": 1, "untracked": 0}


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_sparse_checkout_is_clean_while_nothing_in_it_changed(tmp_path: Path, version: str) -> None:
    top = repository(tmp_path / "r", {"d/a": b"1\n", "e/a": b"1\n", "e/f/a": b"1\n", "a": b"1\n"})
    git(top, "sparse-checkout", "set", "d")
    git(top, "update-index", f"--index-version={version}")
    clean = captured(top)
    write(top, {"d/a": b"2\n"})

    fragment = captured(top)

    assert patches(clean) == {"r.diff": b""}
    assert (fact(clean, "r", "dirty"), fact(clean, "r", "caveats")) == (False, None)
    assert fact(fragment, "r", "changes") == {"staged": 0, "unstaged": 1, "untracked": 0}
    assert given_back(top, tmp_path / "fresh", patches(fragment)) == {
        "d/a": ("file", b"2\n"),
        "e/a": ("file", b"1\n"),
        "e/f/a": ("file", b"1\n"),
        "a": ("file", b"1\n"),
    }


def test_a_file_that_a_sparse_checkout_has_nevertheless_is_a_caveat(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"d/a": b"1\n", "e/a": b"1\n", "e/b": b"1\n"})
    git(top, "config", "sparse.expectFilesOutsideOfPatterns", "true")
    git(top, "sparse-checkout", "set", "d")
    write(top, {"e/a": b"2\n"})

    fragment = captured(top)

    assert fact(fragment, "r", "caveats") == ["git was told not to look at e/a: changes there are not in the patches"]
    assert patches(fragment) == {"r.diff": b""}


@pytest.mark.parametrize(
    ("file", "attributes", "told"),
    [
        (".gitattributes", b"* text=auto\n", ".gitattributes: text=auto: "),
        ("dir/.gitattributes", b"# eol=lf\n*.txt eol=crlf -ident\n", "dir/.gitattributes: eol=crlf: "),
        (".git/info/attributes", b"*.ps1 working-tree-encoding=UTF-16\n", ".git/info/attributes: working-tree-"),
        (".gitattributes", b"text -diff -text\n", None),
    ],
)
@pytest.mark.parametrize("added", [True, False])
def test_conversions_at_work_are_a_caveat(
    tmp_path: Path, file: str, attributes: bytes, told: str | None, added: bool
) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    write(top, {file: attributes})
    if added:
        commit(top)

    caveats = fact(captured(top), "r", "caveats")

    assert isinstance(caveats, list) is bool(told)
    assert told is None or (
        isinstance(caveats, list) and [str(caveat).startswith(told) for caveat in caveats] == [True]
    )


def test_conversion_of_line_ends_is_a_caveat(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    git(top, "config", "core.autocrlf", "input")

    assert fact(captured(top), "r", "caveats") == [
        "core.autocrlf=input: the patches hold bytes as git keeps them, which may be other than those of the work tree"
    ]


def test_a_file_in_large_file_storage_is_unchanged_while_its_pointer_is_right(tmp_path: Path) -> None:
    digest = sha256(b"big").hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 3\n".encode()
    attributes = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"
    top = repository(tmp_path / "r", {"same.bin": pointer, "other.bin": pointer, ".gitattributes": attributes})
    write(top, {"same.bin": b"big", "other.bin": b"bug"})

    fragment = captured(top)

    assert fact(fragment, "r", "changes") == {"staged": 0, "unstaged": 1, "untracked": 0}
    assert given_back(top, tmp_path / "fresh", patches(fragment))["other.bin"] == ("file", b"bug")


def test_large_file_storage_is_known_from_attributes_outside_of_the_tree(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(b'big').hexdigest()}\nsize 3\n".encode()
    top = repository(tmp_path / "r", {"same.bin": pointer})
    write(top, {"same.bin": b"big", ".git/info/attributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n"})

    fragment = captured(top)

    assert fact(fragment, "r", "changes") == {"staged": 0, "unstaged": 0, "untracked": 0}


def test_the_vault_and_ignored_files_are_not_listed_as_untracked(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {".gitignore": b"*.o\n"})
    write(top, {"vault/1/context.json": b"", "vault2": b"", "a.o": b"", "deep/er/x": b"", "nested/y": b""})
    git(top / "nested", "init", "--quiet")

    fragment = captured(top)

    assert fact(fragment, "r", "untracked") == ["deep/er/x", "nested/", "vault2"]


def test_more_untracked_paths_than_a_document_lists_are_counted(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {})
    write(top, {f"{number:05}": b"" for number in range(10_002)})

    fragment = captured(top)

    assert fact(fragment, "r", "untracked") == [f"{number:05}" for number in range(10_000)]
    assert fact(fragment, "r", "untracked_left_out") == 2
    assert fact(fragment, "r", "changes", "untracked") == 10_002


def test_the_repository_that_holds_the_root_is_found_upwards(tmp_path: Path) -> None:
    top = repository(tmp_path / "my project\n", {"deep/root/a": b"1\n"})

    fragment = captured(top / "deep" / "root")

    assert fact(fragment, "my_project_", "path") == "../.."


def test_a_root_in_no_repository_has_no_repositories_and_no_fault(tmp_path: Path) -> None:
    assert captured(tmp_path) == Fragment({})


def test_a_name_with_slashes_names_a_nested_patch(tmp_path: Path) -> None:
    repository(tmp_path / "r", {"a": b"1\n"})

    fragment = captured(tmp_path, {"some/git/repository": "r"})

    assert patches(fragment) == {"some/git/repository.diff": b""}


def test_a_repository_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    repository(tmp_path / "good", {})
    broken = repository(tmp_path / "broken", {})
    (broken / ".git" / "index").write_bytes(b"nonsense")
    future = repository(tmp_path / "future", {})
    git(future, "config", "core.repositoryFormatVersion", "99")
    (tmp_path / "plain").mkdir()
    names = ["good", "broken", "future", "plain", "absent"]

    fragment = captured(tmp_path, {name: name for name in names} | {"../out": "good"})

    assert isinstance(fragment.facts, dict)
    assert list(fragment.facts) == ["good"]
    assert [(fault.path, fault.kind) for fault in fragment.faults] == [
        (("broken",), "unreadable"),
        (("future",), "unreadable"),
        (("plain",), "not a repository"),
        (("absent",), "missing"),
        (("../out",), "invalid name"),
    ]


@pytest.mark.parametrize("kept", [0, 14, 50])
def test_an_index_that_was_cut_is_said_to_be_unreadable(tmp_path: Path, kept: int) -> None:
    top = repository(tmp_path / "r", {".gitattributes": b"* -text\n"})
    index = top / ".git" / "index"
    index.write_bytes(index.read_bytes()[:kept])

    fragment = captured(top)

    fault = Fault("unreadable", f"{index} cannot be read: it is cut short", path=("r",))
    assert fragment == Fragment({}, faults=(fault,))


def test_no_room_is_made_for_more_entries_than_an_index_can_have(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {".gitattributes": b"* -text\n"})
    index = top / ".git" / "index"
    whole = index.read_bytes()
    index.write_bytes(whole[:8] + b"\xff\xff\xff\xff" + whole[12:])

    fragment = captured(top)

    fault = Fault("unreadable", f"{index} cannot be read: it is cut short", path=("r",))
    assert fragment == Fragment({}, faults=(fault,))


@pytest.mark.parametrize("rewriting", ["sparse-checkout set --sparse-index d", "update-index --split-index"])
def test_an_index_of_another_kind_is_said_to_be_unreadable_and_how_to_mend_it(tmp_path: Path, rewriting: str) -> None:
    top = repository(tmp_path / "r", {"d/a": b"1\n", "e/a": b"1\n"})
    git(top, *rewriting.split())
    (fault,) = captured(top).faults

    git(top, *fault.remedy.split()[1:])

    assert (fault.kind, fault.path) == ("unreadable", ("r",))
    assert fact(captured(top), "r", "dirty") is False


READING = """
import json, os, sys
from pathlib import Path
from tests.repositories import captured, patches
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
fragment = captured(Path(sys.argv[1]))
faults = [(fault.kind, fault.message, fault.path) for fault in fragment.faults]
kept = {name: patch.decode("latin-1") for name, patch in patches(fragment).items()}
print(json.dumps([fragment.facts, faults, kept]))
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that any user may come to, as they may not to those of pytest."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.parametrize("content", [b"other\n", b"2\n", b"1\n"], ids=["other size", "same size", "same content"])
@pytest.mark.parametrize("state", ["changed", "staged", "intended", "conflicted"])
def test_a_file_that_cannot_be_read_costs_only_itself(
    tmp_path: Path, reachable: Path, content: bytes, state: str
) -> None:
    names = ["a", "b", "z", "d/closed", "d/open"]
    top = repository(reachable / "r", {name: b"1\n" for name in names if (name, state) != ("b", "intended")})
    if state == "conflicted":
        _conflict(top, "b")
    write(top, {"a": b"2\n", "b": content, "z": b"long\n", "d/closed": content, "d/open": b"2\n"})
    if state == "staged":
        git(top, "add", "b")
    if state == "intended":
        git(top, "add", "--intent-to-add", "b")
    whole = given_back(top, tmp_path / "whole", patches(captured(top)))

    facts, faults, kept = _captured_by_another_user(top, closed=["b", "d/closed"])

    assert faults == [
        ["forbidden", f"{top / name}: Permission denied", ["r", "unreadable", name]] for name in ("b", "d/closed")
    ]
    assert facts["r"]["changes"]["unstaged"] == 5
    assert facts["r"]["untracked"] == []
    assert facts["r"]["caveats"] == ["b, d/closed cannot be read: changes there are not in the patches"]
    restored = given_back(top, tmp_path / "fresh", kept)
    others = ("a", "z", "d/open")
    assert {name: restored[name] for name in others} == {name: whole[name] for name in others}


def test_a_directory_that_cannot_be_entered_is_not_taken_for_deleted(tmp_path: Path, reachable: Path) -> None:
    top = repository(reachable / "r", {"a": b"1\n", "b": b"1\n", "d/a": b"1\n", "d/e/a": b"1\n"})
    write(top, {"a": b"2\n", "b": b"2\n"})

    facts, faults, kept = _captured_by_another_user(top, closed=["b", "d"])

    assert [fault[2] for fault in faults] == [["r", "unreadable", name] for name in ("b", "d/a", "d/e/a")]
    assert facts["r"]["untracked"] == []
    assert given_back(top, tmp_path / "fresh", kept) == {
        "a": ("file", b"2\n"),
        "b": ("file", b"1\n"),
        "d/a": ("file", b"1\n"),
        "d/e/a": ("file", b"1\n"),
    }


def test_attributes_that_cannot_be_read_cost_only_themselves(tmp_path: Path, reachable: Path) -> None:
    top = repository(reachable / "r", {"a": b"1\n", ".gitattributes": b"* -text\n", ".gitignore": b"*.o\n"})
    write(top, {"a": b"2\n"})

    facts, faults, kept = _captured_by_another_user(top, closed=[".gitattributes", ".gitignore"])

    assert [fault[2] for fault in faults] == [["r", "unreadable", name] for name in (".gitattributes", ".gitignore")]
    conversions, changes = facts["r"]["caveats"]
    assert conversions.startswith(".gitattributes: cannot be read: if it asks for conversions, the patches hold")
    assert changes == ".gitattributes, .gitignore cannot be read: changes there are not in the patches"
    assert given_back(top, tmp_path / "fresh", kept)["a"] == ("file", b"2\n")


def _conflict(top: Path, name: str) -> None:
    git(top, "checkout", "--quiet", "-b", "other")
    write(top, {name: b"theirs\n"})
    commit(top)
    git(top, "checkout", "--quiet", "main")
    write(top, {name: b"ours\n"})
    commit(top)
    git(top, "merge", "other", check=False)


def _captured_by_another_user(top: Path, closed: list[str]) -> tuple[Any, Any, dict[str, bytes]]:
    """Return facts, faults and patches as a user finds them who may not read what is closed."""
    for name in closed:
        (top / name).chmod(0)
    if os.geteuid() == 0:
        for path in [top, *top.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
    home = {**os.environ, "HOME": os.devnull}
    done = subprocess.run([sys.executable, "-c", READING, top], env=home, capture_output=True, text=True, check=False)
    for path in [top, *top.rglob("*")] if os.geteuid() == 0 else ():
        os.chown(path, 0, 0, follow_symlinks=False)
    for name in closed:
        (top / name).chmod(0o755)
    assert done.returncode == 0, done.stderr
    facts, faults, kept = json.loads(done.stdout)
    return facts, faults, {name: patch.encode("latin-1") for name, patch in kept.items()}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
def test_the_repository_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {})
    for path in (top, top / ".git"):
        os.chown(path, 12345, 12345)

    fragment = captured(top)

    remedy = f"if you trust it: git config --global --add safe.directory {top}"
    assert fragment == Fragment({}, faults=(Fault("not trusted", f"{top} is owned by another user", remedy, ("r",)),))


def test_a_work_tree_that_knows_nothing_of_its_repository_is_refused(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {})
    write(tmp_path, {"private/secret": b"s"})
    git(top, "config", "core.worktree", os.fspath(tmp_path / "private"))

    fragment = captured(tmp_path, {"r": "r"})

    assert fragment.facts == {}
    assert [fault.kind for fault in fragment.faults] == ["core.worktree leads elsewhere"]


def test_a_git_directory_that_stands_elsewhere_is_no_obstacle(tmp_path: Path) -> None:
    top = tmp_path / "r"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "--separate-git-dir=kept", "r")

    assert fact(captured(top), "r", "branch") == "main"


def test_a_git_directory_is_found_as_git_finds_it_whatever_stands_behind_its_name(tmp_path: Path) -> None:
    top = tmp_path / "r"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "--separate-git-dir=kept", "r")
    (top / ".git").write_bytes(b"gitdir: ../kept\0more\n")

    assert fact(captured(top), "r", "branch") == "main"


def test_a_work_tree_whose_repository_is_gone_is_a_fault(tmp_path: Path) -> None:
    git(repository(tmp_path / "r", {}), "worktree", "add", "--quiet", "../linked")
    (tmp_path / "r").rename(tmp_path / "moved")
    (tmp_path / "linked" / "d").mkdir()

    message = f"{tmp_path}/linked/.git stands for a repository that is not where it says"
    remedy = "git worktree repair, where the repository is now"
    for root in ("linked", "linked/d"):
        fault = Fault("nothing there", message, remedy, (Path(root).name,))
        assert captured(tmp_path / root) == Fragment({}, faults=(fault,))


def test_nothing_in_the_repository_is_written_and_no_program_of_it_runs(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n", "b": b"2\n", ".gitattributes": b"* diff=x filter=x\n"})
    for setting in ("core.fsmonitor", "diff.external", "diff.x.textconv", "diff.x.command", "filter.x.clean"):
        git(top, "config", setting, f"touch {tmp_path / 'ran'}; cat")
    write(top, {"a": b"3\n"})
    os.utime(top / "b", (1, 1))
    before = _stamps(top)

    patches(captured(top))

    assert _stamps(top) == before
    assert not (tmp_path / "ran").exists()


def _stamps(top: Path) -> dict[Path, tuple[int, int, int]]:
    paths = [top, *top.rglob("*")]
    return {path: (path.lstat().st_ino, path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}


def test_a_file_that_vanishes_before_its_patch_is_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    write(top, {"a": b"23\n"})
    fragment = captured(top)

    shutil.rmtree(top)

    with pytest.raises(OSError, match=r"^a: "):
        patches(fragment)


def test_an_edit_of_the_same_size_right_after_staging_is_seen(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"a": b"1\n"})
    for number in range(20):
        write(top, {"a": b"%02d\n" % number})
        git(top, "add", "a")
        write(top, {"a": b"%02d\n" % (number + 50)})

        assert patches(captured(top))["r.diff"].endswith(b"-%02d\n+%02d\n" % (number, number + 50))


def test_the_index_tells_what_is_tracked(tmp_path: Path) -> None:
    top = repository(tmp_path / "r", {"d/a": b"1\n"})
    (top / "link").symlink_to("d/a")
    (top / "to-d").symlink_to("d")
    commit(top)
    write(top, {"d/new": b""})
    held = holder(top / "d" / "a").unwrap()

    assert Path(held.workdir) == top
    assert [tracks(held, top / name) for name in ("d/a", "link", "to-d/a", "d/new", "d", "../x")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
