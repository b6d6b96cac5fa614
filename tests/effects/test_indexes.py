"""Indexes: where packages are looked for, as the files and the variables of the user say."""

from pathlib import Path

import pytest

from capsula.effects.indexes import Indexes, indexes

PIP = """
[global]
index-url = https://user:secret@host/simple
extra-index-url = https://one/simple
    https://two/simple
[install]
find-links = /wheels
"""

UV = """
find-links = ["file:///a%20b"]
[[index]]
name = "mine"
url = "https://mine/simple"
[pip]
index-url = "https://main/simple"
"""


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_without_a_word_of_the_user_there_is_one(installer: str, tmp_path: Path) -> None:
    assert indexes(installer, alone(tmp_path)) == Indexes((f"the index that {installer} asks by default",), ())


def test_the_files_of_pip_are_read_and_variables_go_before_them(tmp_path: Path) -> None:
    written(tmp_path / ".config" / "pip" / "pip.conf", PIP)

    told = indexes("pip", alone(tmp_path))
    changed = indexes("pip", {**alone(tmp_path), "PIP_INDEX_URL": "https://other/simple", "PIP_FIND_LINKS": "/more /x"})

    extra = ("https://one/simple", "https://two/simple")
    assert told == Indexes(("https://user:secret@host/simple", *extra), ("/wheels",))
    assert changed == Indexes(("https://other/simple", *extra), ("/more", "/x"))


def test_the_files_of_uv_are_read_and_variables_go_before_them(tmp_path: Path) -> None:
    written(tmp_path / ".config" / "uv" / "uv.toml", UV)

    told = indexes("uv", alone(tmp_path))
    changed = indexes("uv", {**alone(tmp_path), "UV_DEFAULT_INDEX": "https://other", "UV_INDEX": "a=https://a"})

    assert told == Indexes(("https://mine/simple", "https://main/simple"), ("file:///a%20b",))
    assert told.folders == (Path("/a b"),)
    assert changed.addresses == ("https://mine/simple", "https://a", "https://other")


@pytest.mark.parametrize(("installer", "name"), [("pip", "PIP_NO_INDEX"), ("uv", "UV_NO_INDEX")])
def test_the_user_may_want_none(installer: str, name: str, tmp_path: Path) -> None:
    assert indexes(installer, {**alone(tmp_path), name: "1"}) == Indexes((), ())


@pytest.mark.parametrize(("installer", "file"), [("pip", "pip/pip.conf"), ("uv", "uv/uv.toml")])
def test_a_file_that_says_nothing_sensible_says_nothing(installer: str, file: str, tmp_path: Path) -> None:
    written(tmp_path / ".config" / file, "nonsense\n")

    assert indexes(installer, alone(tmp_path)) == Indexes((f"the index that {installer} asks by default",), ())


def alone(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "none")}


def written(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
