"""Withholding: which files are left out whole, for what they are named or for a secret in them."""

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from itertools import chain
from zlib import crc32

from capsula import __version__
from capsula.core.secrets import PROSE_RULES, Finding, Scan, findings, wording
from capsula.core.settings import DiscretionSettings, SourceSettings
from capsula.core.shapes import LONGEST_KEY, compiled

NAMED = "looks like a secret"
"""Why a file is withheld that is named like a secret."""

WITHHELD = "withheld"
"""The kind of the fault that a file has a secret in it."""


_FOLLOWED, _KEPT = DiscretionSettings(), SourceSettings()


class Withholding:
    """What is taken for a secret, in the name of a file and in its content.

    In code, in what is written about it and in what is made of it, a name like ``password`` is followed by anything,
    and a URL has a word for a password: there, only what no programmer makes up counts. In all other text all rules do.
    """

    def __init__(self, discretion: DiscretionSettings = _FOLLOWED, source: SourceSettings = _KEPT) -> None:
        self.discretion = discretion
        self.source = source

    def named(self, paths: Collection[bytes]) -> set[bytes]:
        """Return which of many files are withheld for their names."""
        return secrets(paths, self.source.withhold, self.source.keep)

    def why(self, path: bytes, parts: Iterable[bytes]) -> str | None:
        """Return why a file is withheld, if it is; its content is not read further than up to the first secret."""
        return NAMED if self.named((path,)) else self.why_content(path, parts)

    def why_content(self, path: bytes, parts: Iterable[bytes]) -> str | None:
        """Return why a file is withheld for what is in it, if it is."""
        if self.is_kept(path):
            return None
        remaining = iter(parts)
        beginning = next(remaining, b"")
        is_text = _is_text(beginning)
        is_code = path.lower().endswith(_CODE_ENDINGS) or not is_text
        wish = self._in_code if is_code else self.discretion
        texts: Iterator[bytes] = chain((path + b"\n" + beginning,), remaining)
        if not is_text:
            texts = _legible(texts)
        found = (it for text, it in _found(texts, wish) if not is_code or _is_real(it, text))
        first = next(found, None)
        return f"secret: {first.rule}" if first else None

    def why_size(self, size: int) -> str | None:
        """Return why a file of so many bytes is only listed, if it is."""
        limit = self.source.file_limit
        return f"is larger than {limit} bytes" if size > limit else None

    def is_kept(self, path: bytes) -> bool:
        """Tell whether a file is to be kept whatever it looks like."""
        return any(_fits(os.fsdecode(path), glob) for glob in self.source.keep)

    def token(self, path: bytes, identity: bytes) -> bytes:
        """Return what to know a content by that was judged at this place: its path was judged with it."""
        return identity + crc32(path).to_bytes(4)

    @property
    def fingerprint(self) -> bytes:
        """What tells these rules from others, of whatever version."""
        return sha256(
            f"{__version__} {wording()} {_CODE_ENDINGS} {self.discretion} {self.source}".encode(
                "utf-8", "surrogatepass"
            )
        ).digest()

    @cached_property
    def _in_code(self) -> DiscretionSettings:
        return self.discretion._replace(rules={**self.discretion.rules, **dict.fromkeys(PROSE_RULES, False)})


def is_secret(path: str, withhold: Sequence[str] = (), keep: Sequence[str] = ()) -> bool:
    """Tell whether a file is to be withheld for its name; the globs hold for its name or its whole path.

    >>> [is_secret(path) for path in ("a/.env", "key.pem", "credentials.json", "credentials.py", ".env.example")]
    [True, True, True, False, False]
    """
    if any(_fits(path, glob) for glob in keep):
        return False
    if any(_fits(path, glob) for glob in withhold):
        return True
    name = path.rpartition("/")[2]
    return bool(re.fullmatch(_PRIVATE_NAMES, name)) and not re.fullmatch(_HARMLESS_NAMES, name)


def secrets(paths: Collection[bytes], withhold: Sequence[str] = (), keep: Sequence[str] = ()) -> set[bytes]:
    """Return which of many files are to be withheld for their names."""
    if withhold:
        suspects: Iterable[bytes] = paths
    else:
        together = b"\0".join(paths).lower()
        words = [word for word in _TELLTALE_PARTS if word in together]
        suspects = [path for path in paths if any(word in path.lower() for word in words)] if words else ()
    return {path for path in suspects if is_secret(os.fsdecode(path), withhold, keep)}


_TELLTALE_PARTS = (
    *(b".env", b".pem", b".key", b".p12", b".pfx", b".p8", b".jks", b".keystore", b".kdb", b".ppk", b".ovpn"),
    *(b".agekey", b"id_rsa", b"id_dsa", b"id_ecdsa", b"id_ed25519", b"credential", b"secret", b"service", b"netrc"),
    *(b".pgpass", b".pypirc", b".npmrc", b".htpasswd", b".my.cnf", b".dockercfg"),
)
"""In the name of every file that looks like a secret stands one of these, which is quickly known of many names."""

_PRIVATE_NAMES = r"""(?isx)
    \.env | \.env\..* | .*\.env | \.envrc
    | .*\.(pem|key|p12|pfx|p8|jks|keystore|kdbx?|ppk|ovpn|agekey)
    | id_(rsa|dsa|ecdsa|ed25519)([_.-].*)?
    | .*credentials?(\..*)? | .*credentials?[_-].* | client_secrets?.* | secrets?(\..*)? | .*service[_-]account.*\.json
    | [._]netrc | \.pgpass | \.pypirc | \.npmrc | \.htpasswd | \.my\.cnf | \.git-credentials | \.dockercfg
    """
_HARMLESS_NAMES = r"""(?isx)
    .*[._-](example|sample|template|dist) | .*\.pub
    | .*\.(py|pyi|pyx|ipynb|r|rmd|jl|m|c|h|cc|cpp|cxx|hpp|f90|go|rs|java|kt|scala|js|jsx|ts|tsx|rb|pl|lua|sql
          |sh|html|css|md|rst|tex|txt)
    """
_CODE_ENDINGS = tuple(
    b"." + ending
    for ending in (
        b"py pyi pyx ipynb r rmd qmd jl m c h cc cpp cxx hpp cu cuh f90 go rs java kt scala js mjs cjs "
        b"jsx ts tsx rb pl pm lua sql php cs swift hs ml html css md rst tex diff patch"
    ).split()
)


_TELLING = 8000
"""Bytes of a file that tell, as they do git, whether it is a text: in none of them is a zero then."""


_READABLE = b"\0\t\n\r" + bytes(range(0x20, 0x7F))
_PASSAGE = rb"[\t\n\r -~][\0\t\n\r -~]{7,}"
"""Shorter than that is no secret."""


def _is_text(beginning: bytes) -> bool:
    return b"\0" not in beginning[:_TELLING] or beginning.startswith((BOM_UTF16_LE, BOM_UTF16_BE))


def _legible(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what of a content can be read, in one byte or two a character; the rest is searched five times as fast."""
    held = b""
    for part in parts:
        content = held + part
        gap = len(content.rstrip(_READABLE))
        cut = max(gap, len(content) - LONGEST_KEY)
        yield _passages(content[:cut]) + (b"\n" if cut == gap else b"")
        held = content[cut:]
    yield _passages(held)


def _passages(content: bytes) -> bytes:
    return b"\n".join(compiled(_PASSAGE).findall(content))


def _fits(path: str, glob: str) -> bool:
    return fnmatchcase(path.rpartition("/")[2], glob) or fnmatchcase(path, glob)


def _found(parts: Iterator[bytes], wish: DiscretionSettings) -> Iterator[tuple[bytes, Finding]]:
    """Yield the secrets of a content, each with the text that it stands in."""
    first, second = next(parts, b""), next(parts, None)
    if second is None:  # as with almost all: nothing has to be held back
        yield from ((first, it) for it in findings(first, wish))
        return
    scan = Scan(wish)
    for part in chain((first, second), parts, (None,)):
        text, found = scan.rest() if part is None else scan.fed(part)
        yield from ((text, it) for it in found)


def _is_real(it: Finding, text: bytes) -> bool:
    """Tell whether a secret in code is none that was made up to show what one looks like."""
    secret = text[it.start : it.end].lower()
    return b"example" not in secret and not (it.rule == "url-password" and secret.isalpha())
