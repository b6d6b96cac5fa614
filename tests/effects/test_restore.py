"""What a capsule says of its source is not trusted."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from returns.result import Success

from capsula.core.content import FILE
from capsula.core.fault import Json
from capsula.core.fragment import Fragment
from capsula.core.settings import SourceSettings
from capsula.core.tree import digest
from capsula.effects.restore import restored
from tests.repositories import commit, git, head, repository, tree, write
from tests.sources import ISOLATED, captured, config, published, put_back

Facts = dict[str, Any]  # facts to be tampered with, in whatever way


@pytest.fixture
def capsule(tmp_path: Path) -> Path:
    return tmp_path / "capsule"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = repository(tmp_path / "project", {"a": b"a\n", "d/b": b"b\n"})
    write(top, {"new": b"new\n", "big": bytes(5000)})
    (top / "link").symlink_to("a")
    return top


def state(fragment: Fragment) -> Facts:
    facts: Facts = fragment.facts["project"]  # type: ignore[index,call-overload,assignment]  # a table
    return facts


def kind(fragment: Fragment, capsule: Path, top: Path, into: Path) -> str:
    return put_back(fragment, capsule, top, into).failure().kind


def message(fragment: Fragment, capsule: Path, top: Path, into: Path) -> str:
    """Return why the source cannot be restored."""
    fault = put_back(fragment, capsule, top, into).failure()
    assert fault.kind == "integrity"
    return fault.message.removeprefix("the source cannot be restored: ")


def archive(capsule: Path) -> Path:
    return capsule / ".capsula" / "source" / "project.tar.gz"


def member(name: str, content: bytes = b"x", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def rewritten(capsule: Path, *members: tuple[tarfile.TarInfo, bytes], is_last: bool = False) -> None:
    """Put further members into the archive, before or behind the others."""
    with tarfile.open(archive(capsule)) as old:
        held = [(it, old.extractfile(it).read() if it.isreg() else b"") for it in old]  # type: ignore[union-attr]  # one is
    with tarfile.open(archive(capsule), "w:gz", format=tarfile.GNU_FORMAT) as new:
        for info, content in (*held, *members) if is_last else (*members, *held):
            new.addfile(info, io.BytesIO(content))


LEADING_OUT = [
    *("../out", "/out", "d/../../out", ".git/config", ".GIT/config", "git~1/config", ".git /x", ".git./x", "", "a//b"),
    *("d/.git/hooks/post-checkout", ".g\u200cit/config", ".git::$INDEX_ALLOCATION/x", "d\\.git\\x", "a\0b", "."),
]


@pytest.mark.parametrize("path", LEADING_OUT)
@pytest.mark.parametrize("place", ["overlay", "directories", "deleted", "nested", "archive"])
def test_no_path_leads_outside_or_into_what_is_gits(
    path: str, place: str, top: Path, capsule: Path, tmp_path: Path
) -> None:
    fragment = captured(config(top), capsule)
    facts = state(fragment)
    match place:
        case "overlay":
            facts["overlay"].append({"path": path, "kind": "file", "size": 1, "sha256": "0" * 64})
        case "nested":
            facts["nested"] = {path: {**facts, "path": path}}
        case "archive":
            facts["archive"]["file"] = path
        case _:
            facts[place] = [path]
    before = tree(tmp_path)

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "integrity"
    assert not os.path.lexists(tmp_path / "fresh")
    assert tree(tmp_path) == before


ODD_MEMBERS = {
    "outside": member("../out"),
    "absolute": member("/out"),
    "of git": member(".git/hooks/x"),
    "unknown": member("unknown"),
    "twice": member("new", b"new\n"),
    "other content": member("new", b"old\n"),
    "other size": member("new", b"longer than it was\n"),
    "hard link": member("new", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "link for a file": member("new", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "pipe": member("new", b"", type=tarfile.FIFOTYPE),
    "device": member("new", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "directory": member("new", b"", type=tarfile.DIRTYPE),
    "link behind": member("link", b"", type=tarfile.SYMTYPE, linkname="/etc"),
}


@pytest.mark.parametrize("odd", ODD_MEMBERS.values(), ids=ODD_MEMBERS)
def test_an_archive_that_holds_what_no_fact_tells_is_refused(
    odd: tuple[tarfile.TarInfo, bytes], top: Path, capsule: Path, tmp_path: Path
) -> None:
    fragment = captured(config(top), capsule)
    rewritten(capsule, odd)
    state(fragment)["archive"]["size"] = archive(capsule).stat().st_size

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "integrity"
    assert list((tmp_path / "fresh").iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_last", [False, True])
def test_a_file_behind_a_link_is_refused(is_last: bool, top: Path, capsule: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (top / "way").symlink_to(outside)
    fragment = captured(config(top), capsule)
    facts = state(fragment)
    facts["overlay"].append({**facts["overlay"][-2], "path": "way/new"})
    rewritten(capsule, member("way/new", b"new\n"), is_last=is_last)
    facts["archive"]["size"] = archive(capsule).stat().st_size

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "integrity"
    assert list(outside.iterdir()) == []


def test_a_bomb_does_not_go_off(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    with gzip.open(archive(capsule), "wb", compresslevel=1) as bomb:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 28
        bomb.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(256):
            bomb.write(bytes(1 << 20))
    state(fragment)["archive"]["size"] = archive(capsule).stat().st_size

    assert message(fragment, capsule, top, tmp_path / "fresh") == "the archive is larger than it should be"


def test_a_tree_that_multiplies_ends_before_it_fills_the_disk(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    evil = repository(tmp_path / "evil", {"empty": b""})
    inner = git(evil, "rev-parse", "HEAD^{tree}").decode().strip()
    for _ in range(4):
        inner = made(evil, b"".join(entry(str(number), inner, "40000") for number in range(10)))
    committed(state(fragment), evil, inner)

    assert message(fragment, capsule, top, tmp_path / "fresh") == "the tree holds more than it should"
    assert list((tmp_path / "fresh").iterdir()) == []


def test_a_commit_that_has_two_files_at_one_place_is_refused(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    evil = repository(tmp_path / "evil", {"a": b"a\n"})
    facts = state(fragment)
    committed(facts, evil, made(evil, entry("a", blob(evil)) * 2))
    facts.update(overlay=[], digest=digest({b"a": (FILE, bytes.fromhex(blob(evil)), 2)}))
    del facts["archive"]

    assert "File exists" in message(fragment, capsule, top, tmp_path / "fresh")
    assert list((tmp_path / "fresh").iterdir()) == []


def test_a_file_that_the_archive_does_not_hold_is_refused(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    state(fragment)["overlay"].append({"path": "more", "kind": "file", "size": 1, "sha256": "0" * 64})

    assert message(fragment, capsule, top, tmp_path / "fresh") == "the archive does not hold 'more'"


def test_which_file_of_the_archive_is_another_one_is_said(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    (row,) = (it for it in state(fragment)["overlay"] if it["path"] == "new")
    row["sha256"] = "0" * 64

    told = message(fragment, capsule, top, tmp_path / "fresh")

    assert told == "the archive holds another 'new' than was recorded"


CONVERTING = ("text", "text eol=crlf", "crlf", "ident", "filter=x", "working-tree-encoding=UTF-16")


@pytest.mark.parametrize("attributes", CONVERTING)
def test_bytes_are_those_of_the_commit_and_the_run_whatever_attributes_ask_for(
    attributes: str, capsule: Path, tmp_path: Path
) -> None:
    top = repository(tmp_path / "project", {})
    (top / ".git/info").mkdir(exist_ok=True)
    (top / ".git/info/attributes").write_text("* -text -filter -ident -working-tree-encoding\n")
    files = {"a": b"1\r\n2\n", "b": b"$Id: 0 $\n", "c": b"\r\n", "utf16": "x\n".encode("utf-16")}
    write(top, {**files, ".gitattributes": f"* {attributes}\n".encode()})
    commit(top)
    (top / ".git/info/attributes").unlink()
    write(top, {"c": b"changed\r\n", "d": b"$Id: new $\r\n"})
    fragment = captured(config(top), capsule)

    answer = put_back(fragment, capsule, top, tmp_path / "fresh")

    status = ("-c", f"filter.x.clean=touch {tmp_path / 'canary'}; cat", "status", "--porcelain")
    assert isinstance(answer, Success)
    assert tree(tmp_path / "fresh") == tree(top)
    assert git(tmp_path / "fresh", *status) == b" M c\n?? d\n"
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-9]),
        lambda file: file.write_bytes(
            file.read_bytes()[:40] + bytes([file.read_bytes()[40] ^ 1]) + file.read_bytes()[41:]
        ),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"no such format"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), subprocess.run(["mkfifo", file], check=True)),
        lambda file: (file.rename(file.with_suffix(".x")), file.symlink_to(file.with_suffix(".x"))),
    ],
    ids=["cut off", "flipped", "empty", "other", "missing", "pipe", "link"],
)
@pytest.mark.parametrize("suffix", [".tar.gz", ".pack"])
def test_a_damaged_archive_leaves_nothing_behind(
    damage: Callable[[Path], object], suffix: str, top: Path, capsule: Path, tmp_path: Path
) -> None:
    fragment = captured(config(top), capsule)
    damage(archive(capsule).with_name(f"project{suffix}"))

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "integrity"
    assert list((tmp_path / "fresh").iterdir()) == []


def test_another_digest_leaves_nothing_behind(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    state(fragment)["digest"] = "0" * 64

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "integrity"
    assert list((tmp_path / "fresh").iterdir()) == []


@pytest.mark.parametrize("told", [None, [], {}, "x", {"path": 1}, {"path": ".", "head": "../../x"}])
def test_facts_that_are_none_are_refused(told: Json, top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)

    answer = put_back(fragment._replace(facts={"project": told}), capsule, top, tmp_path / "fresh")

    assert answer.failure().kind == "integrity"


def test_a_directory_that_is_not_empty_is_refused_and_left_alone(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    write(tmp_path / "fresh", {"mine": b"mine\n"})

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "occupied"
    assert tree(tmp_path / "fresh") == {"mine": ("file", b"mine\n")}


def test_a_published_commit_that_is_gone_here_is_fetched_if_that_is_allowed(
    top: Path, capsule: Path, tmp_path: Path
) -> None:
    published(top)
    fragment = captured(config(top), capsule)
    files, commit_there = tree(top), head(top)
    shutil.rmtree(top)

    refused = put_back(fragment, capsule, top, tmp_path / "refused")
    answer = put_back(fragment, capsule, top, tmp_path / "fresh", ISOLATED)

    assert refused.failure().kind == "missing"
    assert answer.unwrap().fetched == (os.fspath(tmp_path / "project.remote.git"),)
    assert tree(tmp_path / "fresh") == files
    assert head(tmp_path / "fresh") == commit_there


@pytest.mark.parametrize(
    "url", ["ext::touch {mark}", "--upload-pack=touch {mark}", "ssh://-oProxyCommand=touch {mark}/x"]
)
def test_an_odd_remote_is_not_asked(url: str, top: Path, capsule: Path, tmp_path: Path) -> None:
    published(top)
    fragment = captured(config(top), capsule)
    mark = tmp_path / "mark"
    state(fragment)["remotes"] = [url.format(mark=mark)]
    shutil.rmtree(top)

    assert put_back(fragment, capsule, top, tmp_path / "fresh", ISOLATED).failure().kind == "missing"
    assert not mark.exists()


NAMES = (".git", ".GIT", "git~1", ".git\\config", "..", ".", "", "../out", "d/../../out", ".git/hooks/post-checkout")


@pytest.mark.parametrize("name", NAMES)
def test_no_path_of_a_commit_leads_outside_or_into_what_is_gits(
    name: str, top: Path, capsule: Path, tmp_path: Path
) -> None:
    fragment = captured(config(top), capsule)
    evil = repository(tmp_path / "evil", {"a": b"evil\n"})
    committed(state(fragment), evil, made(evil, entry(name, blob(evil))))
    before = tree(tmp_path)

    assert message(fragment, capsule, top, tmp_path / "fresh").startswith("a path of the commit has the component")
    assert tree(tmp_path) == before


def test_no_link_of_a_commit_leads_to_what_is_no_path(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    evil = repository(tmp_path / "evil", {"a": b""})
    committed(state(fragment), evil, made(evil, entry("x", blob(evil), "120000")))

    assert message(fragment, capsule, top, tmp_path / "fresh") == "a link leads to what is no path"


def committed(facts: Facts, evil: Path, tree: str) -> None:
    """Tell of a source that is the commit of a tree, in a repository that is here."""
    commit_id = git(evil, "commit-tree", tree, "-m", "x").decode().strip()
    facts.update(head=commit_id, mode="overlay", repository=os.fspath(evil / ".git"))
    del facts["objects"]


def blob(evil: Path) -> str:
    return git(evil, "rev-parse", "HEAD:a").decode().strip()


def entry(name: str, identity: str, mode: str = "100644") -> bytes:
    """Return a file as git's tree has it."""
    return b"%b %b\0%b" % (mode.encode(), name.encode(), bytes.fromhex(identity))


def made(evil: Path, content: bytes) -> str:
    """Put a tree into a repository, whatever it holds."""
    return git(evil, *("hash-object", "--literally", "-t", "tree", "-w", "--stdin"), stdin=content).decode().strip()


def test_no_source_stands_where_git_keeps_its_own(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    facts = state(fragment)
    inside = {**facts, "path": ".git/hooks", "head": None, "mode": "tree", "overlay": [], "digest": digest({})}
    del inside["repository"], inside["objects"], inside["archive"]

    answer = put_back(fragment._replace(facts={"project": facts, "x": inside}), capsule, top, tmp_path / "fresh")

    assert answer.failure().message == "the place of a source has the component '.git'"
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("root", ["", "relative", "../x", "/a\0b"])
def test_a_root_that_is_no_place_is_refused(root: str, top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)

    answer = restored(capsule, {"project": state(fragment)}, root, tmp_path / "fresh")

    assert answer.failure().message == "the place of a source is none"


@pytest.mark.parametrize("field", ["directories", "nested"])
def test_what_is_a_file_is_no_directory(field: str, top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    facts = state(fragment)
    facts[field] = ["new"] if field == "directories" else {"new": {**facts, "path": "new"}}

    assert message(fragment, capsule, top, tmp_path / "fresh").endswith("fresh/new is a file and a directory at once")


def test_files_without_an_archive_are_not_had(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    del state(fragment)["archive"]

    assert message(fragment, capsule, top, tmp_path / "fresh") == "the archive is missing"


def test_a_commit_that_is_not_in_its_pack_is_said_to_be_so(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    state(fragment)["head"] = "1" * 40

    told = message(fragment, capsule, top, tmp_path / "fresh")

    assert told == f"the commit {'1' * 40} is not where it should be"


def test_a_commit_without_its_history_is_whole_to_git(top: Path, capsule: Path, tmp_path: Path) -> None:
    commit(top)
    put_back(captured(config(top), capsule), capsule, top, tmp_path / "fresh").unwrap()

    history = git(tmp_path / "fresh", "rev-list", "HEAD").decode().split()

    assert history == [head(top)]
    assert git(tmp_path / "fresh", "fsck", "--strict") == b""


def test_what_was_fetched_leans_on_no_other_repository(top: Path, capsule: Path, tmp_path: Path) -> None:
    published(top)
    fragment = captured(config(top), capsule)
    shutil.rmtree(top)
    repository(top, {"another": b"history\n"})

    put_back(fragment, capsule, top, tmp_path / "fresh", ISOLATED).unwrap()

    assert not (tmp_path / "fresh/.git/objects/info/alternates").exists()


def test_a_commit_that_holds_more_than_was_recorded_is_refused(top: Path, capsule: Path, tmp_path: Path) -> None:
    fragment = captured(config(top), capsule)
    state(fragment)["size"] = 3

    assert kind(fragment, capsule, top, tmp_path / "fresh") == "integrity"


def test_what_was_not_kept_is_told_and_all_else_restored(top: Path, capsule: Path, tmp_path: Path) -> None:
    write(top, {".env": b"TOKEN=x\n", "d/key.pem": b"-----\n"})
    os.mkfifo(top / "pipe")
    fragment = captured(config(top, source=SourceSettings(file_limit=4000)), capsule)

    answer = put_back(fragment, capsule, top, tmp_path / "fresh").unwrap()

    assert [(it.path, it.reason) for it in answer.needs] == [
        (".env", "looks like a secret"),
        ("d/key.pem", "looks like a secret"),
        ("big", "is larger than 4000 bytes"),
        ("pipe", "is a named pipe"),
    ]
    kept = {path: file for path, file in tree(top).items() if path not in {".env", "d/key.pem", "big"}}
    assert tree(tmp_path / "fresh") == kept
    assert b"TOKEN" not in b"".join(file.read_bytes() for file in capsule.rglob("*") if file.is_file())


def test_a_secret_that_is_committed_is_not_in_the_pack(top: Path, capsule: Path, tmp_path: Path) -> None:
    write(top, {".env": b"TOKEN=x\n"})
    git(top, "add", "--force", ".env")
    commit(top)
    fragment = captured(config(top), capsule)
    shutil.move(top, tmp_path / "gone")

    answer = put_back(fragment, capsule, top, tmp_path / "fresh").unwrap()

    assert [it.path for it in answer.needs] == [".env"]
    assert not (tmp_path / "fresh" / ".env").exists()
    assert (tmp_path / "fresh" / "a").read_bytes() == b"a\n"


def test_several_sources_stand_as_they_stood(tmp_path: Path, capsule: Path) -> None:
    main = repository(tmp_path / "work" / "main", {"m": b"m\n"})
    other = repository(tmp_path / "work" / "other", {"o": b"o\n"})
    (main / "sub").mkdir()
    fragment = captured(config(main, {"main": ".", "deep/other": "../other"}), capsule)

    answer = put_back(fragment, capsule, main, tmp_path / "fresh").unwrap()

    assert answer.root == tmp_path / "fresh" / "main"
    assert tree(tmp_path / "fresh") == {"main/m": ("file", b"m\n"), "other/o": ("file", b"o\n")}
    assert [head(tmp_path / "fresh" / name) for name in ("main", "other")] == [head(main), head(other)]


@pytest.fixture
def with_secret(tmp_path: Path) -> Path:
    """A repository whose commit is on no remote, and has what looks like a secret."""
    return repository(tmp_path / "project", {"a": b"a\n", "d/.env": b"KEY=1\n", "big": bytes(5000)})


def test_a_withheld_file_that_is_as_committed_comes_from_the_commit(
    with_secret: Path, capsule: Path, tmp_path: Path
) -> None:
    there = tree(with_secret)
    fragment = captured(config(with_secret, source=SourceSettings(file_limit=100)), capsule)
    (with_secret / "d/.env").write_bytes(b"KEY=2\n")
    commit(with_secret)

    done = put_back(fragment, capsule, with_secret, tmp_path / "fresh").unwrap()

    assert (done.needs, done.fetched) == ((), ())
    assert tree(tmp_path / "fresh") == there


def test_a_withheld_file_that_was_changed_or_whose_commit_is_gone_is_needed(
    with_secret: Path, capsule: Path, tmp_path: Path
) -> None:
    write(with_secret, {"d/.env": b"KEY=2\n", ".env": b"KEY=3\n"})
    fragment = captured(config(with_secret), capsule)
    kept = captured(config(with_secret, source=SourceSettings(file_limit=100)), tmp_path / "other")

    changed = put_back(fragment, capsule, with_secret, tmp_path / "fresh").unwrap()
    with_secret.rename(tmp_path / "gone")
    gone = put_back(kept, tmp_path / "other", with_secret, tmp_path / "again").unwrap()

    assert [it.path for it in changed.needs] == [".env", "d/.env"]
    assert [it.path for it in gone.needs] == [".env", "d/.env", "big"]


def test_a_withheld_file_is_fetched_with_its_commit_if_that_is_on_the_remote_by_now(
    with_secret: Path, capsule: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(with_secret, "remote", "add", "origin", os.fspath(tmp_path / "remote.git"))
    there = tree(with_secret)
    fragment = captured(config(with_secret), capsule)
    git(with_secret, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    with_secret.rename(tmp_path / "gone")

    done = put_back(fragment, capsule, with_secret, tmp_path / "fresh", fetch=ISOLATED).unwrap()

    assert (done.needs, done.fetched) == ((), (os.fspath(tmp_path / "remote.git"),))
    assert tree(tmp_path / "fresh") == there


def test_a_withheld_file_that_is_damaged_in_the_repository_is_refused(
    with_secret: Path, capsule: Path, tmp_path: Path
) -> None:
    fragment = captured(config(with_secret), capsule)
    identity = git(with_secret, "rev-parse", "HEAD:d/.env").decode().strip()
    file = with_secret / ".git/objects" / identity[:2] / identity[2:]
    file.chmod(0o600)
    file.write_bytes(zlib.compress(b"blob 6\0KEY=2\n"))

    assert kind(fragment, capsule, with_secret, tmp_path / "fresh") == "integrity"
