"""Joining answers: facts, what is wanted and what went wrong, each at its place."""

from pathlib import Path

from returns.result import Failure, Success

from capsula.core.effect import Keep, Remove
from capsula.core.fault import Fault
from capsula.core.fragment import Fragment, gather, graft, joined

KEEP = Keep(Path("/a"), "a")
MISSING = Fault("missing", "no such file")


def test_each_name_is_a_fact_or_a_fault_or_pending() -> None:
    answers = {"fact": Success(Fragment(1)), "pending": Success(Fragment(None, (KEEP,))), "fault": Failure(MISSING)}

    fragment = gather(answers)

    assert fragment == Fragment(
        {"fact": 1}, (Keep(Path("/a"), "a", at=("pending",)),), (Fault("missing", "no such file", path=("fault",)),)
    )
    assert fragment.pending == (("pending",),)


def test_a_fact_that_is_null_is_a_fact() -> None:
    fragment = gather({"null": Success(Fragment(None))})

    assert fragment == Fragment({"null": None})


def test_nothing_gathered_is_an_empty_table() -> None:
    assert gather({}) == Fragment({})


def test_what_is_gathered_again_keeps_the_whole_path() -> None:
    inner = gather({"b": Failure(MISSING), "c": Success(Fragment(None, (KEEP,)))})

    outer = gather({"a": Success(inner)})

    assert outer.facts == {"a": {}}
    assert [fault.path for fault in outer.faults] == [("a", "b")]
    assert outer.pending == (("a", "c"),)


def test_the_answer_of_an_effect_stands_where_it_was_waited_for() -> None:
    fragment = gather({"files": Success(gather({"a": Success(Fragment(None, (KEEP,))), "b": Success(Fragment(2))}))})

    whole = graft(fragment, [(("files", "a"), Success(Fragment({"hash": "x"})))])

    assert whole == Fragment({"files": {"a": {"hash": "x"}, "b": 2}})


def test_a_fault_takes_the_place_of_a_fact() -> None:
    fragment = Fragment({"files": {"a": {"hash": "x", "moved": True}}})

    whole = graft(fragment, [(("files", "a", "moved"), Failure(MISSING))])

    assert whole == Fragment({"files": {"a": {"hash": "x"}}}, (), (MISSING.under("files", "a", "moved"),))


def test_an_effect_that_an_answer_wants_in_turn_stays_wanted_at_its_place() -> None:
    removal = Remove(Path("/a"), (0, 0, 0, 0), at=("moved",))

    whole = graft(Fragment({"files": {}}), [(("files", "a"), Success(Fragment({"moved": True}, (removal,))))])

    assert whole.facts == {"files": {"a": {"moved": True}}}
    assert whole.pending == (("files", "a", "moved"),)


def test_an_answer_that_says_nothing_new_leaves_the_fact() -> None:
    whole = graft(Fragment({"a": True}), [(("a",), Success(Fragment()))])

    assert whole == Fragment({"a": True})


def test_a_fragment_that_is_all_pending_is_filled() -> None:
    whole = graft(Fragment(None, (KEEP,)), [((), Success(Fragment({"hash": "x"})))])

    assert whole == Fragment({"hash": "x"})


def test_grafting_leaves_the_fragment_as_it_was() -> None:
    fragment = Fragment({"a": {"b": 1}})

    graft(fragment, [(("a", "c"), Success(Fragment(2))), (("a", "b"), Failure(MISSING))])

    assert fragment == Fragment({"a": {"b": 1}})


def test_many_answers_are_grafted_in_time_that_grows_with_their_number() -> None:
    answers = [(("files", str(number)), Success(Fragment(number))) for number in range(50_000)]

    whole = graft(Fragment({"files": {}}), answers)

    assert whole == Fragment({"files": {str(number): number for number in range(50_000)}})


def test_of_two_plain_facts_the_later_stands_unless_it_is_null() -> None:
    whole = joined(Fragment({"a": {"b": 1, "c": 1, "d": None}}), Fragment({"a": {"b": 2, "c": None, "d": 3}}))

    assert whole == Fragment({"a": {"b": 2, "c": 1, "d": 3}})
