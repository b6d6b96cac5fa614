"""Fragments, and ``gather``, the one function that joins answers into documents."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from returns.result import Result, Success

from capsula.core.effect import Effect, under
from capsula.core.fault import Fault, Json, KeyPath


class Fragment(NamedTuple):
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
    """Join two fragments of one document.

    Where both hold a plain fact the other's stands, unless it is null: that adds nothing.
    """
    return Fragment(_united(one.facts, other.facts), one.effects + other.effects, one.faults + other.faults)


def graft(fragment: Fragment, answers: Iterable[tuple[KeyPath, Answer]]) -> Fragment:
    """Join answers into a fragment, each at its place; the effects of the fragment are done with.

    A fault takes the place of a fact that stood there.
    """
    facts = _copied(fragment.facts)
    effects: list[Effect] = []
    faults = list(fragment.faults)
    for place, answer in answers:
        if isinstance(answer, Success):
            grafted = answer.unwrap()
            facts = facts if _is_pending(grafted) else _planted(facts, place, grafted.facts)
            effects += (under(effect, *place) for effect in grafted.effects)
            faults += (fault.under(*place) for fault in grafted.faults)
        else:
            facts = _cleared(facts, place)
            faults.append(answer.failure().under(*place))
    return Fragment(facts, tuple(effects), tuple(faults))


def _united(one: Json, other: Json) -> Json:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {**one, **{key: _united(one[key], value) if key in one else value for key, value in other.items()}}
    return one if other is None else other


def _copied(facts: Json) -> Json:
    """Return the same facts in tables of our own, which can be added to without copying them for each answer."""
    if isinstance(facts, Mapping):
        return {key: _copied(value) for key, value in facts.items()}
    return facts


def _planted(facts: Json, place: KeyPath, planted: Json) -> Json:
    """Add facts at a place, to tables that are our own."""
    if not place:
        return _copied(_united(facts, planted))
    table = facts if isinstance(facts, dict) else {}
    first, *rest = place
    table[first] = _planted(table.get(first), tuple(rest), planted)
    return table


def _cleared(facts: Json, place: KeyPath) -> Json:
    """Take out what stands at a place, of tables that are our own; those around it are there then, if empty."""
    if not place:
        return None
    table = facts if isinstance(facts, dict) else {}
    first, *rest = place
    if rest:
        table[first] = _cleared(table.get(first), tuple(rest))
    else:
        table.pop(first, None)
    return table


def _is_pending(fragment: Fragment) -> bool:
    return fragment.facts is None and any(not effect.at for effect in fragment.effects)
