"""Shapes: what tokens, and secrets that are told by their place, look like; nothing is told by how random it looks."""

import re
from collections.abc import Mapping
from functools import cache

LONGEST_KEY = 16 * 1024
"""Bytes of a private key; also those of an unfinished line that wait for its end."""


@cache
def compiled(pattern: bytes) -> re.Pattern[bytes]:
    """Return a pattern, which is compiled where it is first searched: few ever are."""
    return re.compile(pattern)


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

SHAPES: Mapping[str, tuple[tuple[bytes, bytes], ...]] = {
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

COMMANDS: tuple[str, ...] = tuple(keyword.decode() for keyword, _ in SHAPES["command-line"])
"""What a word begins with if the words behind it are judged with it."""
