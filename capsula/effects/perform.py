"""Performing effects: each answers with a fragment, which is gathered in at its place."""

from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from returns.result import Failure, Success

from capsula.core.effect import Archive, Effect, Keep, Remember, Remove, Seal, Share, Shell, Write
from capsula.core.fault import Fault, Json, KeyPath, crash_of, fault_of, is_json
from capsula.core.fragment import Answer, Fragment
from capsula.effects.files import folders, replaced, written
from capsula.effects.key import sealed


def performed(effects: Iterable[Effect], capsule: Path, *, durable: bool = False) -> list[tuple[KeyPath, Answer]]:
    """Perform effects in their order, below the directory of a capsule; one that fails costs only its own facts.

    If they are to be ``durable``, the disk, for which somebody will wait, is set to work early.
    """
    return [(effect.at, _answer(effect, capsule, durable=durable)) for effect in effects]


_REPORT = "this is a bug of the facet; please report it"
_NO_JSON = Fault("malformed", "the facet's effect tells what is no JSON", _REPORT)


def _answer(effect: Effect, capsule: Path, *, durable: bool) -> Answer:
    try:
        return _performed(effect, capsule, durable=durable)
    except Exception as bug:  # what a facet has put into an effect, ours or a plugin's, may raise anything
        return Failure(crash_of(bug, _REPORT))


def _performed(effect: Effect, capsule: Path, *, durable: bool) -> Answer:
    match effect:
        case Shell():
            from capsula.effects.shell import shell  # each of these only where one of its kind is wanted

            return shell(effect)
        case Write():
            return _listed(effect, capsule)
        case Archive(target=target):
            from capsula.effects.archive import archived

            told = archived(effect, capsule)
            if isinstance(told, Success) and not is_json(told.unwrap().facts):
                _forgotten(capsule / target)
                return Failure(_NO_JSON)
            return told
        case Share():
            from capsula.effects.archive import shared

            return shared(effect, capsule)
        case Keep():
            from capsula.effects.keep import kept

            return kept(effect, capsule, durable=durable)
        case Remove():
            return _removed(effect)
        case Remember():
            return _remembered(effect)
        case Seal():
            return sealed(effect)


def _listed(effect: Write, capsule: Path) -> Answer:
    """Write all contents, or none: what no document tells of shall not be in a capsule."""
    listed: list[Json] = []
    with ExitStack() as undone:
        for target, source in effect.contents:
            try:
                folders((capsule / target).parent)
                size = written(capsule / target, source.chunks())
            except OSError as error:
                return Failure(fault_of(error, target))
            undone.callback(_forgotten, capsule / target)
            told = source.withheld()
            if not is_json(told):
                return Failure(_NO_JSON)
            withheld = {"withheld": told} if told else {}
            listed.append({"file": target, "content": source.name, "size": size, **withheld})
        undone.pop_all()
    return Success(Fragment(listed))


def _forgotten(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _removed(effect: Remove) -> Answer:
    from capsula.effects.keep import identity

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
