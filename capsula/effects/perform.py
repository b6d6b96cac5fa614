"""Performing effects: each answers with a fragment, which is gathered in at its place."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from returns.result import Failure, Success

from capsula.core.effect import Effect, Keep, Remember, Remove, Seal, Shell, Write
from capsula.core.fault import Fault, Json, KeyPath, fault_of
from capsula.core.fragment import Answer, Fragment
from capsula.effects.files import folders, replaced, written
from capsula.effects.keep import identity, kept
from capsula.effects.key import sealed
from capsula.effects.shell import shell


def performed(effects: Iterable[Effect], capsule: Path) -> list[tuple[KeyPath, Answer]]:
    """Perform effects in their order, below the directory of a capsule; one that fails costs only its own facts."""
    return [(effect.at, _answer(effect, capsule)) for effect in effects]


def _answer(effect: Effect, capsule: Path) -> Answer:
    match effect:
        case Shell():
            return shell(effect)
        case Write():
            return _listed(effect, capsule)
        case Keep():
            return kept(effect, capsule)
        case Remove():
            return _removed(effect)
        case Remember():
            return _remembered(effect)
        case Seal():
            return sealed(effect)


def _listed(effect: Write, capsule: Path) -> Answer:
    listed: list[Json] = []
    for target, source in effect.contents:
        try:
            folders((capsule / target).parent)
            size = written(capsule / target, source.chunks())
        except OSError as error:
            return Failure(fault_of(error, target))
        listed.append({"file": target, "content": source.name, "size": size})
    return Success(Fragment(listed))


def _removed(effect: Remove) -> Answer:
    try:
        if identity(effect.origin.lstat()) == effect.identity:
            effect.origin.unlink()
            return Success(Fragment())
    except OSError as error:
        return Failure(fault_of(error, f"{effect.origin} is kept, and could not be removed"))
    return Failure(Fault("changed", f"{effect.origin} was changed after it was kept, and stays where it is"))


def _remembered(effect: Remember) -> Answer:
    with suppress(OSError):
        folders(effect.file.parent)
        replaced(effect.file, effect.content, effect.file.parent, durable=False)
    return Success(Fragment())
