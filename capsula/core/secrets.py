"""Secrets in text: tokens by their exact shape, values by the names before them; nothing by how random it looks.

Keywords are searched first, which is fast, and the patterns that begin with one are compiled, and searched, only where
it stands. Each pattern is bounded, or takes what no other hit of its keyword will look at again: the cost is linear in
the text. What a pattern can tell is not judged again in Python, where it would take ten times as long.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import NamedTuple

from capsula.core.assigned import LONGEST_NAME, NAMES, assigned, behind
from capsula.core.settings import DiscretionSettings
from capsula.core.shapes import LONGEST_KEY, SHAPES, compiled
from capsula.core.variables import is_secret, names_secret

_LONGEST_CONTEXT = 256
"""Bytes before a line that may tell of a secret in it."""


class Finding(NamedTuple):
    """A secret in a text: the name of the rule that tells it, and where it stands, in bytes."""

    rule: str
    start: int
    end: int


def findings(text: bytes, wish: DiscretionSettings | None = None, known: Collection[bytes] = ()) -> tuple[Finding, ...]:
    """Return the secrets in a text in their order, none overlapping another.

    What is ``known`` is a secret wherever it stands: it was named as one elsewhere.

    >>> findings(b"export DB_PASSWORD=hunter2; python train.py")
    (Finding(rule='named', start=19, end=26),)
    >>> findings(b"no access for s3-s4m", known=[b"s3-s4m"])
    (Finding(rule='named', start=14, end=20),)
    """
    if any(sign in text for sign in _SIGNS_OF_STYLE):
        return _beneath(_STYLE, text, wish, known)
    if b"\0" in text and compiled(_WIDE).search(text):
        return _beneath(_HALF, text, wish, known)
    return _found(text, wish, known)


def _beneath(
    cover: bytes, text: bytes, wish: DiscretionSettings | None, known: Collection[bytes]
) -> tuple[Finding, ...]:
    """Return the secrets of a text with something in between that is not of it.

    A terminal shows it in colours, of which name, sign and value often have three; or it is UTF-16.
    """
    found = _found(compiled(cover).sub(b"", text), wish, known)
    if not found:
        return ()
    covers = [match.span() for match in compiled(cover).finditer(text)]
    taken = [0, *accumulate(end - start for start, end in covers)]
    places = [start - before for (start, _), before in zip(covers, taken, strict=False)]

    def placed(position: int) -> int:
        return position + taken[bisect_right(places, position)]

    return tuple(Finding(it.rule, placed(it.start), placed(it.end - 1) + 1) for it in found)


def _found(text: bytes, wish: DiscretionSettings | None, known: Collection[bytes]) -> tuple[Finding, ...]:
    there = _there(text)
    repeated = [value for value in known if value in text]
    if not there and not repeated:
        return ()
    wish = wish or DiscretionSettings()
    lower = text.lower()
    places = [
        (start, -end, order)
        for order, rule in enumerate(RULES)
        if wish.watches(rule)
        for start, end in (
            assigned(text, lower, there, wish) if rule == "named" else _shaped(SHAPES[rule], text, lower, there)
        )
    ]
    named = RULES.index("named")
    places += ((start, -start - len(value), named) for value in repeated for start in _standing(value, text))
    places.sort()  # of those that begin at one place the longest comes first
    return tuple(_apart(places))


class Scan:
    """A text that comes in parts: each is given back with its secrets as soon as no later part can change them."""

    def __init__(self, wish: DiscretionSettings | None = None, known: Collection[bytes] = ()) -> None:
        self._wish = wish
        self._known = known
        self._before = b""  # the end of what was given back: a secret may be known by what stands before it
        self._held = b""

    def fed(self, part: bytes) -> tuple[bytes, tuple[Finding, ...]]:
        """Return what is decided now, of this part and what was held back of those before."""
        return self._given(part, lambda text, found: _decided(text, found, self._known))

    def rest(self) -> tuple[bytes, tuple[Finding, ...]]:
        """Return what was held back: nothing comes after it."""
        return self._given(b"", lambda text, _: len(text))

    def _given(
        self, part: bytes, decided: Callable[[bytes, tuple[Finding, ...]], int]
    ) -> tuple[bytes, tuple[Finding, ...]]:
        text, start = self._before + self._held + part, len(self._before)
        found = findings(text, self._wish, self._known)
        cut = max(decided(text, found), start)
        self._before, self._held = text[max(cut - _LONGEST_CONTEXT, 0) : cut], text[cut:]
        fresh = (it for it in found if start < it.end <= cut)
        return text[start:cut], tuple(Finding(it.rule, max(it.start - start, 0), it.end - start) for it in fresh)


def scanned(parts: Iterable[bytes], wish: DiscretionSettings | None = None) -> Iterator[tuple[int, str]]:
    r"""Yield the line, from 1, and the rule of each secret in a text that comes in parts.

    >>> list(scanned([b"first\npass", b"word=hunter2"]))
    [(2, 'named')]
    """
    scan, line = Scan(wish), 1
    for part in chain(parts, (None,)):
        text, found = scan.rest() if part is None else scan.fed(part)
        position = 0
        for it in found:
            line += text.count(b"\n", position, it.start)
            position = it.start
            yield line, it.rule
        line += text.count(b"\n", position)


def is_watched(name: str, value: str, wish: DiscretionSettings, *, is_variable: bool = False) -> bool:
    """Tell whether the value of a variable, a parameter or an option is a secret by its name.

    A number is one for passwords alone, and a path is none: others count tokens, or tell where a secret is kept. What
    ``pass`` alone is followed by a number of may be rounds.
    The names of variables are judged more strictly: there, a ``KEY`` opens something.
    """
    known = name.lstrip("-").replace("-", "_")
    if not (is_secret(known, "") if is_variable else names_secret(known)):
        return False
    plain = value.strip().removeprefix("=")
    if not plain or not wish.watches("named") or not {name, known}.isdisjoint(wish.allow):
        return False
    if _is(rb"-?[\d.,_]+(?:e-?\d+)?|true|false|none|null|yes|no|on|off", plain.lower()):
        return any(word in known.upper() for word in ("PASS", "PWD")) and known.upper() != "PASS" and plain[0].isdigit()
    return not _is(
        rb"(?:[<>=~^v]*\d+(?:\.\d+)+[\w.*]*|(?:~|\.{1,2}|/[a-zA-Z][a-z]*)?/[\w./@+-]*|\[redacted [^]]*\])", plain
    )


def wording() -> str:
    """Return what tells these rules from other ones."""
    return repr((SHAPES, _STYLE, *(behind(name, is_option=True) for name in NAMES)))


_STYLE = rb"(?:\x1b|\\(?:u001b|x1b|033))\[[\d;:]{0,32}[mK]"
"""What gives a text on a terminal its colours, as it is or as it stands in a JSON or a program."""
_SIGNS_OF_STYLE = (b"\x1b[", b"1b[", b"033[")
_HALF = rb"(?<!\0)\0(?!\0)"
"""What UTF-16 has beside each Latin character."""
_WIDE = rb"(?:[^\0]\0){8}|(?:\0[^\0]){8}"
"""How UTF-16 is known, with and without what it may begin with."""


RULES: tuple[str, ...] = (*SHAPES, "named")
"""The names of all rules."""

PROSE_RULES: tuple[str, ...] = ("named", "command-line", "netrc", "cookie")
"""Those that tell a secret by what stands before it, as does whoever shows in code, or writes, how it is to be told."""

_IN_ANY_CASE = (*NAMES, b"bearer ", b"authorization", b"cookie")
_KEYWORDS = (b"-----BEGIN", *(keyword for shapes in SHAPES.values() for keyword, _ in shapes))
_ALL_KEYWORDS = (*_KEYWORDS, *NAMES)
_LONGEST_KEYWORD = max(map(len, _ALL_KEYWORDS))
_DIGITS = b"0123456789"
_SHORT = 16
"""Bytes of a line; where most are shorter, telling them apart takes longer than searching them all."""
_LOWER = bytes(range(256)).lower()
_SIGNS = {keyword: max(keyword.translate(_LOWER, _DIGITS).split(), key=len) for keyword in _ALL_KEYWORDS}
"""The keywords, or their longest words, as they stand in a text without case and digits."""
_JOINTS = (b"_", b"-")


def _joint(sign: bytes) -> bytes:
    """Return the first joint in a word, and the two letters before it; nothing, if there are none."""
    place = len(sign.replace(b"-", b"_").partition(b"_")[0])
    return sign[place - 2 : place + 1] if 2 <= place < len(sign) else b""


_BY_JOINT = {
    joint: tuple(keyword for _, keyword in group)
    for joint, group in groupby(sorted((_joint(sign), keyword) for keyword, sign in _SIGNS.items()), itemgetter(0))
}
"""The keywords by what most texts do not have: few are left to be searched for."""


def _there(text: bytes) -> frozenset[bytes]:
    """Return the keywords that may stand in a text; for one that does not, it need not be searched.

    What programs print are many lines that differ in their numbers alone, of the same words again and again: little is
    left to be searched without these.
    """
    plain = text.translate(_LOWER, _DIGITS)
    if (plain.count(b"\n") + plain.count(b"\r")) * _SHORT < len(plain):
        plain = b"\n".join({*plain.splitlines()})
    plain = b"\n".join({*plain.split()})
    joints = {piece[-2:] + joint for joint in _JOINTS for piece in plain.split(joint)}
    likely = (it for joint in (b"", *(joints & _BY_JOINT.keys())) for it in _BY_JOINT[joint])
    return frozenset(keyword for keyword in likely if _SIGNS[keyword] in plain)


def _shaped(
    shapes: Iterable[tuple[bytes, bytes]], text: bytes, lower: bytes, there: Collection[bytes]
) -> Iterator[tuple[int, int]]:
    """Yield where a text has something of one of some shapes."""
    for keyword, pattern in shapes:
        if keyword in there:
            searched = lower if keyword in _IN_ANY_CASE else text
            first = searched.find(keyword)  # a third of what it takes to search for a pattern
            for match in compiled(pattern).finditer(searched, first) if first >= 0 else ():
                yield match.span(match.lastindex or 0)


def _standing(value: bytes, text: bytes) -> Iterator[int]:
    """Yield where a value stands in a text."""
    start = text.find(value)
    while start >= 0:
        yield start
        start = text.find(value, start + len(value))


def _apart(places: Iterable[tuple[int, int, int]]) -> Iterator[Finding]:
    reached = 0
    for start, negative_end, order in places:
        end = -negative_end
        if end > reached:
            yield Finding(RULES[order], max(start, reached), end)
            reached = end


def _decided(text: bytes, found: tuple[Finding, ...], known: Collection[bytes]) -> int:
    """Return up to where nothing that may follow can make, or lengthen, a secret."""
    cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    tail = text[cut:]
    if not _may_hold(tail):
        cut = len(text) - max(_begun(tail), *(_begun_of(value, tail) for value in known), 0)
    key = text.rfind(b"-----BEGIN", 0, cut)
    if key >= 0 and b" PRIVATE KEY" in text[key : key + LONGEST_NAME] and text.find(b"-----END", key, cut) < 0:
        cut = key
    cut = max(cut, len(text) - LONGEST_KEY)
    around = next((it for it in found if it.start < cut < it.end), None)
    if around is None:
        return cut
    return around.start if len(text) - around.start <= 2 * LONGEST_KEY else around.end


def _may_hold(tail: bytes) -> bool:
    """Tell whether the beginning of a line has a keyword in it, or two bytes a character."""
    lower = tail.lower()
    return (
        any(keyword in tail for keyword in _KEYWORDS)
        or any(name in lower for name in _IN_ANY_CASE)
        or (b"\0" in tail and tail.count(b"\0") * 3 > len(tail))
    )


def _begun(tail: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a keyword."""
    ends = (tail[-length:] for length in range(min(len(tail), _LONGEST_KEYWORD - 1), 0, -1))
    return next((len(end) for end in ends if end in _beginnings() or end.lower() in _beginnings()), 0)


def _begun_of(value: bytes, tail: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a value."""
    return next((size for size in range(min(len(tail), len(value) - 1), 0, -1) if tail.endswith(value[:size])), 0)


@cache
def _beginnings() -> frozenset[bytes]:
    return frozenset(keyword[:length] for keyword in _ALL_KEYWORDS for length in range(1, len(keyword)))


def _is(pattern: bytes, text: str) -> bool:
    return compiled(pattern).fullmatch(text.encode("utf-8", "surrogatepass")) is not None
