import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from capsula.collectors.source import collect
from capsula.core.effect import Archive
from capsula.core.fault import Fault
from capsula.core.fragment import graft
from capsula.core.settings import SourceSettings
from capsula.core.tree import WORKSPACE
from capsula.effects.perform import performed
from tests.repositories import commit, git, head, repository, tree, write
from tests.running import capsula, capsules, document
from tests.sources import captured, config, published, put_back, told


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return repository(tmp_path / "project", {"a": b"a\n", "d/b": b"b\n"})


def test_a_published_commit_without_changes_needs_no_byte_of_its_own(top: Path, tmp_path: Path) -> None:
    published(top)

    fragment = captured(config(top), tmp_path / "capsule")

    assert list((tmp_path / "capsule").rglob("*")) == []
    assert fragment.facts == {
        "project": {
            "path": ".",
            "head": head(top),
            "mode": "overlay",
            "digest": told(fragment, "digest"),
            "files": 2,
            "size": 4,
            "repository": os.fspath(top / ".git"),
            "published": True,
            "remotes": [os.fspath(tmp_path / "project.remote.git")],
        }
    }


def test_what_differs_is_told_and_kept(top: Path, tmp_path: Path) -> None:
    published(top)
    git(top, "tag", "v1")
    (top / "a").unlink()
    write(top, {"new": b"new\n"})
    (top / "new").chmod(0o755)
    (top / "empty").mkdir()

    fragment = captured(config(top), tmp_path / "capsule")

    assert told(fragment, "overlay") == [
        {
            "path": "new",
            "kind": "program",
            "size": 4,
            "sha256": "7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c",
        }
    ]
    assert told(fragment, "deleted") == ["a"]
    assert told(fragment, "directories") == ["empty"]
    assert told(fragment, "describe") == f"v1-0-g{head(top)[:7]}-dirty"
    archive = tmp_path / "capsule/.capsula/source/project.tar.gz"
    listed = subprocess.run(["tar", "tvzf", archive], capture_output=True, check=True)
    assert listed.stdout.split()[0] == b"-rwxr-xr-x"


def test_an_archive_is_the_same_whenever_and_by_whomever_it_is_made(top: Path, tmp_path: Path) -> None:
    write(top, {"é" * 80: b"x", "new": b"new\n"})
    (top / "link").symlink_to("x" * 200)
    captured(config(top), tmp_path / "one")
    os.utime(top / "new", (1, 1))
    captured(config(top), tmp_path / "other")

    assert tree(tmp_path / "one") == tree(tmp_path / "other")
    git(top, "clean", "--quiet", "--force")
    subprocess.run(["tar", "xzf", tmp_path / "one/.capsula/source/project.tar.gz", "-C", top], check=True)
    assert (top / ("é" * 80)).read_bytes() == b"x"
    assert os.fspath((top / "link").readlink()) == "x" * 200


def test_the_pack_is_one_that_git_takes(top: Path, tmp_path: Path) -> None:
    captured(config(top), tmp_path / "capsule")
    fresh = tmp_path / "fresh"
    git(tmp_path, "init", "--quiet", os.fspath(fresh))
    (fresh / ".git" / "shallow").write_text(f"{head(top)}\n")

    git(fresh, "unpack-objects", "-q", stdin=(tmp_path / "capsule/.capsula/source/project.pack").read_bytes())

    git(fresh, "fsck", "--full", "--strict")
    git(fresh, "checkout", "--quiet", head(top))
    assert tree(fresh) == tree(top)


def test_capsules_of_one_commit_share_its_pack_and_do_not_grow(top: Path) -> None:
    for _ in range(4):
        done = capsula("monitor", "--", "true", cwd=top)
        assert done.returncode == 0, done.stderr

    packs = [capsule / ".capsula/source/project.pack" for capsule in capsules(top)]
    assert len({pack.stat().st_ino for pack in packs}) == 1
    assert {stat.S_IMODE(pack.stat().st_mode) for pack in packs} == {0o600}
    sources = [document(capsule, "context.json")["source"] for capsule in capsules(top)]
    assert sources == [sources[0]] * 4
    assert git(top, "status", "--porcelain") == b""


def test_a_file_that_is_changed_while_it_is_captured_is_kept_as_it_was_last(top: Path, tmp_path: Path) -> None:
    write(top, {"log": b"one\n", "other": b"other\n", "vanishing": b"x"})
    settings, capsule = config(top), tmp_path / "capsule"
    fragment = collect(settings).unwrap()
    write(top, {"log": b"one\ntwo\n"})
    (top / "vanishing").unlink()

    capsule.mkdir()
    fragment = graft(fragment, performed(fragment.effects, capsule))

    assert [(fault.path, fault.kind) for fault in fragment.faults] == [
        (("project", "changing", "log"), "changed"),
        (("project", "changing", "vanishing"), "missing"),
    ]
    answer = put_back(fragment, capsule, top, tmp_path / "fresh").unwrap()
    assert [need.path for need in answer.needs] == ["vanishing"]
    assert tree(tmp_path / "fresh") == tree(top)


def test_a_directory_without_repository_is_kept_whole(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    write(root, {"a.py": b"a\n", "d/b": b"b\n", ".venv/pyvenv.cfg": b"", ".venv/lib/x": b"x", "__pycache__/a.pyc": b""})
    (root / "out").mkdir()

    fragment = captured(config(root), tmp_path / "capsule")
    put_back(fragment, tmp_path / "capsule", root, tmp_path / "fresh").unwrap()

    assert (told(fragment, "head"), told(fragment, "mode")) == (None, "tree")
    assert told(fragment, "caches") == [".venv"]
    assert tree(tmp_path / "fresh") == {"a.py": ("file", b"a\n"), "d/b": ("file", b"b\n")}
    assert (tmp_path / "fresh" / "out").is_dir()
    assert not (tmp_path / "fresh" / ".git").exists()


def test_a_work_tree_whose_repository_is_gone_is_kept_as_a_directory(top: Path, tmp_path: Path) -> None:
    git(top, "worktree", "add", "--quiet", "../linked")
    top.rename(tmp_path / "moved")

    fragment = captured(config(tmp_path / "linked"), tmp_path / "capsule")

    assert (told(fragment, "head"), told(fragment, "files")) == (None, 2)


@pytest.mark.parametrize("place", ["/", "home"])
def test_a_home_directory_or_a_whole_disk_is_not_kept(place: str, tmp_path: Path) -> None:
    root = tmp_path / place
    root.mkdir(exist_ok=True)
    settings = config(root)
    home = {"HOME": os.fspath(tmp_path / "home")}
    surroundings = type(settings.surroundings)(root, home, (), "python")

    fragment = collect(type(settings)(root, settings.settings, surroundings)).unwrap()

    assert [fault.kind for fault in fragment.faults] == ["too wide"]


def test_files_over_the_limits_are_listed_the_largest_first(top: Path, tmp_path: Path) -> None:
    write(top, {"small": b"x" * 10, "middle": b"x" * 100, "large": b"x" * 1000})

    fragment = captured(config(top, source=SourceSettings(file_limit=500, total_limit=50)), tmp_path / "capsule")

    assert told(fragment, "left_out") == [
        {"path": "large", "reason": "is larger than 500 bytes", "size": 1000, "mode": "0644"},
        {"path": "middle", "reason": "is beyond the limit of 50 bytes for all files", "size": 100, "mode": "0644"},
    ]


def test_what_is_withheld_and_what_is_kept_can_be_chosen(top: Path, tmp_path: Path) -> None:
    write(top, {"mine.dat": b"x", "d/.env": b"x", "key.pem": b"x", "credentials.py": b"x"})

    fragment = captured(config(top, source=SourceSettings(withhold=("*.dat",), keep=("d/*",))), tmp_path / "capsule")

    withheld, seals = told(fragment, "withheld"), told(fragment, "seals")
    assert isinstance(withheld, list)
    assert isinstance(seals, dict)
    assert [it["path"] for it in withheld] == ["key.pem", "mine.dat"]
    assert set(seals) == {"key.pem", "mine.dat"}


def test_the_vault_and_workspaces_are_no_part_of_the_source(top: Path, tmp_path: Path) -> None:
    before = told(captured(config(top), tmp_path / "before"), "digest")
    capsula("monitor", "--", "true", cwd=top)
    capsula("checkout", "@", "work space", cwd=top)
    (top / "vault" / ".gitignore").unlink()
    settings = config(top)
    here = type(settings)(top, type(settings.settings)(capture=settings.settings.capture), settings.surroundings)

    fragment = captured(here, tmp_path / "capsule")

    assert (top / "work space" / ".git" / WORKSPACE).exists()
    assert told(fragment, "digest") == before
    assert told(fragment, "overlay") is told(fragment, "directories") is told(fragment, "nested") is None


def test_ignored_files_are_listed_within_a_budget(top: Path, tmp_path: Path) -> None:
    write(
        top,
        {".gitignore": b"data/\n*.log\n", "x.log": b"12", "data/deep/y": b"1"}
        | {f"data/{n}": b"" for n in range(1100)},
    )
    commit(top)

    fragment = captured(config(top), tmp_path / "capsule")

    ignored = told(fragment, "ignored")
    assert isinstance(ignored, list)
    assert len(ignored) == 1000
    assert {"path": "x.log", "size": 2} in ignored
    assert told(fragment, "ignored_beyond") is True
    assert told(fragment, "directories") == ["data"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs: root")
@pytest.mark.parametrize("tracked", [True, False])
def test_what_cannot_be_read_is_listed(top: Path, tmp_path: Path, tracked: bool) -> None:
    write(top, {"secret": b"x", "closed/x": b"x", ".gitattributes": b"* -text\n"})
    if tracked:
        commit(top)
    (top / ".gitattributes").chmod(0)
    (top / "secret").chmod(0)
    (top / "closed").chmod(0)
    for folder in (it for it in (tmp_path, *tmp_path.parents) if not it.stat().st_mode & stat.S_IXOTH):
        folder.chmod(0o755)
    for path in [top, *(Path(folder, name) for folder, ds, fs in os.walk(top) for name in (*ds, *fs))]:
        os.chown(path, 65534, 65534)
    code = """
import json, os, sys
from pathlib import Path
from tests.sources import config
from capsula.collectors.source import collect
os.setgid(65534)
os.setuid(65534)
print(json.dumps(collect(config(Path(sys.argv[1]))).unwrap().facts["project"].get("left_out"), default=list))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, top],
        env={**os.environ, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    left_out = {it["path"]: it["reason"] for it in json.loads(done.stdout)}
    inside = {"closed/x": f"{top / 'closed/x'}: Permission denied"} if tracked else {}
    assert left_out == {
        ".gitattributes": f"{top / '.gitattributes'}: Permission denied",
        "secret": f"{top / 'secret'}: Permission denied",
        "closed": "cannot be listed: Permission denied",
        **inside,
    }


@pytest.mark.parametrize("is_published", [False, True])
def test_what_stands_in_the_place_of_a_submodule_is_kept_and_where_a_link_leads_is_not(
    top: Path, tmp_path: Path, is_published: bool
) -> None:
    inner = repository(tmp_path / "inner", {"f": b"1\n"})
    for name in ("file", "here", "there"):
        git(top, "submodule", "--quiet", "add", os.fspath(inner), name)
    commit(top)
    if is_published:
        published(top)
    for name in ("file", "here", "there"):
        shutil.rmtree(top / name)
    (top / "file").write_text("a\n")
    (top / "here").symlink_to(".")
    (top / "there").symlink_to(inner)

    fragment = captured(config(top), tmp_path / "capsule")
    put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh").unwrap()

    assert (told(fragment, "nested"), told(fragment, "ignored")) == (None, None)
    assert not (tmp_path / "capsule/.capsula/source/project.nested").exists()
    assert tree(tmp_path / "fresh") == tree(top)


def test_a_sparse_checkout_comes_back_as_it_is_and_is_not_dirty(top: Path, tmp_path: Path) -> None:
    write(top, {"e/c": b"c\n"})
    commit(top)
    published(top)
    git(top, "tag", "v1")
    git(top, "sparse-checkout", "set", "d")

    fragment = captured(config(top), tmp_path / "capsule")

    assert told(fragment, "describe") == f"v1-0-g{head(top)[:7]}"
    assert told(fragment, "deleted") == ["e/c"]
    assert put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh").unwrap().needs == ()
    assert tree(tmp_path / "fresh") == tree(top)


def test_an_index_that_was_cut_is_a_fault(top: Path) -> None:
    index = top / ".git" / "index"
    index.write_bytes(index.read_bytes()[:14])

    faults = collect(config(top)).unwrap().faults

    message = f"{index} cannot be read: it is cut short"
    assert faults == (Fault("unreadable", message, path=("project",)),)


def test_a_root_that_its_repository_ignores_is_a_directory_of_its_own(top: Path, tmp_path: Path) -> None:
    write(top, {".gitignore": b"ignored/\n", "ignored/a.py": b"a\n"})

    fragment = captured(config(top / "ignored"), tmp_path / "capsule")

    assert told(fragment, "head") is None
    assert told(fragment, "files") == 1


def test_a_bare_repository_has_no_source(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")

    fragment = collect(config(tmp_path, {"bare": "bare.git", "none": "none"})).unwrap()

    assert [(fault.path, fault.kind) for fault in fragment.faults] == [
        (("bare",), "no work tree"),
        (("none",), "missing"),
    ]


def test_collecting_wants_the_archive_made_and_makes_none(top: Path, tmp_path: Path) -> None:
    write(top, {"new": b"x"})
    before = tree(tmp_path)

    fragment = collect(config(top)).unwrap()

    archives = [effect for effect in fragment.effects if isinstance(effect, Archive)]
    assert [[*archive.contents] for archive in archives] == [[b"new"]]
    assert tree(tmp_path) == before
    assert fragment.faults == ()


def test_an_empty_commit_is_a_commit(tmp_path: Path) -> None:
    top = repository(tmp_path / "project", {})
    write(top, {"new": b"x"})

    fragment = captured(config(top), tmp_path / "capsule")
    put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh").unwrap()

    assert told(fragment, "head") == head(top) == head(tmp_path / "fresh")


@pytest.mark.parametrize("is_hidden", [False, True])
def test_what_stands_behind_a_link_in_the_place_of_a_directory_is_not_kept(is_hidden: bool, tmp_path: Path) -> None:
    top = repository(tmp_path / "top", {"d/x": b"x\n"})
    write(tmp_path / "outside", {"x": b"private words\n"})
    if is_hidden:
        git(top, "update-index", "--assume-unchanged", "d/x")
    shutil.rmtree(top / "d")
    (top / "d").symlink_to("../outside")

    fragment = captured(config(top), tmp_path / "capsule")

    put_back(fragment, tmp_path / "capsule", top, tmp_path / "fresh").unwrap()
    assert told(fragment, "deleted") == ["d/x"]
    assert tree(tmp_path / "fresh") == {"d": ("link", b"../outside")}
