"""Upgrading: documents of any format that ever was, as they would stand today; one function for each old format."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from hashlib import sha256
from os.path import relpath
from pathlib import PurePosixPath
from signal import SIGINT, Signals

from returns.result import Failure, Result, Success

from capsula.core.document import FORMAT, HEADER, Document
from capsula.core.fault import Fault, Json
from capsula.core.names import OWN_NAMES, patch_paths

WITHOUT_FORMAT = "0.0.21"
"""The version whose documents have no header; they are of format 0."""

_ID_DIGITS = 32


def upgraded(documents: Mapping[str, Document], held: Collection[str] = ()) -> dict[str, Result[Document, Fault]]:
    """Return the documents of one capsule in today's format, or why one has none.

    Those of format 0 get an id that is made of the first one's text, so it is the same whatever else is given; first
    comes what is written first: of a run, the record from before it. Faults: ``newer``, ``malformed``.

    Args:
        documents: By name.
        held: The names of the files in the capsule's directory, if it is to be told what is kept of format 0.
    """
    first = next(iter(documents.values()), {})
    kept = _kept(documents, held)
    return {name: _upgraded(document, first, kept) for name, document in documents.items()}


def is_old(document: Document) -> bool:
    """Tell whether a document was of format 0 before it was upgraded."""
    header = document.get(HEADER)
    return isinstance(header, Mapping) and header.get("version") == WITHOUT_FORMAT


def _kept(documents: Mapping[str, Document], held: Collection[str]) -> set[str]:
    """Return the paths of what format 0 has kept under the last of their names, which only one of them can have."""
    paths = [path for document in documents.values() for path in _table(document.get("files"))]
    count = Counter(map(_name, paths))
    own = {name for document in documents.values() for git in _table(document.get("git")) for name in patch_paths(git)}
    names = {name for name in held if count[name] == 1 and name not in own and name.casefold() not in OWN_NAMES}
    return {path for path in paths if _name(path) in names}


def _upgraded(document: Document, first: Document, kept: Collection[str]) -> Result[Document, Fault]:
    if HEADER not in document:
        return Success(_from_format_0(document, first, kept))
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


def _from_format_0(document: Document, first: Document, kept: Collection[str]) -> Document:
    """Give a document the header that it would have; a context alone does not tell when it was taken."""
    taken = document.get("timestamp", first.get("timestamp"))
    untold = Fault("unknown", f"Capsula {WITHOUT_FORMAT} did not record when it was taken", path=(HEADER, "taken"))
    faults = [*([untold] if taken is None else []), *_absent(document)]
    ended = {**document, **_ending(document), **_files(document, kept), **_command(document)}
    header: Document = {
        "format": 1,
        "version": WITHOUT_FORMAT,
        "id": _derived_id(first),
        **({} if taken is None else {"taken": taken}),
        "status": _status(ended),
        "durability": "fast",
        "faults": [fault.as_facts() for fault in faults],
    }
    return {**ended, HEADER: header}


def _ending(document: Document) -> Document:
    """Return how a command ended, as a shell would say it, where format 0 has the negative number of a signal."""
    exit_code = document.get("exit_code")
    if not isinstance(exit_code, int) or exit_code >= 0:
        return {}
    names = {member.value: member.name for member in Signals}
    return {"exit_code": 128 - exit_code, "signal": names.get(-exit_code, str(-exit_code))}


def _files(document: Document, kept: Collection[str]) -> Document:
    """Return the entries of the files that were there, and where each is kept."""
    files = document.get("files")
    if not isinstance(files, Mapping):
        return {}
    return {"files": {path: _entry(path, facts, kept) for path, facts in files.items() if facts is not None}}


def _entry(path: str, facts: Json, kept: Collection[str]) -> Json:
    return {**facts, "kept_as": _name(path)} if isinstance(facts, Mapping) and path in kept else facts


def _absent(document: Document) -> list[Fault]:
    files = _table(document.get("files"))
    return [Fault("missing", "no such file", path=("files", path)) for path, facts in files.items() if facts is None]


def _command(document: Document) -> Document:
    """Return where in the root a command ran, if it was one."""
    match document:
        case {"function_name": _}:
            return {}
        case {"args": _, "root_directory": str(root), "cwd": str(cwd)} if root.startswith("/") and cwd.startswith("/"):
            return {"command": {"directory": relpath(cwd, root)}}
    return {}


def _status(document: Document) -> str:
    if "run_time" not in document:
        return "running" if "timestamp" in document else "complete"
    if document.get("exit_code") == 128 + SIGINT:
        return "interrupted"
    if document.get("signal"):
        return "killed"
    return "failed" if document.get("exit_code") or document.get("exception_info") else "finished"


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _derived_id(document: Document) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:_ID_DIGITS]


def _is_id(value: Json) -> bool:
    return isinstance(value, str) and len(value) == _ID_DIGITS and set(value) <= set("0123456789abcdef")
