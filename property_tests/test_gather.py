"""Laws of joining: free of order, free of nesting, and one fault never costs another fact."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from capsula.core.effect import Effect, Keep, under
from capsula.core.fault import Fault, Json, KeyPath
from capsula.core.fragment import Answer, Fragment, gather, graft, joined

names = st.sampled_from(["a", "b", "c", "", "é", "\udcff"])
plain: st.SearchStrategy[Json] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([1, {"a": 2}])
)
pending = st.builds(lambda target: Fragment(None, (Keep(Path("/"), target),)), names)
faults = st.tuples(st.sampled_from(["missing", "failed"]), names).map(lambda told: Fault(*told))
leaves: st.SearchStrategy[Answer] = (plain.map(Fragment) | pending).map(Success) | faults.map(Failure)
answers = st.recursive(
    leaves, lambda parts: st.dictionaries(names, parts, max_size=3).map(gather).map(Success), max_leaves=12
)
tables = st.dictionaries(names, answers, max_size=4)


@given(tables, st.data())
def test_the_order_of_answers_changes_no_fact_and_loses_nothing(table: dict[str, Answer], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(list(table.items())))

    one, other = gather(table), gather(dict(shuffled))

    assert one.facts == other.facts
    assert (set(one.effects), set(one.faults)) == (set(other.effects), set(other.faults))
    assert len(one.effects) == len(other.effects)


@given(tables)
def test_the_effects_of_one_answer_keep_their_order(table: dict[str, Answer]) -> None:
    whole = gather(table).effects

    for name, answer in table.items():
        wanted = answer.unwrap().effects if isinstance(answer, Success) else ()
        assert tuple(effect for effect in whole if effect.at[0] == name) == tuple(under(each, name) for each in wanted)


@given(tables)
def test_gathering_nests(table: dict[str, Answer]) -> None:
    inner = gather(table)

    outer = gather({"whole": Success(inner)})

    assert outer.facts == {"whole": inner.facts}
    assert outer.effects == tuple(under(effect, "whole") for effect in inner.effects)
    assert outer.faults == tuple(fault.under("whole") for fault in inner.faults)


@given(tables, names, faults)
def test_a_fault_costs_only_itself(table: dict[str, Answer], name: str, fault: Fault) -> None:
    spoilt = {**table, name: Failure(fault)}

    facts, rest = gather(spoilt).facts, gather({key: value for key, value in table.items() if key != name}).facts

    assert facts == rest


@given(tables)
def test_every_part_is_a_fact_or_a_fault_or_pending_and_never_two(table: dict[str, Answer]) -> None:
    assert_sound(gather(table), places(table))


@given(tables, st.data())
def test_whatever_effects_answer_nothing_is_pending_that_was(table: dict[str, Answer], data: st.DataObject) -> None:
    fragment = gather(table)
    outcomes = [data.draw(faults.map(Failure) | plain.map(Fragment).map(Success)) for _ in fragment.effects]

    whole = graft(fragment, [(effect.at, outcome) for effect, outcome in zip(fragment.effects, outcomes, strict=True)])

    assert whole.pending == ()
    assert_sound(whole, places(table))


@given(tables, st.data())
def test_the_order_in_which_effects_answer_changes_no_fact(table: dict[str, Answer], data: st.DataObject) -> None:
    fragment = gather(table)
    outcomes = [(effect.at, data.draw(leaves)) for effect in fragment.effects]

    one, other = graft(fragment, outcomes), graft(fragment, data.draw(st.permutations(outcomes)))

    assert one.facts == other.facts
    assert set(one.faults) == set(other.faults)


@given(tables)
def test_nothing_is_grafted_by_no_answer(table: dict[str, Answer]) -> None:
    fragment = gather(table)

    assert graft(fragment, []) == Fragment(fragment.facts, (), fragment.faults)


@given(tables, tables, tables)
def test_documents_of_different_parts_are_joined_in_any_grouping(
    one: dict[str, Answer], other: dict[str, Answer], third: dict[str, Answer]
) -> None:
    a, b, c = (gather({f"{number}": Success(gather(table))}) for number, table in enumerate((one, other, third)))

    assert joined(joined(a, b), c) == joined(a, joined(b, c)) == gather(parts(a, b, c))


@given(tables)
def test_joining_with_nothing_changes_nothing(table: dict[str, Answer]) -> None:
    fragment = gather(table)

    assert joined(fragment, Fragment({})) == joined(Fragment(), fragment) == joined(fragment, Fragment()) == fragment


def parts(*fragments: Fragment) -> dict[str, Answer]:
    """Return fragments of one part each as the answers that they were gathered from."""
    found: dict[str, Answer] = {}
    for fragment in fragments:
        assert isinstance(fragment.facts, dict)
        for name, facts in fragment.facts.items():
            effects = tuple(beneath(effect) for effect in fragment.effects)
            untold = tuple(Fault(fault.kind, fault.message, fault.remedy, fault.path[1:]) for fault in fragment.faults)
            found[name] = Success(Fragment(facts, effects, untold))
    return found


def beneath(effect: Effect) -> Effect:
    assert isinstance(effect, Keep)
    return Keep(effect.origin, effect.target, at=effect.at[1:])


def places(table: dict[str, Answer]) -> set[KeyPath]:
    """Return the place of each answer of a table: all its parts, in as far as they are tables."""
    found: set[KeyPath] = set()
    for name, answer in table.items():
        found.add((name,))
        if isinstance(answer, Success):
            fragment = answer.unwrap()
            found |= {(name, *place) for place in below(fragment.facts)}
            found |= {(name, *place) for place in fragment.pending}
            found |= {(name, *fault.path) for fault in fragment.faults}
    return found


def below(facts: Json) -> set[KeyPath]:
    if not isinstance(facts, dict):
        return set()
    return {(key, *rest) for key, value in facts.items() for rest in {(), *below(value)}}


def assert_sound(fragment: Fragment, expected: set[KeyPath]) -> None:
    known, waiting, failed = below(fragment.facts), fragment.pending, [fault.path for fault in fragment.faults]
    assert len(set(waiting)) == len(waiting)
    assert len(set(failed)) == len(failed)
    assert not known & set(waiting)
    assert not known & set(failed)
    assert not set(waiting) & set(failed)
    assert known | set(waiting) | set(failed) >= expected
