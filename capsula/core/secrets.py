"""Secrets in text: tokens by their exact shape, values by the names before them; nothing by how random it looks.

Keywords are searched first, which is fast, and patterns are tried, and even compiled, only where one stands. Each
pattern is bounded, or takes what no other hit of its keyword will look at again: the cost is linear in the text.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import NamedTuple

from capsula.core.settings import DiscretionSettings
from capsula.core.variables import is_secret, names_secret

LONGEST_KEY = 16 * 1024
"""Bytes of a private key; also those of an unfinished line that wait for its end."""
LONGEST_NAME = 64


class Finding(NamedTuple):
    """A secret in a text: the name of the rule that tells it, and where it stands, in bytes."""

    rule: str
    start: int
    end: int


def findings(text: bytes, wish: DiscretionSettings | None = None) -> tuple[Finding, ...]:
    """Return the secrets in a text in their order, none overlapping another.

    >>> findings(b"export DB_PASSWORD=hunter2; python train.py")
    (Finding(rule='named', start=19, end=26),)
    """
    if any(sign in text for sign in _SIGNS_OF_STYLE):
        return _beneath_styles(text, wish)
    return _found(text, wish)


def _beneath_styles(text: bytes, wish: DiscretionSettings | None) -> tuple[Finding, ...]:
    """Return the secrets of a text that a terminal shows in colours; name, sign and value often have three."""
    styles = [match.span() for match in _compiled(_STYLE).finditer(text)]
    taken = [0, *accumulate(end - start for start, end in styles)]
    places = [start - before for (start, _), before in zip(styles, taken, strict=False)]
    found = _found(_compiled(_STYLE).sub(b"", text), wish)

    def placed(position: int) -> int:
        return position + taken[bisect_right(places, position)]

    return tuple(Finding(it.rule, placed(it.start), placed(it.end - 1) + 1) for it in found)


def _found(text: bytes, wish: DiscretionSettings | None) -> tuple[Finding, ...]:
    there = _there(text)
    if not there:
        return ()
    wish = wish or DiscretionSettings()
    lower = text.lower()
    found = [*_tokens(text, lower, there, wish), *(_named(text, lower, there, wish) if wish.watches("named") else ())]
    found.sort(key=itemgetter(2), reverse=True)
    found.sort(key=itemgetter(1))  # of those that begin at one place the longest stays first
    return tuple(_apart(found))


class Scan:
    """A text that comes in parts: each is given back with its secrets as soon as no later part can change them."""

    def __init__(self, wish: DiscretionSettings | None = None) -> None:
        self._wish = wish
        self._before = b""  # the end of what was given back: a secret may be known by what stands before it
        self._held = b""

    def fed(self, part: bytes) -> tuple[bytes, tuple[Finding, ...]]:
        """Return what is decided now, of this part and what was held back of those before."""
        return self._given(part, _decided)

    def rest(self) -> tuple[bytes, tuple[Finding, ...]]:
        """Return what was held back: nothing comes after it."""
        return self._given(b"", lambda text, _: len(text))

    def _given(
        self, part: bytes, decided: Callable[[bytes, tuple[Finding, ...]], int]
    ) -> tuple[bytes, tuple[Finding, ...]]:
        text, start = self._before + self._held + part, len(self._before)
        found = findings(text, self._wish)
        cut = max(decided(text, found), start)
        self._before, self._held = text[max(cut - LONGEST_NAME, 0) : cut], text[cut:]
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

    A number is one for passwords alone, and a path is none: others count tokens, or tell where a secret is kept.
    The names of variables are judged more strictly: there, a ``KEY`` opens something.
    """
    known = name.lstrip("-").replace("-", "_")
    if not (is_secret(known, "") if is_variable else names_secret(known)):
        return False
    plain = value.strip().removeprefix("=")
    if not plain or not wish.watches("named") or not {name, known}.isdisjoint(wish.allow):
        return False
    if _is(rb"-?[\d.,_]+(?:e-?\d+)?|true|false|none|null|yes|no|on|off", plain.lower()):
        return "PASS" in known.upper() and plain[0].isdigit()
    return not _is(
        rb"(?:[<>=~^v]*\d+(?:\.\d+)+[\w.*]*|(?:~|\.{1,2}|/[a-zA-Z][a-z]*)?/[\w./@+-]*|\[redacted [^]]*\])", plain
    )


def wording() -> str:
    """Return what tells these rules from other ones."""
    return repr((_TOKENS, _NAMES, _REST, _ASSIGNED, _SPACED, _UNTOLD, _STYLE))


_STYLE = rb"(?:\x1b|\\(?:u001b|x1b|033))\[[\d;:]{0,32}[mK]"
"""What gives a text on a terminal its colours, as it is or as it stands in a JSON or a program."""
_SIGNS_OF_STYLE = (b"\x1b[", b"1b[", b"033[")

_START = rb"(?:(?<![A-Za-z0-9+/])|(?<=\\[nrt]))"  # of a token that may stand in other base64; "\n" may be written out
_WORD = rb"(?:(?<![\w-])|(?<=\\[nrt]))"

_TOKENS: Mapping[str, tuple[tuple[bytes, bytes], ...]] = {
    "aws": tuple((prefix, _START + rb"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9+/])") for prefix in (b"AKIA", b"ASIA")),
    "github": (
        *((b"gh%c_" % kind, rb"gh[opusr]_[A-Za-z0-9]{36,255}") for kind in b"opusr"),
        (b"github_pat_", rb"github_pat_\w{22,255}"),
    ),
    "gitlab": ((b"glpat-", rb"glpat-[\w-]{20,255}"),),
    "slack": (
        (b"xox", rb"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
        (b"hooks.slack.com/services/", rb"hooks\.slack\.com/services/([A-Za-z0-9/]{20,255})"),
    ),
    "stripe": tuple((b"%ck_live_" % kind, rb"[rs]k_live_[A-Za-z0-9]{16,255}") for kind in b"rs"),
    "google": (
        (b"AIza", _START + rb"AIza[\w-]{35}(?![\w-])"),
        (b"GOCSPX-", rb"GOCSPX-[\w-]{28}"),
        (b"ya29.", rb"ya29\.[\w-]{20,2048}"),
    ),
    "openai": ((b"sk-", _WORD + rb"sk-(?:(?:proj|svcacct|admin)-[\w-]{20,255}|[A-Za-z0-9]{32,255})"),),
    "anthropic": ((b"sk-ant-", rb"sk-ant-[\w-]{20,255}"),),
    "huggingface": ((b"hf_", _WORD + rb"hf_[A-Za-z0-9]{34,64}"),),
    "npm": ((b"npm_", rb"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),),
    "pypi": ((b"pypi-AgE", rb"pypi-AgE[\w-]{16,1024}"),),
    "sendgrid": ((b"SG.", rb"SG\.[\w-]{16,32}\.[\w-]{32,64}"),),
    "twilio": ((b"SK", rb"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![0-9A-Za-z])"),),
    "digitalocean": tuple((b"do%c_v1_" % kind, rb"do[opr]_v1_[0-9a-f]{64}") for kind in b"opr"),
    "databricks": ((b"dapi", rb"dapi[0-9a-f]{32}(?![0-9a-f])"),),
    "docker": ((b"dckr_pat_", rb"dckr_pat_[\w-]{20,255}"),),
    "hashicorp": ((b"hvs.", rb"hvs\.[\w-]{24,255}"),),
    "azure": ((b"AccountKey=", rb"AccountKey=([A-Za-z0-9+/]{40,255}={0,2})"),),
    "jwt": ((b"eyJ", _WORD + rb"eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]*"),),
    "private-key": (
        (
            b" PRIVATE KEY",
            rb" PRIVATE KEY(?: BLOCK)?-----((?:\\[nr]|[\s\"'+,\\])*(?:[A-Z][\w-]+:|[A-Za-z0-9+/=]{16})"
            rb"(?:[^-\0]|-(?!----)){,%d})" % LONGEST_KEY,
        ),
    ),
    "authorization": (
        (b"bearer ", rb"(?i:bearer) +([\w.~+/-]{12,4096}={0,2})"),
        (
            b"authorization",
            (
                rb"(?i:authorization)\\?[\"']?[ \t]?[:=][ \t]?\\?[\"']?"
                rb"(?i:basic|token|bearer) +([^\s\"'\\\0<{$%*\[][^\s\"'\\\0]{3,4096})"
            ),
        ),
    ),
    "url-password": (
        (
            b"://",
            (
                rb"://(?:[^\s/?#\"'<>\\\0@:]{0,256}+:(?!pass(?:word|wd)?[@\]])"
                rb"([^\s/?#\"'<>\\\0$*%{\[][^\s/?#\"'<>\\\0]{0,255})"
                rb"|([^\s/?#\"'<>\\\0@:.]{20,256}+))@"
            ),
        ),
    ),
}  # fmt: skip
"""By rule: the keywords that its patterns begin with, and the patterns; group 1, or the whole, is the secret."""

_NAMES = (
    *(b"token", b"secret", b"password", b"passwd", b"passphrase", b"credentials", b"credential"),
    *(b"apikey", b"api_key", b"api-key", b"access_key", b"accesskey", b"private_key", b"privatekey"),
)

RULES: tuple[str, ...] = (*_TOKENS, "named")
"""The names of all rules."""

_IN_ANY_CASE = (*_NAMES, b"bearer ", b"authorization")
_KEYWORDS = (b"-----BEGIN", *(keyword for shapes in _TOKENS.values() for keyword, _ in shapes))
_ALL_KEYWORDS = (*_KEYWORDS, *_NAMES)
_LONGEST_KEYWORD = max(map(len, _ALL_KEYWORDS))
_NAME_CHARACTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_DELIMITED = rb"[^\s\"'`,;&()\[\]{}<>|\\\0]"


_DIGITS = b"0123456789"
_SHORT = 16
"""Bytes of a line; where most are shorter, telling them apart takes longer than searching them all."""
_LOWER = bytes(range(256)).lower()
_FEWEST_CHARACTERS = 3
_NUMERIC = b"0123456789.,_"
_NUMBER = rb"[\d.,_]+(?:e-?\d+)?"
_LONGEST_PLAIN = 64
_EXPLICIT = frozenset({"quoted", "tight"})
_ALL_NAMES = frozenset(_NAMES)
_SIGNS = {keyword: keyword.translate(_LOWER, _DIGITS) for keyword in _ALL_KEYWORDS}
"""The keywords as they stand in a text without case and digits."""


def _there(text: bytes) -> frozenset[bytes]:
    """Return the keywords that may stand in a text; for one that does not, it need not be searched.

    What programs print are many lines that differ in their numbers alone: few are left to be searched without these.
    """
    plain = text.translate(_LOWER, _DIGITS)
    if (plain.count(b"\n") + plain.count(b"\r")) * _SHORT < len(plain):
        plain = b"\n".join({*plain.splitlines()})
    return frozenset(keyword for keyword, sign in _SIGNS.items() if sign in plain)


def _tokens(text: bytes, lower: bytes, there: Collection[bytes], wish: DiscretionSettings) -> Iterator[Finding]:
    for rule, shapes in _TOKENS.items():
        if wish.watches(rule):
            for keyword, pattern in (shape for shape in shapes if shape[0] in there):
                searched = lower if keyword in _IN_ANY_CASE else text
                hit = searched.find(keyword)
                while hit >= 0:
                    match = _compiled(pattern).match(text, hit)
                    if match:
                        start, end = match.span(match.lastindex or 0)
                        yield Finding(rule, start, end)
                    hit = searched.find(keyword, match.end() if match else hit + len(keyword))


def _named(text: bytes, lower: bytes, there: Collection[bytes], wish: DiscretionSettings) -> Iterator[Finding]:
    """Yield the literal values behind secret names: ``NAME=value``, ``--name value``, ``"name": "value"``."""
    for keyword in (name for name in _NAMES if name in there):
        assigned = _compiled(_REST + _ASSIGNED).match
        hit = lower.find(keyword)
        while hit >= 0:
            end = hit + len(keyword)
            match = assigned(lower, end)
            if match is None and lower.rfind(b"--", max(hit - LONGEST_NAME, 0), hit) >= 0:
                match = _compiled(_REST + _SPACED).match(lower, end)
            found = _assigned(text, hit, keyword, match, wish) if match else None
            if found:
                yield found
            hit = lower.find(keyword, found.end if found else end)


def _assigned(
    text: bytes, hit: int, keyword: bytes, match: re.Match[bytes], wish: DiscretionSettings
) -> Finding | None:
    """Return the value behind a name, if it could be a secret, and is written out.

    The keyword of the name is at ``hit``; the match, in the text in small letters, is what comes behind it.
    """
    kind = match.lastgroup or ""
    value = match[kind]
    if _compiled(_UNTOLD).match(value) or len(set(value)) < _FEWEST_CHARACTERS or value.rstrip(_DIGITS) in _ALL_NAMES:
        return None
    if value[0] in _NUMERIC and not keyword.startswith(b"pass") and _compiled(_NUMBER).fullmatch(value):
        return None
    first, end = match.span(kind)
    is_evident = kind in _EXPLICIT and b"." not in value and value.translate(None, _DIGITS) != value
    if (wish.allow or not is_evident) and not _is_of_name(text, hit, keyword, match, wish):
        return None
    is_cut = kind != "quoted" and end - first == _LONGEST_PLAIN
    return Finding("named", first, _end(_DELIMITED + b"*", text, end) if is_cut else end)


def _is_of_name(text: bytes, hit: int, keyword: bytes, match: re.Match[bytes], wish: DiscretionSettings) -> bool:
    """Tell whether a value is a secret behind just this name."""
    kind = match.lastgroup or ""
    before = match.string[max(hit - LONGEST_NAME, 0) : hit]
    start = hit - len(before) + len(before.rstrip(_NAME_CHARACTERS))
    if kind == "spaced" and text[start : start + 2] != b"--":
        return False
    name = text[start : match.end("name")].lstrip(b"-")
    if wish.allow and name.decode("utf-8", "replace") in wish.allow:
        return False
    first, end = match.span(kind)
    form = "alone" if kind == "loose" and _fills_its_line(text, start, end) else kind
    return _is_literal(text[first:end], form, keyword, is_variable=name.isupper())


def _fills_its_line(text: bytes, start: int, end: int) -> bool:
    """Tell whether there is nothing else in a line, as in one of a settings file, or of a patch to such a file."""
    before = text[max(start - LONGEST_NAME, 0) : start].rstrip(b" \t+-")
    after = text[end : end + LONGEST_NAME].lstrip(b" \t")
    return before[-1:] in b"\r\n" and after[:1] in b"\r\n"


_REST = rb"(?P<name>(?:[_-]?(?:access|key|secret|token|value|\d{1,3})){0,8}+)(?![\w-])"
"""What may end a name, behind a keyword; the patterns of values stand behind it."""
_ASSIGNED = (
    rb"(?:=(?P<tight>%(it)s{4,64}+)(?![(\[{<])"
    rb"|(?:\\?[\"'])?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}[bruf]?(?P<quote>\\?[\"'])"
    rb"(?P<quoted>[^\s\"'\\\0]{4,512}+)(?P=quote)"
    rb"|(?:\\?[\"'])?[ \t]{0,4}[:=][ \t]{1,4}(?P<loose>%(it)s{8,64}+)(?![(\[{<])"
    rb"|>(?P<enclosed>%(it)s{4,64}+)</)"
) % {b"it": _DELIMITED}
_SPACED = rb"[ \t]{1,4}[\"']?(?P<spaced>(?![-=:])%(it)s{4,64}+)(?![(\[{<])" % {b"it": _DELIMITED}


def _is_literal(value: bytes, kind: str, keyword: bytes, *, is_variable: bool) -> bool:
    """Tell whether a value is written out, and no name of something."""
    plain = value.lower()
    has_digit = plain.translate(None, _DIGITS) != plain
    if is_variable and kind in _EXPLICIT:
        return has_digit or not (_is_identifier(plain, b".") or any(name in plain for name in _NAMES))
    if kind == "quoted" and keyword != b"token":
        return has_digit or not any(name in plain for name in _NAMES)
    if kind == "alone" and keyword != b"token":
        return has_digit and not _is_identifier(plain, b".")
    if kind in {"alone", "loose"}:
        is_mixed = len(value) >= 16 and value not in (plain, value.upper())
        return has_digit and (is_mixed or not _is_identifier(plain))
    return not _is_identifier(plain, b".") and (has_digit or (len(plain) >= 8 and not _is_identifier(plain)))


def _is_identifier(value: bytes, within: bytes = b"") -> bool:
    """Tell whether a value is the name of something in a program, one with ``within`` in it."""
    return within in value and _compiled(rb"[a-z_]\w*(?:\.[a-z_]\w*)*\.?").fullmatch(value) is not None


_UNTOLD = (
    rb"[\[<{$%*=^~#]|\.\.\.|\.{0,2}/[a-z.]|v?\d+\.\d+(?:\.|$)|(?:https?|file)://"
    rb"|(?:none|null|true|false|undefined|redacted|your|example|xxx)"
)


def _apart(found: Iterable[Finding]) -> Iterator[Finding]:
    reached = 0
    for it in found:
        if it.start >= reached:
            yield it
        elif it.end > reached:
            yield Finding(it.rule, reached, it.end)
        reached = max(reached, it.end)


def _decided(text: bytes, found: tuple[Finding, ...]) -> int:
    """Return up to where nothing that may follow can make, or lengthen, a secret."""
    cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    tail = text[cut:]
    if not any(keyword in tail for keyword in _KEYWORDS) and not any(name in tail.lower() for name in _IN_ANY_CASE):
        cut = len(text) - _begun(tail)
    key = text.rfind(b"-----BEGIN", 0, cut)
    if key >= 0 and b" PRIVATE KEY" in text[key : key + LONGEST_NAME] and text.find(b"-----END", key, cut) < 0:
        cut = key
    cut = max(cut, len(text) - LONGEST_KEY)
    around = next((it for it in found if it.start < cut < it.end), None)
    if around is None:
        return cut
    return around.start if len(text) - around.start <= 2 * LONGEST_KEY else around.end


def _begun(tail: bytes) -> int:
    """Return how many bytes at the end may be the beginning of a keyword."""
    ends = (tail[-length:] for length in range(min(len(tail), _LONGEST_KEYWORD - 1), 0, -1))
    return next((len(end) for end in ends if any(word.startswith((end, end.lower())) for word in _ALL_KEYWORDS)), 0)


def _end(pattern: bytes, text: bytes, start: int) -> int:
    match = _compiled(pattern).match(text, start)
    return match.end() if match else start


def _is(pattern: bytes, text: str) -> bool:
    return _compiled(pattern).fullmatch(text.encode("utf-8", "surrogatepass")) is not None


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)
