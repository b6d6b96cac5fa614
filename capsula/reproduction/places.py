"""Places: directories whose path was another one then, and which programs name in what they write; and the times."""

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from capsula.reproduction.moments import Span, without_moments


class Places(NamedTuple):
    """Where and when both runs were."""

    pairs: tuple[tuple[str, str], ...] = ()
    """What a directory is called here, and what it was called there."""
    spans: tuple[Span, ...] = ()
    """When they were, as far as it is known of both."""

    def as_there(self, content: bytes) -> bytes:
        """Return what was written with each of the directories called as there, and spelled alike."""
        if not self.pairs:
            return content
        pattern, names = _renaming(self.pairs)
        return pattern.sub(lambda found: names[found[0]], content)

    def at_no_time(self, content: bytes) -> bytes:
        """Return what was written with all moments of the runs spelled alike."""
        return without_moments(content, self.spans)


NOWHERE = Places()


def places(there: Iterable[Path | None], here: Iterable[Path | None], spans: Iterable[Span | None] = (None,)) -> Places:
    """Return how directories were called there, each beside what it is called here; none is one that is not known."""
    both = [(one, other) for one, other in zip(there, here, strict=True) if one and other and one != other]
    named = {name: str(one) for one, other in both for name in (str(other), os.path.realpath(other))}
    known = tuple(spans)
    return Places(
        tuple((name, "" if then == "/" else then) for name, then in named.items() if name != "/"),
        tuple(filter(None, known)) if all(known) else (),
    )


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
