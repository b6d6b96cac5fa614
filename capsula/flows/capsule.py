"""A capsule is built aside and gets its name by one rename; the last document of a run closes it by another."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import evolve, field, frozen
from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.document import Document, Header, document, dumps
from capsula.core.effect import Effect, Keep, Write
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.fragment import Fragment, graft
from capsula.core.layout import laid_out
from capsula.effects.files import all_synchronised, replaced, written
from capsula.effects.perform import performed
from capsula.effects.vault import OWN, building, discarded, published


@frozen
class Draft:
    """A document that is to be: its fragment, its header, and what the header says beside."""

    name: str
    header: Header
    fragment: Fragment
    more: Mapping[str, Json] = field(factory=dict)

    @property
    def document(self) -> Document:
        """The document, as far as its effects are performed."""
        return document(self.fragment, self.header, self.more)


@frozen
class Capsule:
    """A capsule in its place in the vault."""

    directory: Path
    header: Header
    documents: Mapping[str, Document]
    held: frozenset[str]
    """The paths of the files it holds, relative to it."""
    faults: tuple[Fault, ...] = ()

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.directory.name


def built(config: Config, drafts: Sequence[Draft]) -> Result[Capsule, Fault]:
    """Perform what the drafts want, and put the capsule in its place in the vault."""
    header = drafts[0].header
    return building(config.vault, header.id).bind(lambda aside: _built(aside, config, drafts))


def closed(capsule: Capsule, draft: Draft) -> Result[Capsule, Fault]:
    """Perform what is wanted after the run, and put its last document in its place: from there on the run has ended."""
    done, held = _done(draft, capsule.directory, capsule.held)
    try:
        if draft.header.durability == "full":
            all_synchronised(capsule.directory)
        _replace(capsule.directory, done)
    except OSError as error:
        return Failure(fault_of(error, f"the end of the run could not be recorded in {capsule.directory}"))
    return Success(_cleared(evolve(capsule, held=held), (done,)))


def _built(aside: Path, config: Config, drafts: Sequence[Draft]) -> Result[Capsule, Fault]:
    held: frozenset[str] = frozenset()
    done: list[Draft] = []
    try:
        for draft in drafts:
            finished, held = _done(draft, aside, held)
            written(aside / draft.name, (dumps(finished.document),))
            done.append(finished)
    except OSError as error:
        discarded(aside)
        return Failure(fault_of(error, f"no capsule could be written in {config.vault}"))
    except BaseException:
        discarded(aside)
        raise
    header = drafts[0].header
    place = published(aside, config.vault, config.settings.capsule_template, header.taken, header.durability)
    if not isinstance(place, Success):
        discarded(aside)
    return place.map(lambda directory: _cleared(Capsule(directory, header, {}, held), done))


def _done(draft: Draft, directory: Path, held: frozenset[str]) -> tuple[Draft, frozenset[str]]:
    """Perform the effects of a draft; what their answers want in turn is left to ``_cleared``."""
    effects = laid_out(draft.fragment.effects, held)
    fragment = graft(draft.fragment, performed(effects, directory))
    return evolve(draft, fragment=fragment), held.union(*map(_targets, effects))


def _targets(effect: Effect) -> frozenset[str]:
    match effect:
        case Keep(target=target):
            return frozenset({target})
        case Write(contents=contents):
            return frozenset(target for target, _ in contents)
        case _:
            return frozenset()


def _cleared(capsule: Capsule, drafts: Sequence[Draft]) -> Capsule:
    """Perform what waited for the capsule to be in its place: the removal of what was moved into it."""
    for draft in drafts:
        done, _ = _done(draft, capsule.directory, capsule.held)
        faults = done.fragment.faults
        if len(faults) > len(draft.fragment.faults):
            faults += _retold(capsule.directory, done)
        documents = {**capsule.documents, draft.name: done.document}
        capsule = evolve(capsule, documents=documents, faults=capsule.faults + faults)
    return capsule


def _retold(directory: Path, draft: Draft) -> tuple[Fault, ...]:
    try:
        _replace(directory, draft)
    except OSError as error:
        return (fault_of(error, f"{draft.name} could not be brought up to date"),)
    return ()


def _replace(directory: Path, draft: Draft) -> None:
    durable = draft.header.durability == "full"
    replaced(directory / draft.name, dumps(draft.document), directory / OWN, durable=durable)
