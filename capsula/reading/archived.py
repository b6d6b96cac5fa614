"""Archived: what is told of the files of a tree, and told anew of those that changed before they were archived."""

import os
from collections.abc import Mapping

from returns.result import Failure, Result, Success

from capsula.core.content import KINDS, Content
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.tree import Kept, Missed, Tree, digest, facts
from capsula.core.withholding import WITHHELD
from capsula.reading.found import Found


def with_files(state: Tree, found: Found) -> Tree:
    """Return a tree with what was found of its files."""
    entries = found.entries
    return state._replace(
        digest=digest(entries),
        files=len(entries),
        size=sum([size for _, _, size in entries.values()]),
        overlay=tuple(_kept(path, found.contents[path]) for path in found.changed),
        withheld=tuple(found.withheld[path] for path in sorted(found.withheld)),
        left_out=tuple(found.left_out[path] for path in sorted(found.left_out)),
    )


def _kept(path: bytes, it: Content) -> Kept:
    return Kept(os.fsdecode(path), KINDS[it.mode], it.size, it.sha256)


def as_archived(
    state: Tree, found: Found, target: str, size: int, answers: Mapping[bytes, Result[Content, Fault]]
) -> Fragment:
    """Return what the archiving tells: of a file that was changed since it was looked at, what of it is archived."""
    archive: dict[str, Json] = {"archive": {"file": target, "size": size}}
    archived = {path: answer.unwrap() for path, answer in answers.items() if isinstance(answer, Success)}
    if archived == {path: found.contents[path] for path in found.changed}:
        return Fragment(archive)
    lost = {path: answer.failure() for path, answer in answers.items() if isinstance(answer, Failure)}
    contents = {
        path: it._replace(torn=False) for path, it in {**found.contents, **archived}.items() if path not in lost
    }
    missed = {path: Missed(os.fsdecode(path), fault.message) for path, fault in lost.items()}
    withheld = {path: missed[path] for path, fault in lost.items() if fault.kind == WITHHELD}
    left_out = {path: it for path, it in missed.items() if path not in withheld}
    now = found._replace(
        contents=contents,
        changed=tuple(path for path in found.changed if path not in lost),
        withheld={**found.withheld, **withheld},
        left_out={**found.left_out, **left_out},
    )
    told = facts(with_files(state, now))
    corrected: dict[str, Json] = {key: told.get(key, []) for key in _CORRECTED}
    faults = [
        Fault("changed", "it was changed while it was captured; what it was last is kept", path=_changing(path))
        for path, it in archived.items()
        if it != found.contents[path]
    ]
    faults += [lost[path]._replace(path=_changing(path)) for path in left_out]
    return Fragment({**corrected, **archive}, faults=tuple(faults))


_CORRECTED = ("digest", "files", "size", "overlay", "withheld", "left_out")


def _changing(path: bytes) -> tuple[str, str]:
    return ("changing", os.fsdecode(path))
