"""Documents: facts and a header as JSON text, and back.

Text that is not UTF-8 stands in a document with backslashes in place of the odd bytes; the exact bytes stand once, as
base64, under ``capsula.bytes``, keyed by the JSON pointer of the value (of a key: ``#`` and the pointer of its value).
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from json.encoder import encode_basestring
from math import isfinite
from typing import NamedTuple, TypeVar

from returns.result import Failure, Result, Success

from capsula import __version__
from capsula.core.clock import stamp
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.settings import Durability

FORMAT = 1
HEADER = "capsula"
LARGEST = 256 * 1024 * 1024
"""Bytes of a document that is read; a million files, and all the output that a record may hold, take fewer."""

DEEPEST = 256
"""Tables and lists around a value of a document; reading and writing would exhaust the stack somewhere beyond."""

Document = dict[str, Json]
Value = TypeVar("Value")

_BYTES = f"/{HEADER}/bytes"
_TOO_DEEP = Fault("malformed", f"holds more than {DEEPEST} values inside one another")


class Header(NamedTuple):
    """What a document says of itself, under the key ``capsula``."""

    id: str
    """128 random bits, as 32 hexadecimal digits: one for the three documents of a capsule."""
    taken: datetime
    """When it was taken; aware."""
    status: str | None = None
    """Of a run: ``running``, ``finished``, ``failed``, ...; left out: ``complete``, or ``partial`` with faults."""
    parent: str | None = None
    """Id of the capsule that this one was made inside of."""
    reproduces: str | None = None
    """Id of the capsule whose run this one repeats."""
    durability: Durability = "full"
    """``full``: synchronised to the disk; ``fast``: safe against a crash of the process, not of the power."""

    def as_facts(self, faults: Sequence[Fault]) -> Document:
        """Return the header as it stands in a document."""
        facts: Document = {
            "format": FORMAT,
            "version": __version__,
            "id": self.id,
            "taken": stamp(self.taken),
            "status": self.status or ("partial" if faults else "complete"),
            "durability": self.durability,
            "faults": [fault.as_facts() for fault in faults],
        }
        related = {"parent": self.parent, "reproduces": self.reproduces}
        return facts | {name: identity for name, identity in related.items() if identity}


def document(fragment: Fragment, header: Header, more: Mapping[str, Json] | None = None) -> Document:
    """Return the document of a fragment; ``more`` joins the header."""
    facts = fragment.facts if isinstance(fragment.facts, Mapping) else {}
    return {**facts, HEADER: {**header.as_facts(fragment.faults), **(more or {})}}


def dumps(document: Mapping[str, Json]) -> bytes:
    """Return the text of a document, as UTF-8; no number in it is infinite or none, and it is not nested too deep."""
    try:
        return _encoded_json(document)
    except UnicodeEncodeError:
        exact: dict[str, str] = {}
        plain = _escaped_table(document, "", exact)
        header = plain.get(HEADER)
        plain[HEADER] = {**(header if isinstance(header, dict) else {}), "bytes": exact}
        return _encoded_json(plain)


def loads(text: bytes) -> Result[Document, Fault]:
    """Return the document of a text; every trouble of it is a fault of kind ``malformed``."""
    return parsed(text).bind(_unescaped)


def parsed(text: bytes) -> Result[Json, Fault]:
    """Return the value of a JSON text, if it is one that can be written again; else a fault of kind ``malformed``.

    Duplicate keys, numbers that are infinite or none, and more than ``DEEPEST`` values inside one another are refused.
    """
    try:
        value: Json = json.loads(
            text, parse_constant=_refused_constant, parse_float=_finite, object_pairs_hook=_without_duplicates
        )
    except RecursionError:
        return Failure(_TOO_DEEP)
    except ValueError as error:
        return Failure(Fault("malformed", str(error)))
    return Failure(_TOO_DEEP) if _is_too_deep(value) else Success(value)


def _encoded_json(value: Mapping[str, Json]) -> bytes:
    return f"{_written(value, _LINE)}\n".encode()


_LINE = "\n"
_DEEPER = "    "
_CONSTANTS = {None: "null", True: "true", False: "false"}
_number = json.JSONEncoder(allow_nan=False).encode


def _written(value: Json, line: str) -> str:
    """Return a value as JSON, whose lines but the first begin with ``line``: as ``json`` does, in half the time."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _number(value)
    deeper = line + _DEEPER
    if isinstance(value, dict) or (type(value) is not list and isinstance(value, Mapping)):
        members = [f"{deeper}{encode_basestring(key)}: {_written(part, deeper)}" for key, part in value.items()]
        return f"{{{','.join(members)}{line}}}" if members else "{}"
    parts = [deeper + _written(part, deeper) for part in value]
    return f"[{','.join(parts)}{line}]" if parts else "[]"


def _unescaped(plain: Json) -> Result[Document, Fault]:
    if not isinstance(plain, dict):
        return Failure(Fault("malformed", "a document is a JSON object"))
    try:
        exact = _exact(plain)
        return Success(_restored_table(plain, "", exact) if exact else plain)
    except ValueError as error:
        return Failure(Fault("malformed", str(error)))


def _escaped_table(table: Mapping[str, Json], place: str, exact: dict[str, str]) -> Document:
    taken = {key for key in table if _is_plain(key)}
    escaped: Document = {}
    for key, part in table.items():
        shown = key if _is_plain(key) else _distinct(_shown(key), taken)
        below = f"{place}/{_pointed(shown)}"
        if shown != key:
            taken.add(shown)
            exact[f"#{below}"] = _base64(key)
        escaped[shown] = _escaped(part, below, exact)
    return escaped


def _escaped(value: Json, place: str, exact: dict[str, str]) -> Json:
    if isinstance(value, str):
        if _is_plain(value):
            return value
        exact[place] = _base64(value)
        return _shown(value)
    if isinstance(value, Mapping):
        return _escaped_table(value, place, exact)
    if isinstance(value, Sequence):
        return [_escaped(part, f"{place}/{index}", exact) for index, part in enumerate(value)]
    return value


def _restored_table(table: Mapping[str, Json], place: str, exact: Mapping[str, str]) -> Document:
    places = {key: f"{place}/{_pointed(key)}" for key in table}
    restored: list[tuple[str, Json]] = [
        (_text(exact[f"#{below}"]) if f"#{below}" in exact else key, _restored(table[key], below, exact))
        for key, below in places.items()
        if below != _BYTES
    ]
    return _without_duplicates(restored)


def _restored(value: Json, place: str, exact: Mapping[str, str]) -> Json:
    if isinstance(value, dict):
        return _restored_table(value, place, exact)
    if isinstance(value, list):
        return [_restored(part, f"{place}/{index}", exact) for index, part in enumerate(value)]
    if isinstance(value, str) and place in exact:
        return _text(exact[place])
    return value


def _exact(plain: Mapping[str, Json]) -> Mapping[str, str]:
    header = plain.get(HEADER)
    exact = header.get("bytes", {}) if isinstance(header, dict) else {}
    texts = {place: text for place, text in exact.items() if isinstance(text, str)} if isinstance(exact, dict) else None
    if texts is None or texts != exact:
        raise ValueError("capsula.bytes is not a table of texts")
    return texts


def _shown(text: str) -> str:
    return _encoded(text).decode("utf-8", "backslashreplace")


def _is_plain(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _distinct(shown: str, taken: Collection[str]) -> str:
    while shown in taken:
        shown += "'"
    return shown


def _base64(text: str) -> str:
    return b64encode(_encoded(text)).decode()


def _text(exact: str) -> str:
    return b64decode(exact, validate=True).decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: it came from no file name or variable
        return text.encode("utf-8", "surrogatepass")


def _pointed(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _refused_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number


def _without_duplicates(pairs: Sequence[tuple[str, Value]]) -> dict[str, Value]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return table


def _is_too_deep(value: Json) -> bool:
    """Tell whether there are more levels of tables and lists than can be written; each turn goes one level down."""
    level: list[Json] = [value]
    for _ in range(DEEPEST + 1):
        level = [part for outer in level for part in _parts(outer)]
        if not level:
            return False
    return True


def _parts(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
