"""The situations a work tree can be in: each is restored byte for byte, and the one that cannot be is listed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repositories import commit, git, head, repository, tree, write
from tests.running import capsula, document, only_capsule
from tests.sources import ISOLATED, captured, config, directories, published, put_back, told, untouched

BINARY = bytes(range(256)) * 20
ODD_NAMES = [" space", "end ", 'quo"te', "ta\tb", "new\nline", "unicodé", "\udcff\udcfe", "-dash", "back\\slash", "*"]


def unstaged_edit(top: Path) -> None:
    write(top, {"a.txt": b"one\nedited\n"})


def staged_only(top: Path) -> None:
    write(top, {"a.txt": b"staged\n"})
    git(top, "add", "a.txt")


def staged_then_edited(top: Path) -> None:
    staged_only(top)
    write(top, {"a.txt": b"edited again\n"})


def staged_new(top: Path) -> None:
    write(top, {"new.txt": b"new\n"})
    git(top, "add", "new.txt")


def intent_to_add(top: Path) -> None:
    write(top, {"new.txt": b"new\n"})
    git(top, "add", "--intent-to-add", "new.txt")


def untracked_text(top: Path) -> None:
    write(top, {"d/e/new.txt": b"new\n"})


def untracked_binary(top: Path) -> None:
    write(top, {"new.bin": BINARY})


def modified_binary(top: Path) -> None:
    write(top, {"b.bin": BINARY[::-1]})


def deleted(top: Path) -> None:
    (top / "a.txt").unlink()


def staged_delete(top: Path) -> None:
    git(top, "rm", "--quiet", "a.txt")


def rename_and_edit(top: Path) -> None:
    git(top, "mv", "a.txt", "renamed.txt")
    write(top, {"renamed.txt": b"one\ntwo\nand more\n"})


def chmod(top: Path) -> None:
    (top / "a.txt").chmod(0o755)


def link_retargeted_and_dangling(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to("nowhere/at all")
    (top / "absolute").symlink_to("/nonexistent")


def link_to_file(top: Path) -> None:
    (top / "link").unlink()
    write(top, {"link": b"a file now\n"})


def file_to_directory(top: Path) -> None:
    (top / "a.txt").unlink()
    write(top, {"a.txt/inner": b"x\n"})


def no_newline_at_end(top: Path) -> None:
    write(top, {"a.txt": b"one\ntwo"})


def blank_lines_at_end(top: Path) -> None:
    write(top, {"a.txt": b"one\ntwo\n\n\n \n"})


def crlf_edit(top: Path) -> None:
    write(top, {"a.txt": b"one\r\ntwo\r\n"})


def latin_1_edit(top: Path) -> None:
    write(top, {"a.txt": "één\n".encode("latin-1")})


def odd_names(top: Path) -> None:
    write(top, {f"{name}": name.encode(errors="surrogateescape") for name in ODD_NAMES})
    write(top, {f"d{name}/{name}": b"x" for name in ODD_NAMES})


def odd_name_staged(top: Path) -> None:
    odd_names(top)
    git(top, "add", "--all")


def empty_untracked(top: Path) -> None:
    write(top, {"empty": b""})


def configured(*settings: str) -> Callable[[Path], None]:
    def situation(top: Path) -> None:
        for setting in settings:
            git(top, "config", *setting.split("=", 1))
        write(top, {"a.txt": b"one\nedited\n"})
        staged_new(top)

    situation.__name__ = settings[0].partition("=")[0]
    return situation


def textconv(top: Path) -> None:
    write(top, {".gitattributes": b"*.txt diff=upper\n"})
    configured("diff.upper.textconv=tr a-z A-Z <")(top)


def submodule(top: Path) -> Path:
    library = repository(top.parent / "library", {"lib.txt": b"lib\n"})
    git(top, "submodule", "add", "--quiet", os.fspath(library), "sub")
    commit(top)
    return top / "sub"


def submodule_dirty(top: Path) -> None:
    write(submodule(top), {"lib.txt": b"edited\n"})


def submodule_with_a_new_commit(top: Path) -> None:
    inner = submodule(top)
    write(inner, {"lib.txt": b"committed\n"})
    commit(inner)


def submodule_with_untracked_files(top: Path) -> None:
    write(submodule(top), {"new/file": b"new\n"})


def nested_untracked_repository(top: Path) -> None:
    inner = repository(top / "d" / "nested", {"x": b"x\n", "deep/y": b"y\n"})
    write(inner, {"x": b"edited\n", "z": b"z\n"})


def detached_head(top: Path) -> None:
    git(top, "checkout", "--quiet", "--detach")
    unstaged_edit(top)


def skip_worktree_edit(top: Path) -> None:
    git(top, "update-index", "--skip-worktree", "a.txt")
    unstaged_edit(top)


def assume_unchanged_edit(top: Path) -> None:
    git(top, "update-index", "--assume-unchanged", "a.txt")
    unstaged_edit(top)


def autocrlf(top: Path) -> None:
    git(top, "config", "core.autocrlf", "true")
    (top / "a.txt").unlink()
    git(top, "checkout", "a.txt")
    assert (top / "a.txt").read_bytes() == b"one\r\ntwo\r\n"


def working_tree_encoding(top: Path) -> None:
    write(top, {".gitattributes": b"*.u16 text working-tree-encoding=UTF-16LE\n", "t.u16": "één\n".encode("utf-16-le")})
    commit(top)


def clean_and_smudge_filter(top: Path) -> None:
    git(top, "config", "filter.rot.clean", "tr a-m n-z")
    git(top, "config", "filter.rot.smudge", "tr n-z a-m")
    write(top, {".gitattributes": b"*.rot filter=rot\n", "f.rot": b"abc\n"})
    commit(top)


def merge_conflict(top: Path) -> None:
    git(top, "checkout", "--quiet", "-b", "other")
    write(top, {"a.txt": b"theirs\n"})
    commit(top)
    git(top, "checkout", "--quiet", "main")
    write(top, {"a.txt": b"ours\n"})
    commit(top)
    git(top, "merge", "--quiet", "other", check=False)
    assert b"<<<<<<<" in (top / "a.txt").read_bytes()


def touched_only(top: Path) -> None:
    os.utime(top / "a.txt", (1, 1))


def same_size_edit_in_the_racy_window(top: Path) -> None:
    status = (top / "a.txt").stat()
    git(top, "add", "a.txt")
    write(top, {"a.txt": b"two\none\n"})
    os.utime(top / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(top / ".git" / "index", ns=(status.st_atime_ns, status.st_mtime_ns))


def unborn_head(top: Path) -> None:
    shutil.rmtree(top / ".git")
    git(top, "init", "--quiet")
    git(top, "add", "a.txt")


SITUATIONS = [
    *(unstaged_edit, staged_only, staged_then_edited, staged_new, intent_to_add, untracked_text, untracked_binary),
    *(modified_binary, deleted, staged_delete, rename_and_edit, chmod, link_retargeted_and_dangling, link_to_file),
    *(file_to_directory, no_newline_at_end, blank_lines_at_end, crlf_edit, latin_1_edit, odd_names, odd_name_staged),
    empty_untracked,
    *(configured(it) for it in ("diff.noprefix=true", "diff.mnemonicPrefix=true", "color.ui=always")),
    *(configured("diff.external=false"), textconv, configured("diff.context=0")),
    *(submodule_dirty, submodule_with_a_new_commit, submodule_with_untracked_files, nested_untracked_repository),
    *(detached_head, skip_worktree_edit, assume_unchanged_edit, autocrlf, working_tree_encoding),
    *(clean_and_smudge_filter, merge_conflict, touched_only, same_size_edit_in_the_racy_window, unborn_head),
]


def made(place: Path, situation: Callable[[Path], None]) -> Path:
    top = repository(place / "project", {"a.txt": b"one\ntwo\n", "b.bin": BINARY, "d/c.txt": b"c\n", "r.sh": b"#!x\n"})
    (top / "r.sh").chmod(0o755)
    (top / "link").symlink_to("a.txt")
    commit(top)
    situation(top)
    return top


def test_there_are_as_many_situations_as_are_known_and_one_that_is_ignored() -> None:
    assert len({situation.__name__ for situation in SITUATIONS}) == len(SITUATIONS) == 42


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_a_work_tree_is_restored_from_the_capsule_alone(situation: Callable[[Path], None], tmp_path: Path) -> None:
    top = made(tmp_path, situation)
    before, files, folders = untouched(top), tree(top), directories(top)
    commit_there = git(top, "rev-parse", "--quiet", "--verify", "HEAD", check=False)

    fragment = captured(config(top), tmp_path / "capsule")
    assert untouched(top) == before
    elsewhere = top.rename(tmp_path / "gone")
    answer = put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh", ISOLATED)  # a submodule is published

    assert answer.unwrap().needs == ()
    assert fragment.faults == ()
    assert tree(tmp_path / "fresh") == files
    assert directories(tmp_path / "fresh") == folders
    assert git(tmp_path / "fresh", "rev-parse", "--quiet", "--verify", "HEAD", check=False) == commit_there
    assert untouched(elsewhere) == before


@pytest.mark.parametrize(
    "situation", [it for it in SITUATIONS if it is not unborn_head], ids=lambda situation: situation.__name__
)
def test_a_work_tree_is_restored_from_a_published_commit(situation: Callable[[Path], None], tmp_path: Path) -> None:
    top = made(tmp_path, situation)
    published(top)
    before, files, folders = untouched(top), tree(top), directories(top)

    fragment = captured(config(top), tmp_path / "capsule")
    answer = put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh")

    assert told(fragment, "mode") == "overlay"
    assert answer.unwrap().needs == ()
    assert tree(tmp_path / "fresh") == files
    assert directories(tmp_path / "fresh") == folders
    assert head(tmp_path / "fresh") == head(top)
    assert untouched(top) == before


def test_an_ignored_file_is_listed_and_restored_if_it_is_declared(tmp_path: Path) -> None:
    top = made(
        tmp_path, lambda top: write(top, {".gitignore": b"data/\n", "data/in.csv": b"1,2\n", "data/no.csv": b""})
    )
    write(top, {"capsula.toml": b'[capture.files]\n"data/in.csv" = { hash = "sha256", copy = true }\n'})
    before = untouched(top)

    done = capsula("capture", cwd=top)
    again = capsula("checkout", "@", "../fresh", cwd=top)

    assert (done.returncode, again.returncode) == (0, 0), (done, again)
    assert (tmp_path / "fresh" / "data" / "in.csv").read_bytes() == b"1,2\n"
    assert not (tmp_path / "fresh" / "data" / "no.csv").exists()
    assert document(only_capsule(top), "context.json")["source"]["project"]["ignored"] == [
        {"path": "data/in.csv", "size": 4},
        {"path": "data/no.csv", "size": 0},
    ]
    assert untouched(top) == before
