"""Redaction: a mark stands in the place of a secret, and tells by which rule, and one secret from another."""

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple

from capsula.core.fault import Fault, Json, KeyPath
from capsula.core.secrets import Finding, Scan, findings, is_watched
from capsula.core.settings import DiscretionSettings
from capsula.core.shapes import COMMANDS, LONGEST_KEY
from capsula.core.variables import is_secret, names_about_secret, names_secret

DIGITS = 16
"""Hexadecimal digits that tell one secret from another."""

_MARK = re.compile(rf"\[redacted ([a-z-]+)(?: ([0-9a-f]{{{DIGITS}}}))?\]")

_DIGESTS: frozenset[KeyPath] = frozenset({("environment", "digests"), ("seals",)})
"""Where a document holds digests by the names of variables or files: they tell no value."""
_VARIABLES: frozenset[KeyPath] = frozenset({("environment_variables",), ("environment", "values")})
_SETTING = re.compile(r"(?P<name>-{0,2}[A-Za-z_][\w.-]*)=(?P<value>.+)", re.DOTALL)


class Redaction(NamedTuple):
    """How secrets are marked: which are to be found, and the key of the vault, without which marks tell no more."""

    wish: DiscretionSettings = DiscretionSettings()
    key: bytes | None = None
    known: tuple[bytes, ...] = ()
    """What is a secret wherever it stands."""

    def knowing(self, given: Mapping[str, Json]) -> "Redaction":
        """Return one that marks, wherever they stand, the secrets of what is given that names or places tell there.

        A word, a number and what is short are left out, and what its name, or how it looks, says is the name of
        something: they may well stand for anything else.
        """
        noting = _Noting(self.wish)
        noting.json(given)
        for name, value in given.items():
            if names_secret(name):
                noting.named(value, name)
        lines = {line.strip() for secret in noting.noted for line in secret.splitlines()}
        forms = {form for line in filter(_is_unlike_others, lines) for form in _forms(line)}
        return self._replace(known=tuple(sorted({*self.known, *forms})))

    def mark(self, rule: str, secret: bytes) -> bytes:
        """Return what stands in the place of a secret: ``[redacted RULE DIGEST]``.

        >>> Redaction().mark("named", b"hunter2")
        b'[redacted named]'
        """
        told = f"{rule} {self._digits(secret)}" if self.key else rule
        return f"[redacted {told}]".encode()

    def _digits(self, secret: bytes) -> str:
        return hmac.digest(self.key, secret, "sha256").hex()[:DIGITS] if self.key else ""

    def unmarked(self, text: str) -> str:
        """Return a text with those secrets in the place of their marks that are known."""
        there = {self._digits(secret): _decoded(secret) for secret in self.known}
        return _MARK.sub(lambda mark: there.get(mark[2], mark[0]), text)

    def marked(self, text: bytes, found: Iterable[Finding]) -> bytes:
        """Return the text with a mark in the place of each finding."""
        places = [(it.rule, text[it.start : it.end], it) for it in found]
        marks = {(rule, secret): self._mark(rule, secret) for rule, secret in {it[:2] for it in places}}
        parts: list[bytes] = []
        position = 0
        for rule, secret, it in places:
            parts += (text[position : it.start], marks[rule, secret])
            position = it.end
        return b"".join((*parts, text[position:]))

    def _mark(self, rule: str, secret: bytes) -> bytes:
        """Return the mark of a secret; in UTF-16, of whose last character half stands behind it, if that has zeros."""
        if b"\0" not in secret:
            return self.mark(rule, secret)
        return self.mark(rule, secret.replace(b"\0", b"")).decode().encode("utf-16-le")[:-1]

    def text(self, text: str) -> str:
        """Return a text with its secrets marked."""
        plain = _encoded(text)
        return _decoded(self.marked(plain, found)) if (found := findings(plain, self.wish, self.known)) else text

    def value(self, name: str, value: str) -> str:
        """Return the value of a variable, a parameter or an option; marked whole if the name says it is a secret."""
        if self._watches(name, value):
            return self.mark("named", _encoded(value)).decode()
        return self.text(value)

    def fault(self, fault: Fault) -> Fault:
        """Return a fault that tells no secret."""
        return fault._replace(
            message=self.text(fault.message), remedy=self.text(fault.remedy), path=tuple(map(self.text, fault.path))
        )

    def json(self, value: Json) -> Json:
        """Return a value with the secrets in all of its texts marked, and those whose key or option names them.

        All texts are searched at once: most of them have nothing that even looks like a secret, and most of a document
        stood in the one before it too. It is the very value that is returned if nothing in it is, tells or marks one.
        """
        harmless = _harmless(tuple(self.wish.rules.items()), self.wish.allow, self.known)
        texts = [text for text in dict.fromkeys(_texts(value)) if text not in harmless]
        plain = _BETWEEN.join(map(_encoded, texts))
        found = findings(plain, self.wish, self.known)
        dirty = {text: self.text(text) for text in _holding(texts, found)} if found else {}
        suspects = {text for text in texts if text in dirty or _may_tell(text)}
        if len(harmless) > _MOST_HARMLESS:
            harmless.clear()
        harmless.update(text for text in texts if len(text) <= _LONGEST_HARMLESS and text not in suspects)
        return self._json(value, dirty, ()) if suspects else value

    def named(self, value: Json, name: str) -> Json:
        """Return the value of a name that may be a secret's: all texts in it are marked then."""
        if isinstance(value, str):
            return self.value(name, value)
        if isinstance(value, Mapping):
            told = {"type", "length"} & value.keys() if value.keys() & _UNTOLD else frozenset[str]()
            return {key: part if key in told else self.named(part, name) for key, part in value.items()}
        if isinstance(value, Sequence):
            return [self.named(part, name) for part in value]
        if type(value) is int and self._watches(name, str(value)):
            return self.value(name, str(value))
        return value

    def _json(self, value: Json, dirty: Mapping[str, str], place: KeyPath) -> Json:
        if isinstance(value, str):
            return dirty.get(value, value)
        if isinstance(value, Mapping):
            if not _DIGESTS.isdisjoint((place[-1:], place[-2:])):
                return {dirty.get(key, key): digest for key, digest in value.items()}
            return {dirty.get(key, key): self._member(key, part, dirty, place) for key, part in value.items()}
        if isinstance(value, Sequence):
            return self._words(value, dirty, place)
        return value

    def _member(self, key: str, part: Json, dirty: Mapping[str, str], place: KeyPath) -> Json:
        if isinstance(part, str):
            is_secret = self._watches(key, part, is_variable=place in _VARIABLES)
            return self.mark("named", _encoded(part)).decode() if is_secret else dirty.get(part, part)
        if names_secret(key) and (isinstance(part, int) or (isinstance(part, Mapping) and part.keys() & _UNTOLD)):
            part = self.named(part, key)
        return self._json(part, dirty, (*place, key))

    def _words(self, words: Sequence[Json], dirty: Mapping[str, str], place: KeyPath) -> list[Json]:
        """Return the words of a command line, or any list: behind an option stands its value."""
        shown: list[Json] = []
        option = ""
        for word in self._commanded(words):
            is_option = isinstance(word, str) and word.startswith("-")
            if isinstance(word, str) and option and not is_option:
                shown.append(dirty.get(marked := self.value(option, word), marked))
            elif isinstance(word, str) and (setting := _SETTING.fullmatch(word)) and self._watches(*setting.groups()):
                shown.append(f"{setting['name']}={self.mark('named', _encoded(setting['value'])).decode()}")
            else:
                shown.append(self._json(word, dirty, place))
            option = word.lstrip("-") if isinstance(word, str) and is_option and "=" not in word else ""
        return shown

    def _commanded(self, words: Sequence[Json]) -> Sequence[Json]:
        """Return the words of a command line without what a program takes for a secret by its place among them."""
        texts = [word for word in words if isinstance(word, str) and "\0" not in word]
        if len(texts) < len(words) or not any(map(_is_command, texts)):
            return words
        line = _encoded("\0".join(texts))
        found = [it for it in findings(line, self.wish) if it.rule == "command-line"]
        return _decoded(self.marked(line, found)).split("\0") if found else words

    def _watches(self, name: str, value: str, *, is_variable: bool = False) -> bool:
        """Tell whether a value is a secret by its name."""
        return is_watched(name, value, self.wish, is_variable=is_variable)


class _Noting(Redaction):
    """One that notes what it marks, but for what its name may call a secret and is more likely to be a name itself."""

    def __init__(self, _: DiscretionSettings) -> None:
        self.noted: set[bytes] = set()

    def mark(self, rule: str, secret: bytes) -> bytes:
        self.noted.add(secret)
        return super().mark(rule, secret)

    def _watches(self, name: str, value: str, *, is_variable: bool = False) -> bool:
        if not super()._watches(name, value, is_variable=is_variable) or names_about_secret(name):
            return False
        is_vague = is_variable and (not names_secret(name) or name.upper().endswith("CREDENTIALS"))
        return not (is_vague and _is_name(value))


class Passage:
    """A stream on its way into a log: its beginning is searched as it comes, and its secrets are marked."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._scan = Scan(redaction.wish, redaction.known)
        self._unsearched = redaction.wish.scan_limit
        self._digest = hmac.new(redaction.key, digestmod="sha256") if redaction.key else None
        self.unscanned_from: int | None = None
        """Byte from which on nothing was searched; none if all was."""
        self.is_redacted = False

    @property
    def digest(self) -> str | None:
        """The keyed digest of what came, if the log does not hold that."""
        return self._digest.hexdigest() if self._digest and self.is_redacted else None

    def fed(self, chunk: memoryview) -> Iterator[bytes | memoryview]:
        """Yield what goes into the log now that a chunk came; of what is searched, a part may still be held back."""
        if self._digest:
            self._digest.update(chunk)
        searched, rest = chunk[: self._unsearched], chunk[self._unsearched :]
        if searched:
            self._unsearched -= len(searched)
            yield self._marked(*self._scan.fed(bytes(searched)))
        if rest:
            if self.unscanned_from is None:
                self.unscanned_from = self._redaction.wish.scan_limit
                yield self.rest()
                self._digest = self._digest if self.is_redacted else None
            yield rest

    def rest(self) -> bytes:
        """Return what was held back: nothing that is searched comes after it."""
        return self._marked(*self._scan.rest())

    def _marked(self, text: bytes, found: tuple[Finding, ...]) -> bytes:
        self.is_redacted = self.is_redacted or bool(found)
        return self._redaction.marked(text, found) if found else text


def redactions(value: Json) -> Iterator[tuple[KeyPath, str]]:
    """Yield the place and the rule of each mark in a value."""
    if any("[redacted " in text for text in _texts(value)):  # which is rare, and to know places takes its time
        yield from _marks(value, ())


def _marks(value: Json, place: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield from ((place, rule) for rule in dict.fromkeys(it[1] for it in _MARK.finditer(value)))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _marks(part, (*place, key))
    elif isinstance(value, Sequence):
        for index, part in enumerate(value):
            yield from _marks(part, (*place, str(index)))


def exposures(value: Json, wish: DiscretionSettings) -> tuple[tuple[KeyPath, str], ...]:
    """Return the place and the rule of each secret in a value that is not marked."""
    marked = frozenset(redactions(value))
    return tuple(it for it in redactions(Redaction(wish).json(value)) if it not in marked)


def is_redacted(text: str) -> bool:
    """Tell whether something was taken out of a text.

    >>> is_redacted("--password=[redacted named 0123456789abcdef]"), is_redacted("redacted")
    (True, False)
    """
    return _MARK.search(text) is not None


_UNTOLD = frozenset({"repr", "base64", "text", "fields"})
"""Keys that tell a value that is no JSON."""


@lru_cache(8)
def _harmless(_rules: tuple[tuple[str, bool], ...], _allow: tuple[str, ...], _known: tuple[bytes, ...]) -> set[str]:
    """Return the texts that, by these rules, are known to be no suspects; whoever searches another one adds it."""
    return set()


_BETWEEN = b"\0\0"
"""What stands between texts that are searched at once: with two zeros, short ones are not taken for UTF-16."""
_MOST_HARMLESS = 10_000
_LONGEST_HARMLESS = 200
"""Characters of a text that is worth its memory."""


_SHORTEST_KNOWN = 8
"""Bytes."""
_DIGITS = "0123456789"


def _is_unlike_others(secret: bytes) -> bool:
    """Tell whether a secret that stands somewhere else is likely to be meant there, too."""
    has_letters = secret.lower() != secret.upper()
    is_sign = secret.startswith((b"-----", b"<", b"[")) and secret.endswith((b"-----", b">", b"]"))
    return _SHORTEST_KNOWN <= len(secret) <= LONGEST_KEY and has_letters and not secret.isalpha() and not is_sign


def _forms(secret: bytes) -> set[bytes]:
    """Return how a secret may be written: as it is, and as a text in Python, as in a ``KeyError``, or in a JSON."""
    text = _decoded(secret)
    return {secret, *(_encoded(written(text)[1:-1]) for written in (repr, encode_basestring))}


def _is_name(value: str) -> bool:
    """Tell whether a value has nothing but words and numbers, as the names of models, runs and columns have.

    >>> _is_name("sub-01_run2/bert-base-7b.csv"), _is_name("3f9c1e7a-aa41")
    (True, False)
    """
    return all(
        not part.strip(_DIGITS) or part.rstrip(_DIGITS).isalpha() or part.lstrip(_DIGITS).isalpha()
        for part in re.split(r"[^\w\s]|_", value)
    )


def _may_tell(text: str) -> bool:
    """Tell whether a text may be the name of a secret, begin with one, or have a mark in it."""
    return "[redacted " in text or _is_command(text) or is_secret(text.replace("-", "_"), "")


def _is_command(word: str) -> bool:
    """Tell whether a word may be the name of a program that takes a secret."""
    return word.rpartition("/")[2].startswith(COMMANDS)


def _texts(value: Json) -> list[str]:
    """Return all texts in a value, in no order."""
    texts: list[str] = []
    parts: list[Json] = [value]
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif part is None or isinstance(part, (int, float)):
            continue
        elif isinstance(part, (dict, Mapping)):
            texts += part
            parts += part.values()
        else:
            parts += part
    return texts


def _holding(texts: Sequence[str], found: Iterable[Finding]) -> Iterator[str]:
    """Yield the texts in which something was found, when they stand one behind the other with zeros between them."""
    remaining = iter(found)
    finding = next(remaining, None)
    end = -len(_BETWEEN)
    for text in texts:
        end += len(_encoded(text)) + len(_BETWEEN)
        if finding is None:
            return
        if finding.start < end:
            yield text
        while finding is not None and finding.start < end:
            finding = next(remaining, None)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")
