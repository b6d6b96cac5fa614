"""Values behind the names of secrets: ``NAME=value``, ``--name value``, ``"name": "value"``, and the like."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from capsula.core.settings import DiscretionSettings
from capsula.core.shapes import compiled
from capsula.core.variables import names_secret

LONGEST_NAME = 64
"""Bytes before a word of a secret's name that may be of that name."""

NAMES = (
    *(b"token", b"secret", b"password", b"passwd", b"passphrase", b"credentials", b"credential"),
    *(b"pass", b"pwd", b"apikey", b"api_key", b"api-key", b"access_key", b"accesskey", b"private_key", b"privatekey"),
)
"""Words that make a name one of a secret, in small letters."""

_NAME_CHARACTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_ENDS = rb"\s\"'`,;&()\[\]{}<>|\\\0"
_ENDS_OF_QUOTED = rb"\s\"'\\\0"
_DIGITS = b"0123456789"
_SETTING = b"setenv "
"""What some shells have before a name and its value."""
_FEWEST_CHARACTERS = 3
_FEWEST_MIXED = 16
_NUMBER = rb"[\d.,_]+(?:e-?\d+)?"
_LONGEST_PLAIN = 64
_LONGEST_QUOTED = 512
_ANY_NAME = b"|".join(name for name in NAMES if name != b"pass")
_WITH_WORDS = frozenset({b"token", b"pass"})
"""Names that have a word behind them more often than a secret."""
_PASSWORDS = frozenset({b"password", b"passwd", b"passphrase", b"pwd"})
"""Names behind which a number is a secret too."""
_SHORT_NAMES = frozenset({b"pass", b"pwd"})
"""Names that are ones only if nothing stands behind them, and not everything before them."""


def assigned(
    text: bytes, lower: bytes, there: Collection[bytes], wish: DiscretionSettings
) -> Iterator[tuple[int, int]]:
    """Yield where the values behind secret names are in a text, which is given in small letters, too.

    ``there`` are the words of names that may stand in it.
    """
    is_option = b"--" in text or _SETTING in text
    for keyword in (name for name in NAMES if name in there):
        first = compiled(_name(keyword) + _SIGN).search(lower)  # what a value looks like takes long to compile
        if first is None:
            continue
        reached = 0
        for match in compiled(behind(keyword, is_option=is_option)).finditer(lower, first.start()):
            kind = match.lastgroup or ""
            if match.start() < reached or len(set(match[kind])) < _FEWEST_CHARACTERS:
                continue
            is_sure = kind in _SURE and not wish.allow and keyword not in _SHORT_NAMES
            if is_sure or _is_of_name(match, text, keyword, wish):
                start, end = match.span(kind)
                if end - start == _LONGEST_PLAIN and "quoted" not in kind:
                    end = _end(b"[^%b]*" % _ENDS, text, end)
                yield start, end
                reached = end


def _is_of_name(match: re.Match[bytes], text: bytes, keyword: bytes, wish: DiscretionSettings) -> bool:
    """Tell whether a value is a secret behind just this name; the match is in small letters."""
    kind = match.lastgroup or ""
    value, (hit, name_end) = match[kind], match.span()
    start = hit
    if match.string[hit - 1 : hit] in _NAME_CHARACTERS:
        before = match.string[max(hit - LONGEST_NAME, 0) : hit]
        start -= len(before) - len(before.rstrip(_NAME_CHARACTERS))
    if kind == "spaced" and text[start : start + 2] != b"--" and not text.endswith(_SETTING, 0, start):
        return False
    name = text[start:name_end]
    if wish.allow and name.lstrip(b"-").decode("utf-8", "replace") in wish.allow:
        return False
    if keyword in _SHORT_NAMES and not _is_short_name(name, kind):
        return False
    if kind in _SURE:
        return True
    if kind == "loose":
        first, end = match.span(kind)
        if keyword != b"token" and _fills_its_line(text, start, end):
            return not _is_dotted(value)
        return len(value) >= _FEWEST_MIXED and text[first:end] not in (value, value.upper())
    has_digit = value.translate(None, _DIGITS) != value
    if kind in _EXPLICIT and name.isupper():
        return has_digit or not _is_dotted(value)
    if kind == "quoted" and keyword not in _WITH_WORDS:
        return True
    return (has_digit or (len(value) >= 8 and not _is_identifier(value))) and not _is_dotted(value)


@lru_cache(1024)
def _is_short_name(name: bytes, kind: str) -> bool:
    """Tell whether a name with a short word for a password is one; ``PASS: it`` is what a test says."""
    known = name.lower().lstrip(b"-").decode("utf-8", "replace")
    return names_secret(known) and not (known == "pass" and "loose" in kind)


def _fills_its_line(text: bytes, start: int, end: int) -> bool:
    """Tell whether there is but a comment in a line, as in one of a settings file, or of a patch to such a file."""
    before = text[max(start - LONGEST_NAME, 0) : start].rstrip(b" \t+-")
    after = text[end : end + LONGEST_NAME]
    rest = after.lstrip(b" \t")
    return before[-1:] in b"\r\n" and (rest[:1] in b"\r\n" or (rest[:1] == b"#" and rest != after))


_REST = rb"(?:[_-]?(?:access|key|secret|token|value|base|\d{1,3})){0,8}+(?![\w-])"
"""What may end a name, behind a keyword; the patterns of values stand behind it, and look ahead alone."""


def behind(keyword: bytes, *, is_option: bool) -> bytes:
    """Return what a keyword, the rest of its name and a value that could be a secret look like, in small letters."""
    plain, quoted = _parts(_ENDS, _LONGEST_PLAIN, keyword), _parts(_ENDS_OF_QUOTED, _LONGEST_QUOTED, keyword)
    values = [_TIGHT % plain, _QUOTED % quoted, _LOOSE % plain, _ENCLOSED % plain]
    if keyword in _PASSWORDS:
        values.append(_SAID % quoted)
    if is_option:
        values.append(_SPACED % plain)
    return _name(keyword) + b"(?=" + b"|".join(values) + b")"


def _name(keyword: bytes) -> bytes:
    return keyword + (rb"(?![\w-])" if keyword in _SHORT_NAMES else _REST)


def _parts(ends: bytes, longest: int, keyword: bytes) -> Mapping[bytes, bytes]:
    """Return the parts of the patterns of values that any of some bytes ends; names in one speak of a secret."""
    parts = {b"it": b"[^%b]" % ends, b"digit": rb"(?=[^%b\d]{0,%d}+\d)" % (ends, longest - 1)}
    untold = _UNTOLD if keyword in _PASSWORDS else _UNTOLD + rb"|%b(?!%%(it)b)" % _NUMBER
    return {
        **parts,
        b"told": b"(?!%b)" % (untold % parts),
        b"unnamed": rb"(?!%b{0,63}?(?:%b|%b))" % (parts[b"it"], _ANY_NAME, keyword),
        b"undotted": rb"(?!%b(?!%b))" % (_DOTTED, parts[b"it"]),
        b"no_word": rb"(?![a-z_]\w*+(?!%b))" % parts[b"it"],
    }


_UNTOLD = (
    rb"[\[<{$%%*=^~#]|\.\.\.|\.{0,2}/[a-z.]|v?\d+\.\d+(?:\.|(?!%(it)b))|(?:https?|file)://"
    rb"|(?:none|null|true|false|undefined|redacted|your|example|xxx)"
    rb"|(?:" + _ANY_NAME + rb")\d*+(?!%(it)b)"
)
_SIGN = rb"[ \t\"'\\<=>:]"
"""What each of the patterns of values begins with."""
_TIGHT = rb"=%(told)b(?:(?P<sure>%(digit)b%(undotted)b%(it)b{4,64}+)|(?P<tight>%(unnamed)b%(it)b{4,64}+))(?![(\[{<])"
_QUOTED = (
    rb"(?:\\?[\"']\]?)?[ \t]{0,4}(?:=>|:=|<-|value=|[:=])[ \t]{0,4}[bruf]?(?P<quote>\\?[\"'])%(told)b"
    rb"(?:(?P<sure_quoted>%(digit)b%(undotted)b%(it)b{4,512}+)|(?P<quoted>%(unnamed)b%(it)b{4,512}+))(?P=quote)"
)
_LOOSE = (
    rb"(?:\\?[\"'])?[ \t]{0,4}[:=][ \t]{1,4}%(told)b%(digit)b"
    rb"(?:(?P<sure_loose>%(no_word)b%(undotted)b%(it)b{8,64}+)|(?P<loose>%(it)b{8,64}+))(?![(\[{<])"
)
_ENCLOSED = rb">%(told)b(?P<enclosed>%(it)b{4,64}+)</"
_SPACED = rb"[ \t]{1,4}[\"']?(?![-=:])%(told)b(?P<spaced>%(it)b{4,64}+)(?![(\[{<])"
_SAID = rb"[ \t]{1,4}(?P<sign>[\"'])%(told)b(?P<sure_said_quoted>%(digit)b%(it)b{4,512}+)(?P=sign)"
_SURE = frozenset({"sure", "sure_quoted", "sure_loose", "sure_said_quoted"})
_EXPLICIT = frozenset({"tight", "quoted"})
_DOTTED = rb"[a-z_]\w*+\.(?:[a-z_]\w*+\.)*+(?:[a-z_]\w*+)?"


def _is_identifier(value: bytes) -> bool:
    """Tell whether a value is the name of something in a program, or of a part of it."""
    return compiled(rb"[a-z_]\w*(?:\.[a-z_]\w*)*\.?").fullmatch(value) is not None


def _is_dotted(value: bytes) -> bool:
    return b"." in value and _is_identifier(value)


def _end(pattern: bytes, text: bytes, start: int) -> int:
    match = compiled(pattern).match(text, start)
    return match.end() if match else start
