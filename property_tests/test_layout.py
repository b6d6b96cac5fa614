"""Laws of the layout: no kept file is in the way of another, or of Capsula's own."""

from itertools import combinations
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from capsula.core.effect import Effect, Keep, Source, Write
from capsula.core.layout import laid_out
from capsula.core.names import OWN_NAMES

own = ["files", "Files", "outside", "after", "context.json"]
components = st.sampled_from(["a", "A", "b", "ß", "ss", "2", "é", "a.diff", *own])
paths = st.lists(components, min_size=1, max_size=4).map("/".join)
keeps = st.builds(lambda path: Keep(Path("/root", path), path, at=("files", path)), paths)
nothing = Source("nothing", lambda: iter(()))
patches = Write((("a.diff", nothing), ("b/a.diff", nothing), ("ß.diff", nothing)))
kept_before = st.lists(keeps, max_size=8)
effects = st.builds(lambda kept, written: [*kept, *written], kept_before, st.sampled_from([[], [patches]]))
after_runs = st.builds(lambda first, then: (laid_out(first), then), effects, st.lists(keeps, max_size=6))


@given(effects)
def test_no_two_files_meet_and_none_stands_where_another_needs_a_folder(wanted: list[Effect]) -> None:
    assert_apart(targets(laid_out(wanted)))


@given(after_runs)
def test_what_comes_after_a_run_meets_nothing_from_before(run: tuple[tuple[Effect, ...], list[Effect]]) -> None:
    before, then = run
    held = targets(before)

    assert_apart([*held, *targets(laid_out(then, held))])


@given(after_runs)
def test_only_what_meets_something_held_is_kept_below_after(run: tuple[tuple[Effect, ...], list[Effect]]) -> None:
    before, then = run
    held = targets(before)

    for target in kept(laid_out(then, held)):
        if target.startswith("after/"):
            assert any(meets(target.removeprefix("after/"), each) for each in held)
    assert not any(target.startswith("after/") for target in kept(before))


@given(effects)
def test_no_file_takes_a_name_of_capsulas_own(wanted: list[Effect]) -> None:
    for target in kept(laid_out(wanted)):
        first, _, rest = target.partition("/")
        assert first.casefold() not in OWN_NAMES or (first in {"files", "outside"} and rest)


@given(after_runs)
def test_a_file_keeps_its_origin_its_place_in_the_document_and_the_end_of_its_path(
    run: tuple[tuple[Effect, ...], list[Effect]],
) -> None:
    before, then = run

    placed = laid_out(then, targets(before))

    assert [effect._replace(target="") for effect in keeps_of(placed)] == [
        effect._replace(target="") for effect in keeps_of(then)
    ]
    assert all(new.target.endswith(old.target) for new, old in zip(keeps_of(placed), keeps_of(then), strict=True))


@given(after_runs)
def test_the_same_effects_are_always_placed_alike(run: tuple[tuple[Effect, ...], list[Effect]]) -> None:
    before, then = run
    held = targets(before)

    assert laid_out(then, held) == laid_out(list(then), held[::-1])


@given(effects)
def test_a_file_that_meets_nothing_stands_where_it_asks_to(wanted: list[Effect]) -> None:
    asked = targets(tuple(wanted))
    for old, new in zip(keeps_of(wanted), keeps_of(laid_out(wanted)), strict=True):
        rivals = [each for each in asked if each is not old.target]
        first, _, rest = old.target.partition("/")
        own = first.casefold() in OWN_NAMES and not (first in {"files", "outside"} and rest)
        moved = any(each.target.startswith("files/") for each in keeps_of(laid_out(wanted)))
        if not own and not moved and not any(meets(old.target, each) for each in rivals):
            assert new.target == old.target


def keeps_of(wanted: list[Effect] | tuple[Effect, ...]) -> list[Keep]:
    return [effect for effect in wanted if isinstance(effect, Keep)]


def kept(placed: tuple[Effect, ...]) -> list[str]:
    return [effect.target for effect in keeps_of(placed)]


def targets(placed: tuple[Effect, ...]) -> list[str]:
    written = [target for effect in placed if isinstance(effect, Write) for target, _ in effect.contents]
    return written + kept(placed)


def assert_apart(paths: list[str]) -> None:
    assert not [(one, other) for one, other in combinations(paths, 2) if meets(one, other)]


def meets(one: str, other: str) -> bool:
    a, b = one.casefold(), other.casefold()
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")
