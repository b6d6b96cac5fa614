"""The source as patches tell it: a capsule of version 0.0.21 holds no more of it, and so here no more is looked at."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from returns.result import Result

from capsula.core.effect import Effect, Write
from capsula.core.fault import Json
from capsula.core.foreign import safe
from capsula.core.names import patch_paths, repository_flaw
from capsula.core.upgrade import is_old
from capsula.effects.patch import pieces, read
from capsula.flows.inspect import part
from capsula.flows.recorded_source import UNRECORDED
from capsula.reading.repository import TROUBLE
from capsula.reproduction.assessment import Context

_FIRST = 7
"""Digits of the ids that every patch tells."""


def by_patches(there: Context, here: Context, capsule: Path, effects: Iterable[Effect]) -> tuple[Context, Context]:
    """Return both contexts with the source as far as patches tell it; as they are, if the capsule is no old one."""
    if not is_old(dict(there.facts)) or part(there.facts, "source") is not None:
        return there, here
    sources = dict(content for effect in effects if isinstance(effect, Write) for content in effect.contents)
    then = _trees(there, lambda patch: read(capsule / patch))
    now = _trees(here, lambda patch: b"".join(sources[patch].chunks()))
    if not then or not now:
        return there, here
    known = there._replace(facts={**there.facts, "source": then}, untold={"source": UNRECORDED})
    return known, here._replace(facts={**here.facts, "source": now})


def _trees(context: Context, patch: Callable[[str], bytes]) -> dict[str, Json]:
    """Return the repositories of which there is a patch: a tree for each, which the patch makes of its commit."""
    checkouts = part(context.facts, "git")
    named = checkouts.items() if isinstance(checkouts, Mapping) else ()
    trees = {name: _tree(it, patch_paths(name)[0], patch) for name, it in named if not repository_flaw(name)}
    return {name: tree.unwrap() for name, tree in trees.items() if tree.value_or(None)}


def _tree(checkout: Json, path: str, patch: Callable[[str], bytes]) -> Result[Json, Exception]:
    found: Result[dict[str, Json], Exception] = safe(exceptions=(*TROUBLE, LookupError))(lambda: _files(patch(path)))()
    return found.map(
        lambda files: {
            "path": part(checkout, "path"),
            "head": part(checkout, "sha"),
            "digest": " ".join(f"{name} {files[name]}" for name in sorted(files)),
            "overlay": [{"path": name, "sha256": outcome} for name, outcome in files.items()],
        }
    )


def _files(patch: bytes) -> dict[str, Json]:
    told = pieces(patch)
    return {piece.path.decode("utf-8", "surrogateescape"): piece.outcome[:_FIRST] for piece in told}
