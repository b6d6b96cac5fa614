"""Files with a secret in them: they are in no archive, no pack and no patch, and said to be withheld."""

import os
from pathlib import Path

import pytest

from capsula.collectors.source import collect
from capsula.core.config import Config
from capsula.core.effect import Archive, Remember
from capsula.core.fragment import graft
from capsula.core.settings import SourceSettings
from capsula.effects.perform import performed
from tests.canaries import TOKENS
from tests.inflated import inflated
from tests.repositories import commit, repository, tree, write
from tests.sources import captured, config, put_back, told, untouched

TOKEN = TOKENS["github"].encode()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return repository(tmp_path / "top", {"a.py": b"1\n", "b.py": b"x = '" + TOKEN + b"'\n", "c.py": b"1\n"})


def test_a_file_with_a_secret_is_listed_and_kept_nowhere(top: Path, tmp_path: Path) -> None:
    write(top, {"a.py": b"2\n", "c.py": b"y = '" + TOKEN + b"'\n", "new.bin": bytes(99) + TOKEN, "old.txt": b"old"})
    (top / "new.bin").chmod(0o700)

    fragment = captured(config(top), tmp_path / "capsule")

    assert told(fragment, "withheld") == [
        {"path": "b.py", "reason": "secret: github", "size": 47, "committed": True},
        {"path": "c.py", "reason": "secret: github", "size": 47, "mode": "0644"},
        {"path": "new.bin", "reason": "secret: github", "size": 139, "mode": "0700"},
    ]
    seals = told(fragment, "seals")
    assert isinstance(seals, dict)
    assert {*seals} == {"b.py", "c.py", "new.bin"}
    assert TOKEN not in inflated(tmp_path / "capsule")
    restored = put_back(fragment, tmp_path / "capsule", top, tmp_path / "back").unwrap()
    assert sorted(it.path for it in restored.needs) == ["c.py", "new.bin"]
    assert tree(tmp_path / "back") == {path: it for path, it in tree(top).items() if path not in {"c.py", "new.bin"}}


def test_a_secret_that_only_the_commit_has_is_not_packed(top: Path, tmp_path: Path) -> None:
    write(top, {"b.py": b"x = ask()\n"})

    fragment = captured(config(top), tmp_path / "capsule")

    assert told(fragment, "withheld") is None
    assert TOKEN not in inflated(tmp_path / "capsule")
    put_back(fragment, tmp_path / "capsule", top, tmp_path / "back").unwrap()
    assert tree(tmp_path / "back") == tree(top)


def test_a_commit_with_a_secret_in_its_message_is_not_packed_and_said(top: Path, tmp_path: Path) -> None:
    write(top, {"b.py": b"1\n"})
    commit(top, "use " + TOKEN.decode())

    fragment = captured(config(top), tmp_path / "capsule")

    assert [(fault.kind, fault.path) for fault in fragment.faults] == [("withheld", ("top", "objects"))]
    assert TOKEN not in inflated(tmp_path / "capsule")
    put_back(fragment, tmp_path / "capsule", top, tmp_path / "back").unwrap()
    assert tree(tmp_path / "back") == tree(top)


def test_a_file_that_gets_a_secret_while_it_is_captured_is_withheld(top: Path, tmp_path: Path) -> None:
    write(top, {"a.py": b"2\n", "c.py": b"2\n"})
    (tmp_path / "capsule").mkdir()
    before = collect(config(top)).unwrap()

    write(top, {"a.py": TOKEN, "c.py": b"3\n"})
    fragment = graft(before, performed(before.effects, tmp_path / "capsule"))

    withheld, overlay = told(fragment, "withheld"), told(fragment, "overlay")
    assert isinstance(withheld, list)
    assert isinstance(overlay, list)
    assert [it["path"] for it in withheld] == ["a.py", "b.py"]
    assert [it["path"] for it in overlay] == ["c.py"]
    assert [fault.path for fault in fragment.faults] == [("top", "changing", "c.py")]
    assert TOKEN not in inflated(tmp_path / "capsule")
    put_back(fragment, tmp_path / "capsule", top, tmp_path / "back").unwrap()
    assert (tmp_path / "back" / "c.py").read_bytes() == b"3\n"


def test_what_is_to_be_kept_is_kept_with_its_secret(top: Path, tmp_path: Path) -> None:
    write(top, {"c.py": TOKEN})

    fragment = captured(config(top, source=SourceSettings(keep=("*.py",))), tmp_path / "capsule")

    assert told(fragment, "withheld") is None
    put_back(fragment, tmp_path / "capsule", top, tmp_path / "back").unwrap()
    assert tree(tmp_path / "back") == tree(top)


def test_what_was_cleared_once_is_not_searched_again(top: Path, tmp_path: Path) -> None:
    asked = remembering(top, tmp_path / "c")
    before = untouched(top)

    kinds = []
    for name in ("one", "two"):
        kinds.append({type(effect) for effect in collect(asked).unwrap().effects})
        captured(asked, tmp_path / name)

    assert [Remember in it for it in kinds] == [True, False]
    assert untouched(top) == before


def test_a_path_that_is_a_secret_is_withheld_though_its_content_was_cleared_elsewhere(
    top: Path, tmp_path: Path
) -> None:
    asked = remembering(top, tmp_path / "c")
    write(top, {"b.py": b"1\n", "c.py": b"2\n"})
    captured(asked, tmp_path / "one")

    write(top, {f"{TOKEN.decode()}.py": b"2\n"})
    fragment = captured(asked, tmp_path / "two")

    assert told(fragment, "withheld") == [
        {"path": f"{TOKEN.decode()}.py", "reason": "secret: github", "size": 2, "mode": "0644"}
    ]
    assert TOKEN not in inflated(tmp_path / "two")


def test_what_changed_is_archived_with_what_it_was_judged_by(top: Path) -> None:
    write(top, {"a.py": b"2\n", "c.py": TOKEN})

    (archive,) = (effect for effect in collect(config(top)).unwrap().effects if isinstance(effect, Archive))

    assert [*archive.contents] == [b"a.py"]
    assert [archive.why(b"a.py", (content,)) for content in (b"2\n", TOKEN)] == [None, "secret: github"]


def remembering(top: Path, cache: Path) -> Config:
    """Return the config of a user with a cache."""
    asked = config(top)
    return asked._replace(surroundings=asked.surroundings._replace(environ={"XDG_CACHE_HOME": os.fspath(cache)}))
