"""SVG drawings, as texts without their ids, metadata and comments; nothing parses them, so no entity is expanded."""

import re
from collections.abc import Mapping

from capsula.reproduction.comparison import Comparison, or_different
from capsula.reproduction.kinds.text import compare_as
from capsula.reproduction.pair import Pair, Terms, pair_of

_ID = re.compile(rb"""\bid=["']([^"'<>\s]+)""")
_MENTION = re.compile(rb"""(\bid=["']|\bhref=["']#|\burl\(["']?#)([^"'<>\s)]+)""")
_ASIDES = ((b"<metadata", b"</metadata>"), (b"<!--", b"-->"))


def compare(pair: Pair, terms: Terms) -> Comparison:
    """Return how two drawings compare; ids may be named anew as long as what refers to them does so too."""
    drawings = pair.whole.map(lambda contents: pair_of(pair.name, *map(_canonical, contents)))
    return or_different("svg", drawings.map(lambda it: compare_as("svg", it, terms)))


def _canonical(drawing: bytes) -> bytes:
    for opening, closing in _ASIDES:
        drawing = _without(drawing, opening, closing)
    order = {name: b"%d" % index for index, name in enumerate(dict.fromkeys(_ID.findall(drawing)))}
    return _MENTION.sub(lambda mention: mention[1] + _renamed(mention[2], order), drawing)


def _renamed(name: bytes, order: Mapping[bytes, bytes]) -> bytes:
    return b"id_" + order[name] if name in order else name  # a word, lest its number be taken for one


def _without(text: bytes, opening: bytes, closing: bytes) -> bytes:
    """Return the text without all from an opening to the next closing; linear, unlike a lazy regular expression."""
    kept: list[bytes] = []
    start = 0
    while (begin := text.find(opening, start)) >= 0 and (end := text.find(closing, begin)) >= 0:
        kept.append(text[start:begin])
        start = end + len(closing)
    return b"".join((*kept, text[start:]))
