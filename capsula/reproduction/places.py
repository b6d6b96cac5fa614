"""Places: directories whose path was another one then, and which programs name in what they write."""

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import quote

from attrs import frozen


@frozen
class Places:
    """Pairs of what a directory is called here, and what it was called there."""

    pairs: tuple[tuple[str, str], ...] = ()

    def as_there(self, content: bytes) -> bytes:
        """Return what was written with each of the directories called as there, and spelled alike."""
        if not self.pairs:
            return content
        pattern, names = _renaming(self.pairs)
        return pattern.sub(lambda found: names[found[0]], content)


NOWHERE = Places()


def places(there: Iterable[Path | None], here: Iterable[Path | None]) -> Places:
    """Return how directories were called there, each beside what it is called here; none is one that is not known."""
    both = [(one, other) for one, other in zip(there, here, strict=True) if one and other and one != other]
    named = {name: str(one) for one, other in both for name in (str(other), os.path.realpath(other))}
    return Places(tuple((name, "" if then == "/" else then) for name, then in named.items() if name != "/"))


@cache
def _renaming(pairs: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[bytes], dict[bytes, bytes]]:
    names = {
        spelling: os.fsencode(there)
        for name, there in (*((there, there) for _, there in pairs), *pairs)
        for spelling in _spellings(name)
        if spelling
    }
    longest_first = b"|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rb"(?:%s)(?![\w-]|\.\w)" % longest_first), names


def _spellings(path: str) -> tuple[bytes, ...]:
    """Return how a path stands in plain text, in JSON, and in a URL."""
    plain = os.fsencode(path)
    return (plain, json.dumps(path)[1:-1].encode(), quote(plain).encode())
