"""Changes with a secret in them: they are in no patch, and what is left applies."""

from pathlib import Path

import pytest
from returns.result import Success

from capsula.collectors.git import collect
from capsula.core.config import Config
from capsula.core.effect import Write
from capsula.core.fragment import Fragment
from capsula.core.settings import SourceSettings
from capsula.effects.perform import performed
from tests.canaries import CANARIES, TOKENS
from tests.repositories import captured, commit, config, git, given_back, patches, repository, tracked, write

TOKEN = TOKENS["github"].encode()
PRIVATE_KEY = CANARIES["private-key"][0].format(CANARIES["private-key"][1]).encode()
LINES = b"".join(b"%d\n" % number for number in range(40))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    files = {"a.py": LINES, "b.py": LINES, "old.py": b"1\n '" + TOKEN + b"'\n" + LINES, "key.txt": PRIVATE_KEY}
    return repository(tmp_path / "top", {**files, ".env": b"A=1\n", "image": bytes(3000)})


def test_a_change_with_a_secret_is_left_out_and_the_others_apply(top: Path, tmp_path: Path) -> None:
    write(top, {"a.py": LINES + b"a\n", "b.py": LINES + TOKEN, ".env": b"A=2\n"})

    kept = patches(captured(top))

    assert withheld(captured(top), tmp_path / "capsule") == {
        "top.diff": [(".env", "looks like a secret"), ("b.py", "secret: github")]
    }
    back, then = given_back(top, tmp_path / "back", kept), tracked(top)
    assert {path for path in then if back[path] != then[path]} == {".env", "b.py"}


@pytest.mark.parametrize(("path", "rule"), [("old.py", "github"), ("key.txt", "private-key")])
def test_a_secret_in_what_was_removed_is_left_out_too(top: Path, tmp_path: Path, path: str, rule: str) -> None:
    (top / path).unlink()

    fragment = captured(top)

    assert patches(fragment) == {"top.diff": b""}
    assert withheld(fragment, tmp_path / "capsule") == {"top.diff": [(path, f"secret: {rule}")]}


def test_a_secret_in_the_line_that_a_patch_tells_as_the_place_is_left_out(top: Path, tmp_path: Path) -> None:
    write(top, {"a.py": b"key('" + TOKEN + b"')\n" + LINES})
    commit(top)
    write(top, {"a.py": (top / "a.py").read_bytes() + b"more\n"})

    assert withheld(captured(top), tmp_path / "capsule") == {"top.diff": [("a.py", "secret: github")]}


def test_a_secret_that_no_changed_line_is_near_withholds_nothing(top: Path, tmp_path: Path) -> None:
    write(top, {"old.py": (top / "old.py").read_bytes() + b"more\n"})

    fragment = captured(top)

    assert withheld(fragment, tmp_path / "capsule") == {"top.diff": []}
    assert given_back(top, tmp_path / "back", patches(fragment)) == tracked(top)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_whose_one_patch_is_left_out_is_in_neither(top: Path, tmp_path: Path, is_first: bool) -> None:
    secret, plain = b"0\n" + TOKEN + b"\n" + LINES[2:], LINES + b"more\n"
    steps = (secret, secret + b"more\n") if is_first else (plain, plain.replace(b"0\n1\n", b"0\n" + TOKEN + b"\n1\n"))
    write(top, {"a.py": steps[0], "b.py": b"b\n"})
    git(top, "add", "--all")
    write(top, {"a.py": steps[1]})

    fragment = captured(top)

    told = [("a.py", "secret: github")]
    assert withheld(fragment, tmp_path / "capsule") == {"top.staged.diff": told, "top.diff": told}
    assert patches(fragment)["top.diff"] == b""
    assert given_back(top, tmp_path / "back", patches(fragment))["b.py"] == tracked(top)["b.py"]


@pytest.mark.parametrize("is_staged", [True, False])
@pytest.mark.parametrize("is_removed", [True, False])
def test_a_secret_in_a_binary_file_is_left_out(top: Path, tmp_path: Path, is_staged: bool, is_removed: bool) -> None:
    if is_removed:
        write(top, {"image": bytes(1000) + TOKEN + bytes(2000)})
        commit(top)
    write(top, {"image": bytes(2000) + (b"" if is_removed else TOKEN) + bytes(2000)})
    if is_staged:
        git(top, "add", "image")

    fragment = captured(top)

    told = withheld(fragment, tmp_path / "capsule")
    assert [*filter(None, told.values())] == [[("image", "secret: github")]]
    assert b"image" not in b"".join(patches(fragment).values())


@pytest.mark.parametrize("is_staged", [True, False])
@pytest.mark.parametrize(("path", "content"), [("a.py", b"x\n" * 1000), ("image", b"small"), ("image", None)])
def test_a_change_of_a_file_that_is_too_large_is_left_out(
    top: Path, tmp_path: Path, path: str, content: bytes | None, is_staged: bool
) -> None:
    (top / path).unlink()
    write(top, {"b.py": b"b\n", **({} if content is None else {path: content})})
    if is_staged:
        git(top, "add", "--all")

    fragment = collect(limited(top)).unwrap()

    told = withheld(fragment, tmp_path / "capsule")
    assert [*filter(None, told.values())] == [[(path, "is larger than 1000 bytes")]]
    back, then = given_back(top, tmp_path / "back", patches(fragment)), tracked(top)
    assert {path for path in {*back, *then} if back.get(path) != then.get(path)} == {path}


def test_a_conflict_in_a_file_that_is_too_large_is_left_out(top: Path, tmp_path: Path) -> None:
    for branch, content in (("other", b"other\n" * 100), ("main", b"main\n" * 120)):
        git(top, "checkout", "--quiet", "-B", branch, "main~0")
        write(top, {"a.py": content})
        commit(top)
    git(top, "merge", "other", check=False)

    fragment = collect(limited(top)).unwrap()

    assert withheld(fragment, tmp_path / "capsule") == {"top.diff": [("a.py", "is larger than 1000 bytes")]}


def limited(top: Path) -> Config:
    """Return a config that keeps no file over 1000 bytes."""
    it = config(top)
    capture = it.settings.capture._replace(source=SourceSettings(file_limit=1000))
    return it._replace(settings=it.settings._replace(capture=capture))


def withheld(fragment: Fragment, capsule: Path) -> dict[str, list[tuple[str, str]]]:
    """Return what each patch does not hold, as is told once they are written."""
    capsule.mkdir()
    write_all = [effect for effect in fragment.effects if isinstance(effect, Write)]
    ((_, answer),) = performed(write_all, capsule)
    assert isinstance(answer, Success)
    rows = answer.unwrap().facts
    assert isinstance(rows, list)
    return {row["file"]: [(it["path"], it["reason"]) for it in row.get("withheld", [])] for row in rows}
