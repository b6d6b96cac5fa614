"""Where kept files stand in a capsule."""

from pathlib import Path

import pytest

from capsula.core.effect import Effect, Keep, Shell, Source, Write
from capsula.core.layout import laid_out


def keep(target: str) -> Keep:
    return Keep(Path("/root") / target, target)


def targets(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.target for effect in effects if isinstance(effect, Keep)]


def patch(*names: str) -> Write:
    return Write(tuple((name, Source(name, lambda: iter(()))) for name in names))


@pytest.mark.parametrize("target", ["a", "a/b.txt", ".hidden", "outside/etc/hosts", "files/outside/a", "contexts.json"])
def test_a_file_stands_where_it_asks_to(target: str) -> None:
    assert targets(laid_out([keep(target)])) == [target]


@pytest.mark.parametrize(
    "target", ["context.json", "Context.JSON/a", "outside", "files", "Outside/a", "after/a", ".capsula/a", "STDOUT.log"]
)
def test_a_name_of_capsulas_own_is_not_taken(target: str) -> None:
    assert targets(laid_out([keep(target)])) == [f"files/{target}"]


def test_a_diff_goes_before_a_file_wherever_it_is_wanted() -> None:
    effects: list[Effect] = [keep("a.diff"), keep("A.DIFF/b"), patch("a.diff")]

    assert targets(laid_out(effects)) == ["files/a.diff", "files/2/A.DIFF/b"]


def test_names_that_differ_in_case_alone_do_not_meet() -> None:
    assert targets(laid_out([keep("a"), keep("A"), keep("a")])) == ["a", "files/A", "files/2/a"]


def test_a_file_never_stands_where_another_needs_a_folder() -> None:
    assert targets(laid_out([keep("a"), keep("A/b"), keep("c/d"), keep("C")])) == ["a", "files/A/b", "c/d", "files/C"]


def test_what_the_capsule_already_holds_is_kept_below_after() -> None:
    held = ["a", "files/context.json", "dir/x"]

    placed = laid_out([keep("a"), keep("A"), keep("context.json"), keep("dir"), keep("new")], held)

    assert targets(placed) == ["after/a", "files/A", "after/files/context.json", "after/dir", "new"]


def test_other_effects_stay_as_they_are() -> None:
    effects = (Shell("true", Path("/"), 1), patch("a.diff"))

    assert laid_out(effects) == effects
