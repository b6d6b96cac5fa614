"""Apart: repositories are read by a child of ours, which loads libgit2 for it while we load and read all else.

It is begun before anything else is loaded but what both of us need.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

from returns.result import Failure

import capsula.core.withholding
import capsula.reading.content  # noqa: F401  # both of us need these
from capsula.core.config import CHECKOUT, FACET, Config
from capsula.core.effect import Effect, Share, Source, Write
from capsula.core.fault import Fault
from capsula.core.fragment import Answer
from capsula.core.once import Reader, once
from capsula.effects.beside import PATIENCE, assistant

R = TypeVar("R")

MOST = 64 << 20
"""Bytes of a patch or a pack that an answer may hold; one with more is left to whoever writes it."""


_BLOCKED = Fault(
    "blocked",
    "reading the repository was given up: it waited for something that did not come, or had no end",
    "does git status end here? a named pipe where git has a file, a pattern with many stars in `.gitignore`, or a disk "
    "that does not answer may hold it",
)


class Apart:
    """What reads repositories for one gathering; where it has no answer, they are read by whoever asks."""

    def __init__(self, patience: float = PATIENCE, most: int = MOST) -> None:
        self._assistant = assistant(partial(_served, most), patience)
        self._is_begun = False

    def begin(self, config: Config) -> None:
        """Begin with what will be wanted under this config."""
        from capsula.facets import OF_REPOSITORIES, chosen

        if self._assistant and not self._is_begun:
            self._is_begun = True
            self._assistant.tell(config)
            self._assistant.ask(*((FACET, name) for name in chosen(config) if name in OF_REPOSITORIES))

    def reader(self, config: Config) -> Reader:
        """Return what reads each thing once under this config, which was begun with, or is now."""
        self.begin(config)
        known = once()

        def reader(key: Hashable, read: Callable[[], R], /) -> R:
            return known(key, partial(self._read, key, read))

        return reader

    def dismiss(self) -> None:
        """Be done with it; it ends by itself."""
        if self._assistant:
            self._assistant.dismiss()

    def close(self) -> None:
        """Be done with it, and see it gone."""
        if self._assistant:
            self._assistant.close()

    def __enter__(self) -> "Apart":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.dismiss()

    def _read(self, key: Hashable, read: Callable[[], R]) -> R:
        if not (isinstance(key, tuple) and key[0] in {FACET, CHECKOUT}):
            return read()
        try:
            answer = self._answer(key)
        except TimeoutError:
            return cast("R", Failure(_BLOCKED))
        if answer is not None:
            return cast("R", answer)
        from capsula.effects.offline import load_offline

        load_offline()
        return read()

    def _answer(self, key: Hashable) -> object:
        if self._assistant is None:
            return None
        import capsula.reading.archived  # noqa: F401  # what an answer may be made of, while it is waited for

        return self._assistant.answer(key)


def _served(most: int, told: Iterator[object]) -> Iterator[tuple[Hashable, object]]:
    """Answer what is asked, under the config that is told first."""
    from capsula.effects.offline import load_offline

    load_offline()
    from capsula.collectors import git, source

    facets = {"git": git.collect, "source": source.collect}
    first = next(told, None)
    if not isinstance(first, Config):
        return
    config = first._replace(reader=once())
    for question in told:
        match question:
            case (kind, str(name)) if kind == FACET:
                yield question, _held(facets[name](config), most)
            case (kind, str(directory)) if kind == CHECKOUT:
                from capsula.reading.checkout import checkout

                yield question, checkout(Path(directory), config)


def _held(answer: Answer, most: int) -> Answer | None:
    """Return an answer whose effects hold the bytes that they write; None if these are too many, or cannot be read."""
    try:
        return answer.map(lambda it: it._replace(effects=tuple(_with_bytes(effect, most) for effect in it.effects)))
    except (OSError, OverflowError):
        return None


def _with_bytes(effect: Effect, most: int) -> Effect:
    match effect:
        case Write(contents=contents):
            return effect._replace(contents=tuple((target, _read(source, most)) for target, source in contents))
        case Share(source=source, store=store):
            known = Source(source.name, partial(_lost, store)) if store.exists() else _read(source, most)
            return effect._replace(source=known)
    return effect


def _read(source: Source, most: int) -> Source:
    held = bytearray()
    for chunk in source.chunks():
        held += chunk
        if len(held) > most:
            raise OverflowError(source.name)
    return Source(source.name, partial(iter, (bytes(held),)), partial(list, source.withheld()))


def _lost(store: Path) -> Iterator[bytes]:
    raise OSError(None, f"{store} was removed meanwhile")
