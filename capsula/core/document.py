"""Documents: facts and a header as JSON text, and back.

Text that is not UTF-8 stands in a document with backslashes in place of the odd bytes; the exact bytes stand once, as
base64, under ``capsula.bytes``, keyed by the JSON pointer of the value (of a key: the pointer of its value, and ``#``).
"""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen
from returns.result import Failure, Result, Success

from capsula import __version__
from capsula.core.clock import stamp
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.settings import Durability

FORMAT = 1
HEADER = "capsula"

Document = dict[str, Json]


@frozen
class Header:
    """What a document says of itself, under the key ``capsula``."""

    id: str
    """128 random bits, as 32 hexadecimal digits: one for the three documents of a capsule."""
    taken: datetime
    """When it was taken; aware."""
    status: str | None = None
    """Of a run: ``running``, ``finished``, ``failed``, ...; left out: ``complete``, or ``partial`` with faults."""
    parent: str | None = None
    """Id of the capsule that this one was made inside of."""
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
        return facts | ({"parent": self.parent} if self.parent else {})


def document(fragment: Fragment, header: Header, more: Mapping[str, Json] | None = None) -> Document:
    """Return the document of a fragment; ``more`` joins the header."""
    facts = fragment.facts if isinstance(fragment.facts, Mapping) else {}
    return {**facts, HEADER: {**header.as_facts(fragment.faults), **(more or {})}}


def dumps(document: Mapping[str, Json]) -> bytes:
    """Return the text of a document, as UTF-8."""
    exact: dict[str, str] = {}
    plain = _escaped(document, "", exact)
    if exact and isinstance(plain, dict):
        plain[HEADER] = {**plain.get(HEADER, {}), "bytes": exact}
    return json.dumps(plain, indent=4, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def loads(text: bytes) -> Result[Document, Fault]:
    """Return the document of a text; every trouble of it is a fault of kind ``malformed``."""
    try:
        plain = json.loads(text, parse_constant=_refused_constant, object_pairs_hook=_without_duplicates)
        if not isinstance(plain, dict):
            return Failure(Fault("malformed", "a document is a JSON object"))
        exact = _exact(plain)
        return Success(_restored_table(plain, "", exact) if exact else plain)
    except RecursionError:
        return Failure(Fault("malformed", "nested too deep"))
    except (ValueError, Base64Error) as error:
        return Failure(Fault("malformed", str(error)))


def _escaped(value: Json, place: str, exact: dict[str, str]) -> object:
    if isinstance(value, str):
        return _readable(value, place, exact)
    if isinstance(value, Mapping):
        table: dict[str, object] = {}
        for key, part in value.items():
            shown = _distinct(_readable(key, "", {}), table) if not _is_plain(key) else key
            below = f"{place}/{_pointed(shown)}"
            if shown != key:
                exact[f"{below}#"] = _base64(key)
            table[shown] = _escaped(part, below, exact)
        return table
    if isinstance(value, Sequence):
        return [_escaped(part, f"{place}/{index}", exact) for index, part in enumerate(value)]
    return value


def _restored_table(table: Mapping[str, object], place: str, exact: Mapping[str, str]) -> Document:
    return {
        _text(exact[f"{below}#"]) if f"{below}#" in exact else key: _restored(part, below, exact)
        for key, part in table.items()
        for below in (f"{place}/{_pointed(key)}",)
        if below != f"/{HEADER}/bytes"
    }


def _restored(value: object, place: str, exact: Mapping[str, str]) -> Json:
    if isinstance(value, dict):
        return _restored_table(value, place, exact)
    if isinstance(value, list):
        return [_restored(part, f"{place}/{index}", exact) for index, part in enumerate(value)]
    if isinstance(value, str) and place in exact:
        return _text(exact[place])
    return value  # type: ignore[return-value]  # what json.loads answers with is Json


def _exact(plain: Mapping[str, object]) -> Mapping[str, str]:
    header = plain.get(HEADER)
    exact = header.get("bytes", {}) if isinstance(header, dict) else {}
    if not isinstance(exact, dict) or not all(isinstance(text, str) for text in exact.values()):
        raise ValueError("capsula.bytes is not a table of texts")
    return exact


def _readable(text: str, place: str, exact: dict[str, str]) -> str:
    if _is_plain(text):
        return text
    exact[place] = _base64(text)
    return _encoded(text).decode("utf-8", "backslashreplace")


def _is_plain(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _distinct(shown: str, table: Mapping[str, object]) -> str:
    while shown in table:
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


def _without_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return table
