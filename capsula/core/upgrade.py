"""Upgrading: documents of any format that ever was, as they would stand today; one function for each old format."""

import json
from collections.abc import Mapping
from hashlib import sha256
from signal import SIGINT, Signals

from returns.result import Failure, Result, Success

from capsula.core.document import FORMAT, HEADER, Document
from capsula.core.fault import Fault, Json

WITHOUT_FORMAT = "0.0.21"
"""The version whose documents have no header; they are of format 0."""

_ID_DIGITS = 32


def upgraded(documents: Mapping[str, Document]) -> dict[str, Result[Document, Fault]]:
    """Return the documents of one capsule in today's format, or why one has none.

    Those of format 0 get an id that is made of the first one's text, so it is the same whatever else is given; first
    comes what is written first: of a run, the record from before it. Faults: ``newer``, ``malformed``.
    """
    first = next(iter(documents.values()), {})
    return {name: _upgraded(document, first) for name, document in documents.items()}


def _upgraded(document: Document, first: Document) -> Result[Document, Fault]:
    if HEADER not in document:
        return Success(_from_format_0(document, first))
    header = document[HEADER]
    if not isinstance(header, Mapping):
        return Failure(Fault("malformed", "its header is no object"))
    number = header.get("format")
    if type(number) is not int or number < 1:
        return Failure(Fault("malformed", "its header tells no format"))
    if number > FORMAT:
        return Failure(Fault("newer", "made by a newer Capsula; upgrade to read it", "upgrade Capsula"))
    if not _is_id(header.get("id")):
        return Failure(Fault("malformed", "its header tells no id"))
    return Success(document)


def _from_format_0(document: Document, first: Document) -> Document:
    """Give a document the header that it would have; a context alone does not tell when it was taken."""
    taken = document.get("timestamp", first.get("timestamp"))
    untold = Fault("unknown", f"Capsula {WITHOUT_FORMAT} did not record when it was taken", path=(HEADER, "taken"))
    ended = {**document, **_ending(document)}
    header: Document = {
        "format": 1,
        "version": WITHOUT_FORMAT,
        "id": _derived_id(first),
        **({} if taken is None else {"taken": taken}),
        "status": _status(ended),
        "durability": "fast",
        "faults": [untold.as_facts()] if taken is None else [],
    }
    return {**ended, HEADER: header}


def _ending(document: Document) -> Document:
    """Return how a command ended, as a shell would say it, where format 0 has the negative number of a signal."""
    exit_code = document.get("exit_code")
    if not isinstance(exit_code, int) or exit_code >= 0:
        return {}
    names = {member.value: member.name for member in Signals}
    return {"exit_code": 128 - exit_code, "signal": names.get(-exit_code, str(-exit_code))}


def _status(document: Document) -> str:
    if "run_time" not in document:
        return "running" if "timestamp" in document else "complete"
    if document.get("exit_code") == 128 + SIGINT:
        return "interrupted"
    if document.get("signal"):
        return "killed"
    return "failed" if document.get("exit_code") or document.get("exception_info") else "finished"


def _derived_id(document: Document) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:_ID_DIGITS]


def _is_id(value: Json) -> bool:
    return isinstance(value, str) and len(value) == _ID_DIGITS and set(value) <= set("0123456789abcdef")
