"""Fragments, and ``gather``, the one function that joins answers into documents."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from attrs import evolve, frozen
from returns.result import Result, Success

from capsula.core.effect import Effect, under
from capsula.core.fault import Fault, Json, KeyPath


@frozen
class Fragment:
    """A piece of a document: facts that were learned, effects that are wanted, faults that happened.

    A part of the document is a fact, or a fault names its place, or it is pending on an effect whose ``at`` is its
    place.
    ``facts`` is ``None`` while all of the fragment is pending.
    """

    facts: Json = None
    effects: tuple[Effect, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def pending(self) -> tuple[KeyPath, ...]:
        """The places of the document that an effect will fill."""
        return tuple(effect.at for effect in self.effects if effect.at)


Answer: TypeAlias = Result[Fragment, Fault]


def gather(answers: Mapping[str, Answer]) -> Fragment:
    """Join named answers into one fragment.

    >>> from returns.result import Failure, Success
    >>> fragment = gather({"a": Success(Fragment(1)), "b": Failure(Fault("missing", "no such file"))})
    >>> fragment.facts, [str(fault) for fault in fragment.faults]
    ({'a': 1}, ['b: no such file'])
    """
    facts: dict[str, Json] = {}
    effects: list[Effect] = []
    faults: list[Fault] = []
    for name, answer in answers.items():
        if isinstance(answer, Success):
            fragment = answer.unwrap()
            if not _is_pending(fragment):
                facts[name] = fragment.facts
            effects += (under(effect, name) for effect in fragment.effects)
            faults += (fault.under(name) for fault in fragment.faults)
        else:
            faults.append(answer.failure().under(name))
    return Fragment(facts, tuple(effects), tuple(faults))


def joined(one: Fragment, other: Fragment) -> Fragment:
    """Join two fragments of one document; where both hold a plain fact the other's stands."""
    return Fragment(_united(one.facts, other.facts), one.effects + other.effects, one.faults + other.faults)


def graft(fragment: Fragment, answers: Iterable[tuple[KeyPath, Answer]]) -> Fragment:
    """Join answers into a fragment, each at its place; the effects of the fragment are done with.

    A fault takes the place of a fact that stood there.
    """
    whole = Fragment(fragment.facts, (), fragment.faults)
    for place, answer in answers:
        facts = whole.facts if isinstance(answer, Success) else _without(whole.facts, place)
        whole = joined(evolve(whole, facts=facts), _planted(place, answer))
    return whole


def _planted(place: KeyPath, answer: Answer) -> Fragment:
    first, *rest = place
    return gather({first: Success(_planted(tuple(rest), answer)) if rest else answer})


def _united(one: Json, other: Json) -> Json:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {**one, **{key: _united(one[key], value) if key in one else value for key, value in other.items()}}
    return one if other is None else other


def _without(facts: Json, place: KeyPath) -> Json:
    if not isinstance(facts, Mapping) or place[0] not in facts:
        return facts
    first, rest = place[0], place[1:]
    others = {key: value for key, value in facts.items() if key != first}
    return {**others, first: _without(facts[first], rest)} if rest else others


def _is_pending(fragment: Fragment) -> bool:
    return fragment.facts is None and any(not effect.at for effect in fragment.effects)
