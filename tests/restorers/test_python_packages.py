"""What is to be built for recorded facts: every part of them finds its place, and no odd text reaches an installer."""

from pathlib import Path

import pytest
from returns.result import Failure, Success

from capsula.core.fault import Fault, Json
from capsula.restorers.python_packages import (
    Difference,
    Link,
    Own,
    Pin,
    Python,
    Recipe,
    Shortfall,
    differences,
    recipe,
)

INTERPRETER: dict[str, Json] = {
    "version": "3.11.7",
    "implementation": "cpython",
    "abi_flags": "",
    "platform_tag": "linux-x86_64",
    "build": "3.11.7 (main)",
}
PYTHON = Python("3.11.7", "cpython", "", "linux-x86_64", "3.11.7 (main)")
COMMIT = "a" * 40


def recorded(distributions: Json) -> Json:
    return {"interpreter": INTERPRETER, "distributions": distributions}


def test_each_distribution_is_pinned_with_its_content_and_origin() -> None:
    facts: Json = {
        "six": {"version": "1.17.0", "digest": "abc"},
        "wheel-of": {"version": "1.0+local.1", "url": "https://host/a-1.0.whl", "hash": "sha256=12"},
        "cloned": {"version": "1!2.0.post1.dev3", "url": "https://host/a", "vcs": "git", "commit_id": COMMIT},
        "below": {"version": "2", "url": "ssh://git@host/a", "vcs": "git", "commit_id": COMMIT, "subdirectory": "b"},
    }

    assert recipe(recorded(facts), {}) == Success(
        Recipe(
            PYTHON,
            (
                Pin("six", "1.17.0", "abc"),
                Pin("wheel-of", "1.0+local.1", "", "https://host/a-1.0.whl#sha256=12"),
                Pin("cloned", "1!2.0.post1.dev3", "", f"git+https://host/a@{COMMIT}"),
                Pin("below", "2", "", f"git+ssh://git@host/a@{COMMIT}#subdirectory=b"),
            ),
        )
    )


def test_a_source_directory_comes_from_where_it_stands_now() -> None:
    facts: Json = {
        "linked": {
            "version": "1",
            "editable": True,
            "url": "file:///then/a%20b",
            "files": {"a.pth": "/then/a b/src\n"},
        },
        "legacy": {"version": "1", "editable": True, "url": "file:///then/c"},
        "copied": {"version": "1", "editable": False, "url": "file:///then/d", "digest": "abc"},
    }

    assert recipe(recorded(facts), {"/then": Path("/now"), "/the": Path("/wrong")}) == Success(
        Recipe(
            PYTHON,
            (Pin("copied", "1", "abc", "file:///now/d"),),
            (
                Link("linked", "1", {"a.pth": "/now/a b/src\n"}, Path("/now/a b")),
                Link("legacy", "1", {"legacy.pth": "/now/c\n"}, Path("/now/c")),
            ),
        )
    )


def test_a_directory_that_stands_where_it_stood_is_used_there() -> None:
    facts: Json = {"linked": {"version": "1", "editable": True, "url": "file:///then"}}

    links = recipe(recorded(facts), {"/then": Path("/then")}).unwrap().links

    assert links == (Link("linked", "1", {"linked.pth": "/then\n"}, Path("/then")),)


def test_what_is_not_held_is_told() -> None:
    facts: Json = {
        "mine": {"version": "1", "editable": True, "url": "file:///thenceforth"},
        "other": {"version": "1", "url": "https://host/a", "vcs": "hg", "commit_id": "1"},
    }

    whole = recipe(recorded(facts), {"/then": Path("/now")}).unwrap()

    assert whole.shortfalls == (
        Shortfall("mine", "needs", "it was installed from /thenceforth, which the capsule does not hold"),
        Shortfall(
            "other", "needs", "it was installed from a repository, https://host/a, of a kind that is not fetched"
        ),
    )


def test_the_capsula_that_runs_stands_in_for_one_of_a_directory_that_is_not_held() -> None:
    points = {"capsula-1.dist-info/entry_points.txt": "[console_scripts]\ncapsula = capsula.__main__:main\n"}
    facts: Json = {
        "capsula": {
            "version": "1",
            "editable": True,
            "url": "file:///elsewhere",
            "files": {"capsula.pth": "/elsewhere\n", **points},
        }
    }

    whole = recipe(recorded(facts), {"/then": Path("/now")}, Own("2", Path("/running/capsula"))).unwrap()

    assert whole.links == (Link("capsula", "2", points, Path("/running"), Path("/running/capsula")),)
    assert list(map(str, whole.shortfalls)) == [
        "capsula: it was installed from its source; the Capsula 2 that is running, /running/capsula, stands in"
    ]


def test_what_conda_installed_is_taken_from_an_index_and_told() -> None:
    facts: Json = {
        "numpy": {"version": "2.0", "digest": "a", "editable": False, "url": "file:///build/croot/numpy/work"},
        "old": {"version": "1.0"},
        "six": {"version": "1.17.0", "digest": "b"},
    }
    python = {**INTERPRETER, "build": "3.11.7 | packaged by conda-forge | (main)"}

    whole = recipe({"interpreter": python, "distributions": facts}, {}).unwrap()

    assert whole.pins == (Pin("numpy", "2.0", "a"), Pin("old", "1.0"), Pin("six", "1.17.0", "b"))
    assert whole.shortfalls == tuple(
        Shortfall(name, "approximate", f"conda had installed it; {name}=={version} of an index stands in")
        for name, version in (("numpy", "2.0"), ("old", "1.0"))
    )


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ("", "index"),
        (f"git+https://host/a@{COMMIT}", "repository"),
        ("https://host/a-1.0.whl#sha256=12", "archive"),
        ("file:///a/b-1.0-py3-none-any.whl", "archive"),
        ("file:///a/b-1.0.tar.gz", "archive"),
        ("file:///a/b", "directory"),
    ],
)
def test_what_a_package_is_installed_from_is_told_apart(origin: str, kind: str) -> None:
    assert Pin("a", "1", "", origin).kind == kind


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("six\n--index-url https://evil", {"version": "1"}),
        ("--index-url=https://evil", {"version": "1"}),
        ("six", {"version": "1\n--index-url https://evil"}),
        ("six", {"version": "1 ; python_version > '0'"}),
        ("six", {"version": "unknown"}),
        ("six", {"version": "\u0661.0"}),
        ("\u017fix", {"version": "1"}),
        ("six", {"version": "1", "url": "https://host/${SECRET}"}),
        ("six", {"version": "1", "url": "https://host/a b"}),
        ("six", {"version": "1", "url": "ext::sh -c evil"}),
        ("six", {"version": "1", "url": "ssh://-oProxyCommand=evil/a", "vcs": "git", "commit_id": COMMIT}),
        ("six", {"version": "1", "url": "ssh://-l@host/a", "vcs": "git", "commit_id": COMMIT}),
        ("six", {"version": "1", "url": "ext::sh", "vcs": "git", "commit_id": COMMIT}),
        ("six", {"version": "1", "url": "https://host/a", "vcs": "git", "commit_id": "--upload-pack=evil"}),
        ("six", {"version": "1", "url": "https://host/a\n", "vcs": "git", "commit_id": COMMIT}),
        ("six", {"version": "1", "editable": True, "url": "file:///then", "files": {"../../evil.pth": ""}}),
        ("six", {"version": "1", "editable": True, "url": "file:///then", "files": {"a.dist-info/../b.py": ""}}),
    ],
)
def test_no_odd_text_reaches_an_installer(name: str, facts: Json) -> None:
    whole = recipe(recorded({name: facts}), {"/then": Path("/now")}).unwrap()

    assert (whole.pins, whole.links) == ((), ())
    assert [shortfall.name for shortfall in whole.shortfalls] == [name]


@pytest.mark.parametrize(("name", "version", "origin"), [("a b", "1", ""), ("a", "1\n", ""), ("a", "1", "ext::sh")])
def test_a_pin_of_odd_text_cannot_be_made(name: str, version: str, origin: str) -> None:
    with pytest.raises(ValueError, match="must match"):
        Pin(name, version, "", origin)


@pytest.mark.parametrize("facts", [None, {}, [], {"interpreter": None}, {"interpreter": 3}])
def test_without_a_recorded_interpreter_there_is_no_recipe(facts: Json) -> None:
    assert recipe(facts, {}) == Failure(Fault("unknown", "which Python ran was not recorded"))


@pytest.mark.parametrize("version", ["3", "3.11", "3.11.7; evil", "../3.11.7", ""])
def test_an_interpreter_of_no_version_is_refused(version: str) -> None:
    facts: Json = {"interpreter": {"version": version, "implementation": "cpython"}}

    assert recipe(facts, {}) == Failure(Fault("malformed", f"{version!r} is no version of a Python"))


def test_every_difference_is_named() -> None:
    wanted = Recipe(
        PYTHON,
        (
            Pin("Same_One", "1", "a"),
            Pin("unknown", "1"),
            Pin("gone", "1"),
            Pin("older", "2", "a"),
            Pin("edited", "1", "a"),
        ),
        (Link("linked", "1", {}, Path("/a")),),
    )
    found: Json = {
        "same-one": {"version": "1", "digest": "a"},
        "unknown": {"version": "1", "digest": "b"},
        "older": {"version": "1", "digest": "a"},
        "edited": {"version": "1", "digest": "b"},
        "linked": {"version": "1", "editable": True},
        "new": {"version": "3"},
    }

    told = differences(wanted, found)

    assert told == (
        Difference("gone", "missing", "1"),
        Difference("older", "version", "2", "1"),
        Difference("edited", "content", "1", "1"),
        Difference("new", "added", found="3"),
    )
    assert list(map(str, told)) == [
        "gone 1 is missing",
        "older is 1, and was 2",
        "edited 1 has other content",
        "new 3 was not there",
    ]


def test_the_key_is_of_all_that_is_built_and_of_nothing_else() -> None:
    one = Recipe(PYTHON, (Pin("a", "1", "x"), Pin("B_c", "2")))
    same = Recipe(PYTHON, (Pin("b-c", "2"), Pin("A", "1", "x")))
    others = [
        Recipe(Python("3.11.7", "cpython", "", "linux-x86_64", "other build"), one.pins),
        Recipe(Python("3.11.8", "cpython", "", "linux-x86_64"), one.pins),
        Recipe(Python("3.11.7", "pypy", "", "linux-x86_64"), one.pins),
        Recipe(Python("3.11.7", "cpython", "", "linux-aarch64"), one.pins),
        Recipe(PYTHON, (Pin("a", "1", "y"), Pin("B_c", "2"))),
        Recipe(PYTHON, one.pins, (Link("c", "1", {"c.pth": "/a\n"}, Path("/a")),)),
        Recipe(PYTHON, one.pins, (Link("c", "1", {"c.pth": "/b\n"}, Path("/a")),)),
        Recipe(PYTHON, one.pins, (Link("c", "1", {"c.pth": "/b\n"}, Path("/a"), Path("/a/c")),)),
    ]

    assert one.key == same.key
    assert len({one.key, *(other.key for other in others)}) == 1 + len(others)
