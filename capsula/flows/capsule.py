"""A capsule is built aside and gets its name by one rename; the last document of a run closes it by another."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.content import Sum, summed
from capsula.core.document import Document, Header, document, dumps
from capsula.core.effect import Effect, Keep, Write
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Answer, Fragment, graft, joined
from capsula.core.layout import laid_out
from capsula.core.redaction import Redaction, redactions
from capsula.effects.files import all_synchronised, put, replaced
from capsula.effects.key import key, known_key
from capsula.effects.manifest import Signer, signed
from capsula.effects.perform import performed
from capsula.effects.vault import OWN, building, discarded, lasting, ours, published, workplace

MOST_REDACTIONS = 100
"""Places that a header names of those where something was redacted."""


class Draft(NamedTuple):
    """A document that is to be: its fragment, its header, and what the header says beside."""

    name: str
    header: Header
    fragment: Fragment
    more: Mapping[str, Json] = {}

    @property
    def status(self) -> str:
        """The status in its header."""
        return self.header.status or "complete"

    @property
    def document(self) -> Document:
        """The document, as far as its effects are performed."""
        return document(self.fragment, self.header, self.more)


class Capsule(NamedTuple):
    """A capsule in its place in the vault."""

    directory: Path
    vault: Path
    header: Header
    documents: Mapping[str, Document]
    held: Mapping[str, Sum | None]
    """What each file in it is, as far as that is known, by its path relative to it."""
    redaction: Redaction
    """How its secrets are marked."""
    faults: tuple[Fault, ...] = ()

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.directory.name


def built(config: Config, drafts: Sequence[Draft]) -> Result[Capsule, Fault]:
    """Perform what the drafts want, and put the capsule in its place in the vault."""
    identity = drafts[0].header.id
    try:
        return building(config.vault, identity).bind(lambda aside: _built(aside, config, drafts))
    except BaseException:  # an interrupt may come at any moment
        discarded(workplace(config.vault, identity))
        raise


def discretion(config: Config, given: Mapping[str, Json]) -> Redaction:
    """Return how secrets are marked of what a run was given, wherever they stand: its environment, and more by name."""
    redaction = Redaction(config.settings.discretion, key(config.vault).value_or(None))
    return redaction.knowing({**given, "environment_variables": {**config.surroundings.environ}})


def reopened(config: Config, directory: Path, header: Header, held: Iterable[str]) -> Capsule:
    """Return the capsule of a run that another process has opened, to be closed by this one."""
    redaction = Redaction(config.settings.discretion, known_key(config.vault).value_or(None))
    return Capsule(directory, config.vault, header, {}, dict.fromkeys(held), redaction)


def closed(capsule: Capsule, draft: Draft) -> Result[Capsule, Fault]:
    """Perform what is wanted after the run, and put its last document in its place: from there on the run has ended."""
    return ours(capsule.directory, capsule.vault).bind(lambda _: _closed(capsule, draft))


def _closed(capsule: Capsule, draft: Draft) -> Result[Capsule, Fault]:
    done, known = _done(draft, capsule.directory, capsule.held)
    done = _redacted(done, capsule.redaction)
    told = done.document
    text = dumps(told)
    listed = _listed(capsule, done, text, known)
    if not isinstance(listed, Success):
        done = done._replace(fragment=joined(done.fragment, Fragment(faults=(listed.failure(),))))
        told = done.document
        text = dumps(told)
    try:
        if draft.header.durability == "full":
            all_synchronised(capsule.directory, is_shared=True)
        doubts = _replace(capsule.directory, done, text)
    except OSError as error:
        return Failure(fault_of(error, f"the end of the run could not be recorded in {capsule.directory}"))
    return Success(_cleared(capsule._replace(held=listed.value_or(known)), ((done, told),), doubts))


def _built(aside: Path, config: Config, drafts: Sequence[Draft]) -> Result[Capsule, Fault]:
    known: dict[str, Sum | None] = {}
    done: list[tuple[Draft, Document]] = []
    header, vault = drafts[0].header, config.vault
    redaction = Redaction(config.settings.discretion, key(vault).value_or(None))
    try:
        for draft in drafts:
            finished, known = _done(draft, aside, known)
            finished = _redacted(finished, redaction)
            told = finished.document
            text = dumps(told)
            put(aside / draft.name, text)
            known[draft.name] = summed(text)
            done.append((finished, told))
        held = signed(Signer(aside, vault, header.id, drafts[-1].status), known, {}, is_first=True)
    except OSError as error:
        discarded(aside)
        return Failure(fault_of(error, f"no capsule could be written in {vault}"))
    place = published(aside, vault, config.settings.capsule_template, header.taken, header.durability)
    if not isinstance(place, Success):
        discarded(aside)
    made = place.map(lambda directory: Capsule(directory, vault, header, {}, held, redaction))
    return made.map(lambda capsule: _cleared(capsule, done, _doubts(capsule)))


def _done(draft: Draft, directory: Path, known: Mapping[str, Sum | None]) -> tuple[Draft, dict[str, Sum | None]]:
    """Perform the effects of a draft; what their answers want in turn is left to ``_cleared``."""
    if not draft.fragment.effects:
        return draft, {**known}
    effects = laid_out(draft.fragment.effects, known)
    answers = performed(effects, directory, durable=draft.header.durability == "full")
    held = (target for effect, (_, answer) in zip(effects, answers, strict=True) for target in _held(effect, answer))
    return draft._replace(fragment=graft(draft.fragment, answers)), {**known, **dict(held)}


def _redacted(draft: Draft, redaction: Redaction) -> Draft:
    """Return the draft without secrets; its header lists where they were."""
    faults = tuple(map(redaction.fault, draft.fragment.faults))
    facts = redaction.json(draft.fragment.facts)
    if facts is draft.fragment.facts:
        return draft._replace(fragment=draft.fragment._replace(faults=faults)) if faults else draft
    listed = [{"path": list(place), "rule": rule} for place, rule in islice(redactions(facts), MOST_REDACTIONS)]
    more = {**draft.more, "redacted": listed} if listed else draft.more
    return draft._replace(fragment=draft.fragment._replace(facts=facts, faults=faults), more=more)


def _held(effect: Effect, answer: Answer) -> Iterator[tuple[str, Sum | None]]:
    """Yield what an effect has put into the capsule; a file that was hashed as it was kept is not read again."""
    match effect, answer:
        case Keep(target=target), Success(
            Fragment({"hash_algorithm": "sha256", "size": int(size), "file_hash": str(it)})
        ):
            yield target, Sum(size, it)
        case Keep(target=target), _:
            yield target, None
        case Write(contents=contents), _:
            yield from ((target, None) for target, _ in contents)


def _cleared(capsule: Capsule, drafts: Sequence[tuple[Draft, Document]], doubts: tuple[Fault, ...]) -> Capsule:
    """Perform what waited for the capsule to be in its place, and to last: the removal of what was moved into it."""
    documents, faults = {**capsule.documents}, capsule.faults + doubts
    for draft, whole in drafts:
        done = _left(draft, doubts[0]) if doubts else _done(draft, capsule.directory, capsule.held)[0]
        told = done.fragment.faults
        if len(told) > len(draft.fragment.faults):
            capsule, trouble = _retold(capsule, done, drafts[-1][0].status)
            told += trouble
        documents[draft.name] = done.document if draft.fragment.effects else whole
        faults += told
    return capsule._replace(documents=documents, faults=faults)


def _doubts(capsule: Capsule) -> tuple[Fault, ...]:
    return lasting(capsule.directory, capsule.vault) if capsule.header.durability == "full" else ()


def _left(draft: Draft, doubt: Fault) -> Draft:
    """Leave what was moved where it was, too."""
    stays = doubt._replace(message=f"it stays where it is: {doubt.message}")
    return draft._replace(fragment=graft(draft.fragment, ((it.at, Failure(stays)) for it in draft.fragment.effects)))


def _retold(capsule: Capsule, draft: Draft, status: str) -> tuple[Capsule, tuple[Fault, ...]]:
    signer = Signer(capsule.directory, capsule.vault, capsule.header.id, status)
    coming = {draft.name: dumps(draft.document)}
    try:
        signed(signer, capsule.held, coming, is_either=True)
        if draft.header.durability == "full":
            all_synchronised(capsule.directory / OWN)
        doubts = _replace(capsule.directory, draft, coming[draft.name])
        held = signed(signer, capsule.held, coming)
    except OSError as error:
        return capsule, (fault_of(error, f"{draft.name} could not be brought up to date"),)
    return capsule._replace(held=held), doubts


def _listed(
    capsule: Capsule, draft: Draft, text: bytes, known: Mapping[str, Sum | None]
) -> Result[Mapping[str, Sum | None], Fault]:
    """List what the capsule holds at the end of the run; a list that cannot be written does not cost the end record."""
    signer = Signer(capsule.directory, capsule.vault, capsule.header.id, draft.status)
    try:
        return Success(signed(signer, known, {draft.name: text}))
    except OSError as error:
        return Failure(fault_of(error, "the manifest could not be brought up to date"))


def _replace(directory: Path, draft: Draft, text: bytes) -> tuple[Fault, ...]:
    return replaced(directory / draft.name, text, directory / OWN, durable=draft.header.durability == "full")
