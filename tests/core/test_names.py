"""The laws of names."""

from pathlib import Path

import pytest

from capsula.core.names import (
    OWN_NAMES,
    capsule_flaw,
    clashes,
    is_below,
    patch_paths,
    portability_flaw,
    relative_flaw,
    repository_flaw,
    template_flaw,
    text_flaw,
    variable_flaw,
    vault_flaw,
)

ROOT = Path("/home/user/project")


@pytest.mark.parametrize("path", ["a", "a/b.c", "...", "a b", "-rf", "ä" * 100, "/".join(["a" * 200] * 3)])
def test_a_path_that_stays_below_is_accepted(path: str) -> None:
    assert relative_flaw(path) is None


@pytest.mark.parametrize(
    ("path", "flaw"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("a/../b", "has the component '..'"),
        ("..", "has the component '..'"),
        ("./a", "has the component '.'"),
        ("a//b", "has an empty component"),
        ("a/", "has an empty component"),
        ("a\0b", "holds a control character"),
        ("a\nb", "holds a control character"),
        ("a\x7f", "holds a control character"),
        ("a\x9b", "holds a control character"),
        ("a\udcff", "holds a control character"),
        ("a" * 201, "has a component of more than 200 bytes"),
        ("a/" + "ä" * 101, "has a component of more than 200 bytes"),
    ],
)
def test_a_path_that_could_leave_or_confuse_is_refused(path: str, flaw: str) -> None:
    assert relative_flaw(path) == flaw


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("2025/12_34", None),
        ("12:34", "holds ':', which other systems do not allow in names, or tools take for something else"),
        ("a/b?", "holds '?', which other systems do not allow in names, or tools take for something else"),
        ("a./b", "has the component 'a.', the end of which other systems drop"),
        ("a/b ", "has the component 'b ', the end of which other systems drop"),
    ],
)
def test_a_name_that_is_none_elsewhere_is_known(name: str, flaw: str | None) -> None:
    assert portability_flaw(name) == flaw


@pytest.mark.parametrize("template", ["%Y%m%d_%H%M%S", "%Y/%m/%d", "run-%j", "%", "%Q", "%c", "run"])
def test_a_template_that_gives_names_is_accepted(template: str) -> None:
    assert template_flaw(template) is None


@pytest.mark.parametrize(
    ("template", "flaw"),
    [
        ("", "is empty"),
        ("/%Y", "is absolute"),
        ("%Y/../../x", "has the component '..'"),
        ("%Y\0", "holds a control character"),
        ("%n", "holds a control character"),
        ("%Y%t", "holds a control character"),
        ("\udcff", "holds a control character"),
        ("%300Y", "has a component of more than 200 bytes"),
        ("%A %B " * 11, "has a component of more than 200 bytes"),
        ("%Y/.capsula-x", "has the component '.capsula-x', which Capsula keeps for itself"),
        (".Capsula", "has the component '.Capsula', which Capsula keeps for itself"),
        (".gitignore", "has the component '.gitignore', which Capsula keeps for itself"),
    ],
)
def test_a_template_is_refused_for_what_it_becomes(template: str, flaw: str) -> None:
    assert template_flaw(template) == flaw


def test_a_capsule_may_be_nested_but_not_take_a_reserved_name() -> None:
    flaws = [capsule_flaw("2024/05"), capsule_flaw("2024/.GitIgnore"), capsule_flaw("gitignore")]

    assert flaws == [None, "has the component '.GitIgnore', which Capsula keeps for itself", None]


@pytest.mark.parametrize("name", sorted(OWN_NAMES))
def test_no_repository_takes_a_name_of_capsula(name: str) -> None:
    flaws = [repository_flaw(name), repository_flaw(f"{name.upper()}/x"), repository_flaw(f"x/{name}")]

    assert flaws == [
        f"begins with {name!r}, a name of Capsula's own",
        f"begins with {name.upper()!r}, a name of Capsula's own",
        None,
    ]


def test_a_repository_name_with_slashes_is_nested() -> None:
    assert repository_flaw("some/git/repository") is None
    assert patch_paths("some/git/repository") == ("some/git/repository.diff", "some/git/repository.staged.diff")


def test_names_clash_when_their_diffs_share_a_path() -> None:
    names = ["a", "b", "A", "a.staged", "a.diff/x", "a.diffs/x", "b/x", "B.STAGED.diff/y", "Q", "q"]

    assert clashes(names) == {"A": "a", "a.staged": "a", "a.diff/x": "a", "B.STAGED.diff/y": "b", "q": "Q"}


def test_what_the_system_cannot_take_is_refused() -> None:
    texts = [text_flaw("a\nb=c"), text_flaw(""), text_flaw("a\0"), variable_flaw("A b"), variable_flaw("A=b")]

    assert texts == [None, "is empty", "holds a NUL character", None, "holds '='"]


@pytest.mark.parametrize(
    "directory", ["vault", "../vault", "/scratch/vault", "/home/user/project/v", "/home/user/proj"]
)
def test_a_vault_may_lie_beside_or_below_the_root(directory: str) -> None:
    assert vault_flaw(directory, ROOT) is None


@pytest.mark.parametrize(
    ("directory", "flaw"),
    [
        ("", "is empty"),
        ("a\0", "holds a NUL character"),
        (".", "is the root directory itself"),
        ("a/..", "is the root directory itself"),
        ("/home/user/project/", "is the root directory itself"),
        ("..", "is a directory that holds the root directory"),
        ("/", "is a directory that holds the root directory"),
        ("/home/user", "is a directory that holds the root directory"),
    ],
)
def test_a_vault_is_not_the_root_and_not_around_it(directory: str, flaw: str) -> None:
    assert vault_flaw(directory, ROOT) == flaw


def test_only_what_lies_lexically_below_the_root_is_below_it() -> None:
    paths = ["a", "a/../b", "/home/user/project/a", "../project/a", ".", "../a", "/home/user/projects", "a/../../b"]

    assert [is_below(path, ROOT) for path in paths] == [True, True, True, True, False, False, False, False]
