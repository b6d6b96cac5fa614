"""Finding capsules again, and reading them; nothing is written, and nothing that is read is trusted."""

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.config import Config
from capsula.core.document import HEADER, LARGEST, Document, loads
from capsula.core.fault import Fault, Json, fault_of
from capsula.core.naming import memorable
from capsula.core.upgrade import upgraded
from capsula.effects.surroundings import process, started
from capsula.effects.vault import OWN
from capsula.flows.capture import CONTEXT
from capsula.flows.run import AFTER, BEFORE, KEEP_OUTPUT, OPEN

SHORTEST_ID = 4
"""Hexadecimal digits of an id that may stand for it."""

MOST_CANDIDATES = 10
"""How many capsules a fault lists."""

_Answers = dict[str, Result[Document, Fault]]


class Entry(NamedTuple):
    """A capsule as the vault lists it: as much as the first of its documents tells."""

    directory: Path
    name: str
    """Its path relative to the vault; outside of it, the name of the directory."""
    id: str | None
    """None if no document can be read."""
    taken: datetime
    """When it was taken, or else when its directory last changed; aware, in local time."""

    @property
    def memorable(self) -> str | None:
        """Its memorable name."""
        return memorable(self.id) if self.id else None


class Inspected(NamedTuple):
    """A capsule as it was read: all of its documents that can be, in today's format."""

    entry: Entry
    state: str
    """``captured``, ``running``, ``open``, ``lost`` or ``unknown, last seen on HOST``; of a run that ended, its status.

    ``newer`` or ``broken`` if the document that tells cannot be read.
    """
    documents: Mapping[str, Document]
    faults: tuple[Fault, ...]
    """Why a document could not be read; the path is its file name."""


def named(reference: str, config: Config) -> Result[Entry, Fault]:
    """Return the capsule that a user means: as ``found`` in the vault, and as seen from where the user is."""
    return found(reference, config.vault, config.surroundings.cwd)


def capsules(vault: Path) -> Result[tuple[Entry, ...], Fault]:
    """Return the capsules at any depth below the vault, the newest first; none if there is no vault.

    Of each, one document is read. The fault is a vault that cannot be listed.
    """
    if not os.path.lexists(vault):
        return Success(())
    return _listing(vault).map(_folders).map(lambda folders: _by_age(_entry(it, vault) for it in _capsules(folders)))


def found(reference: str, vault: Path, cwd: Path) -> Result[Entry, Fault]:
    """Return the capsule that is meant.

    Faults: ``unknown capsule``, ``ambiguous``, and those of ``capsules``.

    Args:
        reference: Its path in the vault, its path as seen from ``cwd``, its directory's name, its memorable name, its
            id, a beginning of one of these if no other begins so, ``@`` for the newest, or ``@1`` for the one before.
        vault: Where it is looked for.
        cwd: An absolute path.
    """
    places = (vault / reference, cwd / reference) if reference else ()
    place = next(filter(_is_capsule, places), None)
    if place is not None:
        return Success(_entry(Path(os.path.normpath(place)), vault))
    return capsules(vault).bind(lambda entries: _chosen(reference.rstrip("/"), entries, vault))


def inspected(entry: Entry) -> Inspected:
    """Read all documents of a capsule; one that cannot be read costs only itself."""
    first = _read(entry.directory, BEFORE)
    # Whether the process lives is asked before the end record is looked for, lest a run that ends meanwhile seem lost.
    unfinished = _unfinished(part(first[BEFORE].value_or({}), HEADER) if first else None)
    read = {**first, **_read(entry.directory, CONTEXT), **_read(entry.directory, AFTER)}
    answers = _upgraded(read, _files(entry.directory))
    documents = {name: answer.unwrap() for name, answer in answers.items() if isinstance(answer, Success)}
    faults = tuple(answer.failure().under(name) for name, answer in answers.items() if isinstance(answer, Failure))
    empty = Fault("missing", f"there is no document in {entry.directory}")
    return Inspected(entry, _state(answers, unfinished), documents, faults if answers else (empty,))


def held(directory: Path) -> tuple[str, ...]:
    """Return the paths of all files in a capsule, relative to it and sorted; what cannot be listed is left out."""
    found: list[str] = []
    pending = [os.fspath(directory)]
    while pending:
        listing = _listing(pending.pop()).value_or([])
        pending += (it.path for it in listing if it.is_dir(follow_symlinks=False))
        found += (os.path.relpath(it.path, directory) for it in listing if not os.path.isdir(it.path))
    return tuple(sorted(found))


def keeps_output(documents: Mapping[str, Document]) -> bool:
    """Return whether the streams of a run were to be kept; if not, nobody knows what it printed, if anything."""
    return part(documents, BEFORE, KEEP_OUTPUT) is not False


def kept(directory: Path, facts: Json) -> Path | None:
    """Return where a capsule keeps a file; none if it does not, or if its document, which may be anybody's, lies."""
    place = part(facts, "kept_as")
    if not isinstance(place, str):
        return None
    try:
        real = Path(os.path.realpath(directory / place))
    except ValueError:  # a NUL, or what stands for no byte: no file has such a name
        return None
    is_inside = real.is_relative_to(os.path.realpath(directory)) and os.path.isfile(real)
    return directory / place if is_inside else None


def part(facts: Json, *keys: str) -> Json:
    """Return the part of the facts that the keys lead to, or None if they lead nowhere."""
    for key in keys:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts


def _chosen(reference: str, entries: Sequence[Entry], vault: Path) -> Result[Entry, Fault]:
    if not entries:
        remedy = "make one: capsula monitor -- COMMAND"
        return Failure(Fault("unknown capsule", f"there is no capsule in {vault} yet", remedy))
    if ordinal := re.fullmatch("@([0-9]{0,9})", reference):
        before = int(ordinal[1] or 0)
        return Success(entries[before]) if before < len(entries) else Failure(_too_old(reference, len(entries)))
    candidates = [it for it in entries if _is_called(it, reference)] or [it for it in entries if _begins(it, reference)]
    match candidates:
        case []:
            return Failure(_unknown(reference, entries))
        case [entry]:
            return Success(entry)
    return Failure(_ambiguous(reference, candidates))


def _is_called(entry: Entry, reference: str) -> bool:
    return reference in {entry.name, entry.directory.name} or reference.lower() in {entry.memorable, entry.id}


def _begins(entry: Entry, reference: str) -> bool:
    names = (entry.name, entry.directory.name)
    lower = reference.lower()
    by_id = len(reference) >= SHORTEST_ID and (entry.id or "").startswith(lower)
    by_name = (entry.memorable or "").startswith(lower) or any(name.startswith(reference) for name in names)
    return bool(reference) and (by_id or by_name)


def _too_old(reference: str, count: int) -> Fault:
    there = "is only one capsule" if count == 1 else f"are only {count} capsules"
    return Fault("unknown capsule", f"{reference} is none: there {there}", "see capsula list")


def _unknown(reference: str, entries: Sequence[Entry]) -> Fault:
    known = dict.fromkeys(name for it in entries for name in (it.memorable, it.directory.name, it.name) if name)
    nearest = get_close_matches(reference, known, 3)
    meant = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
    return Fault("unknown capsule", f"there is no capsule {reference!r}{meant}", "see capsula list")


def _ambiguous(reference: str, candidates: Sequence[Entry]) -> Fault:
    shown = [f"{it.name} ({it.memorable})" if it.memorable else it.name for it in candidates[:MOST_CANDIDATES]]
    more = [f"{len(candidates) - len(shown)} more"] if len(candidates) > len(shown) else []
    message = f"{reference!r} may be any of {len(candidates)} capsules: {', '.join(shown + more)}"
    return Fault("ambiguous", message, "write more of the name, or the path")


def _listing(folder: Path | str) -> Result[list[os.DirEntry[str]], Fault]:
    try:
        with os.scandir(folder) as entries:
            return Success(list(entries))
    except OSError as error:
        return Failure(fault_of(error, f"{folder} could not be listed"))


def _folders(listing: Iterable[os.DirEntry[str]]) -> list[Path]:
    return [Path(it.path) for it in listing if it.name != OWN and it.is_dir(follow_symlinks=False)]


def _capsules(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the capsules among the folders and below; a folder that cannot be looked into may well be one."""
    pending = list(folders)
    while pending:
        folder = pending.pop()
        listing = _listing(folder)
        if not isinstance(listing, Success) or _is_capsule(folder):
            yield folder
        else:
            pending += _folders(listing.unwrap())


def _is_capsule(directory: Path) -> bool:
    return any(os.path.lexists(directory / name) for name in (BEFORE, CONTEXT))


def _by_age(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.taken, entry.name), reverse=True))


def _entry(directory: Path, vault: Path) -> Entry:
    name = directory.relative_to(vault).as_posix() if directory.is_relative_to(vault) else directory.name
    header = _header(directory)
    identity, taken = part(header, "id"), part(header, "taken")
    moment = _moment(taken) if isinstance(taken, str) else None
    return Entry(directory, name, identity if isinstance(identity, str) else None, moment or _changed(directory))


def _header(directory: Path) -> Json:
    """Return the header of the first document that can be read."""
    for name in (BEFORE, CONTEXT, AFTER):
        for answer in _upgraded(_read(directory, name)).values():
            if isinstance(answer, Success):
                document: Document = answer.unwrap()
                return document[HEADER]
    return None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return None


def _changed(directory: Path) -> datetime:
    try:
        return datetime.fromtimestamp(directory.stat().st_mtime).astimezone()
    except (OSError, ValueError, OverflowError):  # some file systems know times beyond the year 9999
        return datetime.fromtimestamp(0, UTC).astimezone()


def _read(directory: Path, name: str) -> _Answers:
    """Return the document of this name, or why it cannot be read; nothing if there is none."""
    answer = content(directory / name).bind(loads)
    is_missing = isinstance(answer, Failure) and answer.failure().kind == "missing"
    return {} if is_missing else {name: answer}


def content(file: Path) -> Result[bytes, Fault]:
    """Return what a file in a capsule holds, if it is a file at all, and no larger than a document."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe would wait for its writer
        with open(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return Failure(Fault("malformed", "is not a regular file"))
            if status.st_size > LARGEST:
                return Failure(Fault("malformed", f"is larger than {LARGEST} bytes"))
            return Success(stream.read(LARGEST))
    except OSError as error:
        return Failure(fault_of(error))


def _upgraded(answers: _Answers, held: Collection[str] = ()) -> _Answers:
    sound = {name: answer.unwrap() for name, answer in answers.items() if isinstance(answer, Success)}
    return {**answers, **upgraded(sound, held)}


def _files(directory: Path) -> list[str]:
    """Return the names of the files in a capsule, but not below."""
    return [it.name for it in _listing(directory).value_or([]) if it.is_file(follow_symlinks=False)]


def _state(answers: _Answers, unfinished: str) -> str:
    """Return what the last written of the documents tells."""
    name = next((name for name in (AFTER, BEFORE, CONTEXT) if name in answers), None)
    if name is None:
        return "broken"
    answer = answers[name]
    if not isinstance(answer, Success):
        return "newer" if answer.failure().kind == "newer" else "broken"
    ended = part(answer.unwrap(), HEADER, "status")
    return {AFTER: str(ended), BEFORE: unfinished, CONTEXT: "captured"}[name]


def _unfinished(header: Json) -> str:
    """Return the state of a run without an end record, by the process that wrote its beginning."""
    if part(header, "status") == OPEN:
        return OPEN
    here = process()
    match part(header, "process"):
        case {"host": str(host)} if host != here["host"]:
            return f"unknown, last seen on {host}"
        case {"boot_id": str(boot_id), "pid": int(pid), "started": int(start)}:
            return "running" if boot_id == here["boot_id"] and start == started(pid) else "lost"
    return "unknown"
