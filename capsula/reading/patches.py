"""Patches of a work tree, one to apply after the other, without the files that have a secret in what changed of them.

A file that one of them must not hold is in none of them: the next one would not apply to it.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pygit2

from capsula.core.withholding import NAMED, Withholding
from capsula.reading.change import Change, written
from capsula.reading.repository import TROUBLE

_NO_BLOB = "0" * 40
_PREFIXES = re.compile(rb"^[-+ ]", re.MULTILINE)
_IDS = re.compile(rb"^index ([0-9a-f]{40})\.\.([0-9a-f]{40})", re.MULTILINE)
_BINARY = b"\nGIT binary patch\n"


class Patches:
    """The patches of one work tree while they are written: afterwards it is known what they do not hold."""

    def __init__(
        self, repository: pygit2.Repository, top: Path, withholding: Withholding, steps: Iterable[Sequence[Change]]
    ) -> None:
        self._repository = repository
        self._top = top
        self._withholding = withholding
        self._steps = tuple(steps)
        self._whys: dict[bytes, str] | None = None

    def chunks(self, step: Sequence[Change]) -> Iterator[bytes]:
        """Yield the patch of one path after the other.

        Raises:
            OSError: a file or object can no longer be read.
        """
        whys = self._known()
        for change in step:
            if change.path not in whys:
                patch = written(change)
                why = self._why(change, patch)
                if why is None:
                    yield patch
                else:
                    whys[change.path] = why

    def withheld(self, step: Sequence[Change]) -> list[Mapping[str, str]]:
        """Return the paths that a patch, once it was written, does not hold, each with the reason."""
        whys = self._known()
        paths = sorted({change.path for change in step} & whys.keys())
        return [{"path": os.fsdecode(path), "reason": whys[path]} for path in paths]

    def _known(self) -> dict[bytes, str]:
        """Return what is withheld before anything is written: by name and size, and by content what changes twice.

        Of all others it turns out while they are written.
        """
        if self._whys is None:
            self._whys = {}
            counted = Counter(change.path for step in self._steps for change in step)
            named = self._withholding.named(counted)
            for change in chain.from_iterable(self._steps):
                why = NAMED if change.path in named else self._withholding.why_size(change.size)
                if why is None and counted[change.path] > 1:
                    why = self._why(change, written(change))
                self._whys |= {change.path: why} if why else {}
        return self._whys

    def _why(self, change: Change, patch: bytes) -> str | None:
        return self._withholding.why(change.path, self._contents(change, patch))

    def _contents(self, change: Change, patch: bytes) -> Iterator[bytes]:
        """Yield the lines that a patch holds; what is compressed in it, as it was before."""
        if _BINARY not in patch:
            yield _PREFIXES.sub(b"", patch)
            return
        for found in _IDS.finditer(patch):
            for identity in map(bytes.decode, found.groups()):
                if identity != _NO_BLOB:
                    yield self._blob(identity, change.path)
                    yield b"\n"

    def _blob(self, identity: str, path: bytes) -> bytes:
        try:
            return bytes(self._repository[identity].read_raw())
        except TROUBLE:
            return (self._top / os.fsdecode(path)).read_bytes()  # the work tree's own has no object
