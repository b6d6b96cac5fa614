"""The layout of a capsule: where each file that is kept stands. Decided purely, before the first effect."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import count

from capsula.core.effect import Effect, Keep, Write
from capsula.core.names import OWN_NAMES, above

_ASKED_FOR = ("outside/", "files/", ".capsula/outputs/")


def laid_out(effects: Sequence[Effect], held: Collection[str] = ()) -> tuple[Effect, ...]:
    """Return the effects with no two targets in each other's way, compared without case.

    A file is kept at the target it asks for; below ``files/`` where that is Capsula's own; below ``after/`` where the
    capsule already holds that path (``held``) from before the run. A collector may ask for a place below ``outside/``,
    ``files/`` or ``.capsula/outputs/`` itself: it knows where a file is from.
    """
    before = _Claims(held)
    claims = _Claims(held)
    for effect in effects:
        if isinstance(effect, Write):
            for target, _ in effect.contents:
                claims.claim(target)
    return tuple(_placed(effect, before, claims) if isinstance(effect, Keep) else effect for effect in effects)


class _Claims:
    """Paths that are taken, and the folders above them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        for path in paths:
            self.claim(path)

    def claim(self, path: str) -> None:
        self._files.add(path.casefold())
        self._folders.update(above(path.casefold()))

    def is_free(self, path: str) -> bool:
        folded = path.casefold()
        return folded not in self._files and folded not in self._folders and self._files.isdisjoint(above(folded))


def _placed(effect: Keep, before: _Claims, claims: _Claims) -> Keep:
    target = next(path for path in _places(effect.target, before) if claims.is_free(path))
    claims.claim(target)
    return effect._replace(target=target)


def _places(path: str, before: _Claims) -> Iterator[str]:
    if path.startswith(_ASKED_FOR) or path.split("/", 1)[0].casefold() not in OWN_NAMES:
        yield path
        if not before.is_free(path):
            yield f"after/{path}"
    yield f"files/{path}"
    if not before.is_free(f"files/{path}"):
        yield f"after/files/{path}"
    yield from (f"files/{number}/{path}" for number in count(2))
