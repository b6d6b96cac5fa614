"""Secrets in text: tokens by their exact shape, values by the names before them; nothing by how random it looks.

Keywords are searched first, which is fast, and the patterns that begin with one are compiled, and searched, only where
it stands. Each pattern is bounded, or takes what no other hit of its keyword will look at again: the cost is linear in
the text. What a pattern can tell is not judged again in Python, where it would take ten times as long.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import NamedTuple

from capsula.core.settings import DiscretionSettings
from capsula.core.variables import is_secret, names_secret

LONGEST_KEY = 16 * 1024
"""Bytes of a private key; also those of an unfinished line that wait for its end."""
LONGEST_NAME = 64
_LONGEST_CONTEXT = 256
"""Bytes before a line that may tell of a secret in it."""


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
        return _beneath(_STYLE, text, wish)
    if b"\0" in text and _compiled(_WIDE).search(text):
        return _beneath(_HALF, text, wish)
    return _found(text, wish)


def _beneath(cover: bytes, text: bytes, wish: DiscretionSettings | None) -> tuple[Finding, ...]:
    """Return the secrets of a text with something in between that is not of it.

    A terminal shows it in colours, of which name, sign and value often have three; or it is UTF-16.
    """
    found = _found(_compiled(cover).sub(b"", text), wish)
    if not found:
        return ()
    covers = [match.span() for match in _compiled(cover).finditer(text)]
    taken = [0, *accumulate(end - start for start, end in covers)]
    places = [start - before for (start, _), before in zip(covers, taken, strict=False)]

    def placed(position: int) -> int:
        return position + taken[bisect_right(places, position)]

    return tuple(Finding(it.rule, placed(it.start), placed(it.end - 1) + 1) for it in found)


def _found(text: bytes, wish: DiscretionSettings | None) -> tuple[Finding, ...]:
    there = _there(text)
    if not there:
        return ()
    wish = wish or DiscretionSettings()
    lower = text.lower()
    places = [
        (start, -end, order)
        for order, rule in enumerate(RULES)
        if wish.watches(rule)
        for start, end in (
            _named(text, lower, there, wish) if rule == "named" else _shaped(_TOKENS[rule], text, lower, there)
        )
    ]
    places.sort()  # of those that begin at one place the longest comes first
    return tuple(_apart(places))


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
    return repr((_TOKENS, _STYLE, *(_behind(name, is_option=True) for name in _NAMES)))


_STYLE = rb"(?:\x1b|\\(?:u001b|x1b|033))\[[\d;:]{0,32}[mK]"
"""What gives a text on a terminal its colours, as it is or as it stands in a JSON or a program."""
_SIGNS_OF_STYLE = (b"\x1b[", b"1b[", b"033[")
_HALF = rb"(?<!\0)\0(?!\0)"
"""What UTF-16 has beside each Latin character."""
_WIDE = rb"(?:[^\0]\0){8}|(?:\0[^\0]){8}"
"""How UTF-16 is known, with and without what it may begin with."""


def _alone(keyword: bytes, rest: bytes, before: bytes = rb"\w-") -> tuple[bytes, bytes]:
    r"""Return the shape of what stands behind none of some bytes; the end of a line, ``\n``, may be written out."""
    it = re.escape(keyword)
    return keyword, rb"%b(?:(?<![%b]%b)|(?<=\\[nrt]%b))%b" % (it, before, it, it, rest)


def _parameter(keyword: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return the shape of the value of a parameter in a URL; in a JSON, a sign before it may be written out."""
    return keyword, rb"%b(?:(?<=[?&;]%b)|(?<=u0026%b))(?:%b)" % (keyword, keyword, keyword, value)


def _option(program: bytes, rest: bytes, option: bytes, user: bytes = b"") -> tuple[bytes, bytes]:
    """Return the shape of a secret behind an option of a program; between two words is a blank, or a zero."""
    between = rb"(?:(?!%b)(?:[^\n|;&]|[;&](?!\s))){0,1024}?" % program
    word = rb"(?![$<{*\[-]|(?i:pass(?:word|wd)?|secret)\b)([^\s\0\"'`;|&<>(){}\\]{3,256})"
    quoted = rb"'%b(?!\[redacted )([^'\0\n]{3,256})'|\"%b(?!\$|\[redacted )([^\"\0\n]{3,256})\"" % (user, user)
    value = rb"(?:%b|%b%b)" % (quoted, user, word)
    return program, rb"%b(?<![\w-]%b)%b(?=[\s\0])%b[\s\0]%b%b" % (program, program, rest, between, option, value)


_USER = rb"[^\s\0\"'`:%$;|&<>{}/-][^\s\0\"'`:%$;|&<>{}/]{0,128}"
_REGISTRY_CLIENTS = (b"docker", b"podman")
_BASE64 = rb"[A-Za-z0-9+/]"
_BASE64_OF_USER = (
    rb"(?=(?:%(it)b{4}){0,1024}?(?:O[g-v]|%(it)b[DTjz][o-r]|%(it)b{2}[AEIMQUYcgkosw048]6))"
    rb"(?:%(it)b{4}){2,1024}(?:%(it)b{2}==|%(it)b{3}=)?(?![A-Za-z0-9+/=])"
) % {b"it": _BASE64}
"""A text with a colon in it, as of a user and a password: at each of three places a colon looks in its own way."""

_TOKENS: Mapping[str, tuple[tuple[bytes, bytes], ...]] = {
    "aws": tuple(_alone(word, rb"[A-Z0-9]{16}(?![A-Za-z0-9])", rb"A-Za-z0-9") for word in (b"AKIA", b"ASIA")),
    "github": (
        *((b"gh%c_" % kind, rb"gh%c_[A-Za-z0-9]{36,255}" % kind) for kind in b"opusr"),
        (b"github_pat_", rb"github_pat_\w{22,255}"),
    ),
    "gitlab": tuple((b"gl%b-" % kind, rb"gl%b-[\w-]{20,255}" % kind) for kind in (b"pat", b"ptt", b"rt", b"dt")),
    "slack": (
        (b"xox", rb"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
        (b"xapp-", rb"xapp-\d-[A-Z0-9]{8,16}-\d{8,16}-[0-9a-f]{32,128}"),
        (b"hooks.slack.com/services/", rb"hooks\.slack\.com/services/([A-Za-z0-9/]{20,255})"),
    ),
    "stripe": tuple((b"%ck_live_" % kind, rb"%ck_live_[A-Za-z0-9]{16,255}" % kind) for kind in b"rs"),
    "google": (
        _alone(b"AIza", rb"[\w-]{35}(?![\w-])", rb"A-Za-z0-9"),
        (b"GOCSPX-", rb"GOCSPX-[\w-]{28}"),
        (b"ya29.", rb"ya29\.[\w-]{20,2048}"),
    ),
    "openai": (_alone(b"sk-", rb"(?:(?:proj|svcacct|admin)-[\w-]{20,255}|[A-Za-z0-9]{32,255})"),),
    "anthropic": ((b"sk-ant-", rb"sk-ant-[\w-]{20,255}"),),
    "huggingface": (_alone(b"hf_", rb"[A-Za-z0-9]{34,64}"),),
    "npm": (
        (b"npm_", rb"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
        (b"_auth", rb"_auth[ \t]?=[ \t]?[\"']?(" + _BASE64_OF_USER + rb")"),
    ),
    "pypi": ((b"pypi-AgE", rb"pypi-AgE[\w-]{16,1024}"),),
    "sendgrid": ((b"SG.", rb"SG\.[\w-]{16,32}\.[\w-]{32,64}"),),
    "twilio": (_alone(b"SK", rb"[0-9a-f]{32}(?![0-9A-Za-z])", rb"A-Za-z0-9"),),
    "digitalocean": tuple((b"do%c_v1_" % kind, rb"do%c_v1_[0-9a-f]{64}" % kind) for kind in b"opr"),
    "databricks": ((b"dapi", rb"dapi[0-9a-f]{32}(?![0-9a-f])"),),
    "docker": (
        (b"dckr_pat_", rb"dckr_pat_[\w-]{20,255}"),
        (b'"auth"', rb'"auth"[ \t]?:[ \t]?"(' + _BASE64_OF_USER + rb')"'),
    ),
    "hashicorp": (
        (b"hvs.", rb"hvs\.[\w-]{24,255}"),
        _alone(b"hvb.", rb"[\w-]{138,300}"),
        (b".atlasv1.", rb"\.atlasv1\.(?<=[A-Za-z0-9]{14}.{9})([\w=-]{60,70})"),
    ),
    "age": ((b"AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[0-9AC-HJ-NP-Z]{58}"),),
    "atlassian": ((b"ATATT3", rb"ATATT3[\w=-]{180,200}"),),
    "discord": ((b"/api/webhooks/", rb"/api/webhooks/\d{17,20}/([\w-]{60,100})"),),
    "doppler": (_alone(b"dp.", rb"(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}(?!\w)"),),
    "figma": (_alone(b"figd_", rb"[\w-]{40,64}"),),
    "grafana": (
        _alone(b"glsa_", rb"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}(?!\w)"),
        _alone(b"glc_", rb"[A-Za-z0-9+/]{32,400}={0,3}"),
    ),
    "groq": (_alone(b"gsk_", rb"[A-Za-z0-9]{52}(?!\w)"),),
    "kaggle": (_alone(b"KGAT_", rb"[0-9a-f]{32}(?!\w)"),),
    "langsmith": (_alone(b"lsv2_", rb"(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}(?!\w)"),),
    "linear": (_alone(b"lin_api_", rb"[A-Za-z0-9]{40}(?!\w)"),),
    "mailgun": ((b"api:key-", rb"api:(key-[0-9a-f]{32})(?!\w)"),),
    "new-relic": (_alone(b"NRAK-", rb"[A-Z0-9]{27}(?!\w)"),),
    "notion": (_alone(b"ntn_", rb"\d{11}[A-Za-z0-9]{35}(?!\w)"),),
    "nvidia": (_alone(b"nvapi-", rb"[\w-]{64}(?![\w-])"),),
    "onepassword": (_alone(b"ops_eyJ", rb"[\w+/-]{250,4096}={0,3}"),),
    "openrouter": (_alone(b"sk-or-v1-", rb"[0-9a-f]{64}(?!\w)"),),
    "perplexity": (_alone(b"pplx-", rb"[A-Za-z0-9]{48}(?!\w)"),),
    "planetscale": (_alone(b"pscale_", rb"(?:tkn|pw|oauth)_[\w=.-]{32,64}"),),
    "postman": (_alone(b"PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}(?!\w)"),),
    "pulumi": (_alone(b"pul-", rb"[0-9a-f]{40}(?!\w)"),),
    "replicate": (_alone(b"r8_", rb"[A-Za-z0-9]{37}(?!\w)"),),
    "rubygems": (_alone(b"rubygems_", rb"[0-9a-f]{48}(?!\w)"),),
    "sentry": (
        _alone(b"sntrys_eyJ", rb"[\w+/=-]{40,1024}"),
        _alone(b"sntryu_", rb"[0-9a-f]{64}(?!\w)"),
    ),
    "shopify": (_alone(b"shp", rb"(?:at|ca|pa|ss)_[0-9a-fA-F]{32}(?!\w)"),),
    "square": (_alone(b"sq0", rb"(?:atp-[\w-]{22}|csp-[\w-]{43})(?![\w-])"),),
    "tailscale": (_alone(b"tskey-", rb"(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,32}-[A-Za-z0-9]{20,96}"),),
    "telegram": ((b":AA", rb":(AA(?<=\d{8}.AA)[\w-]{33})(?![\w-])"),),
    "wandb": (_alone(b"wandb_v1_", rb"\w{77}(?!\w)"),),
    "xai": (_alone(b"xai-", rb"\w{80}(?!\w)"),),
    "signed-url": (
        _parameter(b"sig=", rb"([\w%+/-]{42,80}(?:=|%3[Dd]))"),
        _parameter(b"Signature=", rb"([\w%+/~-]{27,40}(?:=|%3[Dd])|[\w%+/~-]{170,1024})"),
        _parameter(b"X-Amz-Signature=", rb"([0-9a-f]{64}(?!\w))"),
        _parameter(b"X-Amz-Security-Token=", rb"([\w%+/=-]{64,4096})"),
        _parameter(b"X-Goog-Signature=", rb"([0-9a-f]{128,1024}(?!\w))"),
    ),
    "netrc": (
        (
            b"machine",
            (
                rb"machine(?<!\wmachine)[ \t]{1,8}[^\s\0]{1,128}\s{1,16}"
                rb"(?:(?:login|account)\s{1,16}[^\s\0]{1,128}\s{1,16}){1,2}"
                rb"password[ \t]{1,8}(?![$<{*\[])([^\s\0]{3,256})"
            ),
        ),
    ),
    "command-line": (
        _option(b"curl", b"", rb"(?:-[a-zA-Z]{0,8}[uU]|--user|--proxy-user)[=\s\0]{0,4}", _USER + b":"),
        *(_option(it, rb"(?:-?(?:dump|admin|import|check|show))?", rb"-p(?!ort\b)") for it in (b"mysql", b"mariadb")),
        _option(b"sshpass", b"", rb"(?<=sshpass.)-p[\s\0]{0,4}"),
        *(_option(it, rb"(?:[\s\0]-[^\s\0]{1,64}){0,4}+[\s\0]login", rb"-p[=\s\0]{1,4}") for it in _REGISTRY_CLIENTS),
        _option(b"redis-cli", b"", rb"-a[\s\0]{1,4}"),
        _option(b"ldap", b"(?:search|add|modify|delete|passwd|whoami)", rb"-w[\s\0]{0,4}"),
        _option(b"smbclient", b"", rb"(?:-U|--user)[=\s\0]{0,4}", _USER + b"%"),
        (
            b"pass:",
            (
                rb"pass:(?:(?<=-pass[\s\0]pass:)|(?<=-passin[\s\0]pass:)|(?<=-passout[\s\0]pass:))"
                rb"(?![$<{*\[])([^\s\0\"'`;|&]{3,256})"
            ),
        ),
    ),
    "azure": ((b"AccountKey=", rb"AccountKey=([A-Za-z0-9+/]{40,255}={0,2})"),),
    "jwt": (_alone(b"eyJ", rb"[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]*"),),
    "private-key": (
        (
            b" PRIVATE KEY",
            rb" PRIVATE KEY(?: BLOCK)?-----((?:\\[nr]|[\s\"'+,\\])*(?:[A-Z][\w-]+:|[A-Za-z0-9+/=]{16})"
            rb"(?:[^-\0]|-(?!----)){,%d})" % LONGEST_KEY,
        ),
    ),
    "authorization": (
        (b"bearer ", rb"bearer +([\w.~+/-]{12,4096}={0,2})"),
        (
            b"authorization",
            (
                rb"authorization\\?[\"']?[ \t]?[:=][ \t]?\\?[\"']?"
                rb"(?:basic|token|bearer) +([^\s\"'\\\0<{$%*\[][^\s\"'\\\0]{3,4096})"
            ),
        ),
    ),
    "cookie": (
        (
            b"cookie",
            (
                rb"cookie2?\\?[\"']?[ \t]?:[ \t]?\\?[\"']?[\w.!#$%&*+^|~-]{1,64}="
                rb"((?=[^\s;,\"'\\\0\d]{0,256}+\d)[^\s;,\"'\\\0<>{}]{16,4096})"
            ),
        ),
    ),
    "url-password": (
        (b"jdbc:oracle:", rb"jdbc:oracle:\w{3,6}:[^\s/@\"'\0]{1,128}+/(?![$*{<])([^\s@\"'\0]{1,256}+)@"),
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
    *(b"pass", b"pwd", b"apikey", b"api_key", b"api-key", b"access_key", b"accesskey", b"private_key", b"privatekey"),
)

RULES: tuple[str, ...] = (*_TOKENS, "named")
"""The names of all rules."""

PROSE_RULES: tuple[str, ...] = ("named", "command-line", "netrc", "cookie")
"""Those that tell a secret by what stands before it, as does whoever shows in code, or writes, how it is to be told."""

COMMANDS: tuple[str, ...] = tuple(keyword.decode() for keyword, _ in _TOKENS["command-line"])
"""What a word begins with if the words behind it are judged with it."""

_IN_ANY_CASE = (*_NAMES, b"bearer ", b"authorization", b"cookie")
_KEYWORDS = (b"-----BEGIN", *(keyword for shapes in _TOKENS.values() for keyword, _ in shapes))
_ALL_KEYWORDS = (*_KEYWORDS, *_NAMES)
_LONGEST_KEYWORD = max(map(len, _ALL_KEYWORDS))
_NAME_CHARACTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
_ENDS = rb"\s\"'`,;&()\[\]{}<>|\\\0"
_ENDS_OF_QUOTED = rb"\s\"'\\\0"


_DIGITS = b"0123456789"
_SETTING = b"setenv "
"""What some shells have before a name and its value."""
_SHORT = 16
"""Bytes of a line; where most are shorter, telling them apart takes longer than searching them all."""
_LOWER = bytes(range(256)).lower()
_FEWEST_CHARACTERS = 3
_FEWEST_MIXED = 16
_NUMBER = rb"[\d.,_]+(?:e-?\d+)?"
_LONGEST_PLAIN = 64
_LONGEST_QUOTED = 512
_ANY_NAME = b"|".join(name for name in _NAMES if name != b"pass")
_WITH_WORDS = frozenset({b"token", b"pass"})
"""Names that have a word behind them more often than a secret."""
_PASSWORDS = frozenset({b"password", b"passwd", b"passphrase", b"pwd"})
"""Names behind which a number is a secret too."""
_SHORT_NAMES = frozenset({b"pass", b"pwd"})
"""Names that are ones only if nothing stands behind them, and not everything before them."""
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
            for match in _compiled(pattern).finditer(searched, first) if first >= 0 else ():
                yield match.span(match.lastindex or 0)


def _named(text: bytes, lower: bytes, there: Collection[bytes], wish: DiscretionSettings) -> Iterator[tuple[int, int]]:
    """Yield the literal values behind secret names: ``NAME=value``, ``--name value``, ``"name": "value"``."""
    is_option = b"--" in text or _SETTING in text
    for keyword in (name for name in _NAMES if name in there):
        first = _compiled(_name(keyword) + _SIGN).search(lower)  # what a value looks like takes long to compile
        if first is None:
            continue
        reached = 0
        for match in _compiled(_behind(keyword, is_option=is_option)).finditer(lower, first.start()):
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


def _behind(keyword: bytes, *, is_option: bool) -> bytes:
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
    return _compiled(rb"[a-z_]\w*(?:\.[a-z_]\w*)*\.?").fullmatch(value) is not None


def _is_dotted(value: bytes) -> bool:
    return b"." in value and _is_identifier(value)


def _apart(places: Iterable[tuple[int, int, int]]) -> Iterator[Finding]:
    reached = 0
    for start, negative_end, order in places:
        end = -negative_end
        if end > reached:
            yield Finding(RULES[order], max(start, reached), end)
            reached = end


def _decided(text: bytes, found: tuple[Finding, ...]) -> int:
    """Return up to where nothing that may follow can make, or lengthen, a secret."""
    cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    tail = text[cut:]
    if not _may_hold(tail):
        cut = len(text) - _begun(tail)
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


@cache
def _beginnings() -> frozenset[bytes]:
    return frozenset(keyword[:length] for keyword in _ALL_KEYWORDS for length in range(1, len(keyword)))


def _end(pattern: bytes, text: bytes, start: int) -> int:
    match = _compiled(pattern).match(text, start)
    return match.end() if match else start


def _is(pattern: bytes, text: str) -> bool:
    return _compiled(pattern).fullmatch(text.encode("utf-8", "surrogatepass")) is not None


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)
