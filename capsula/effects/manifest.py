"""Manifests: what each file of a capsule is, and a signature by which the vault knows its own again."""

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from hashlib import file_digest, sha256
from hmac import compare_digest
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.content import Sum, summed
from capsula.core.document import LARGEST, dumps, loads
from capsula.core.fault import Fault, Json, fault_of
from capsula.effects.files import LEFT_ASIDE, put, replaced
from capsula.effects.key import key, signature, vault_of
from capsula.effects.vault import OWN

NAME = f"{OWN}/manifest.json"
FORMAT = 1

_UNFINISHED = {"running", "open"}

_READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Signer(NamedTuple):
    """A capsule that gets a manifest: where it stands, its id, its status, and the vault whose key signs."""

    directory: Path
    vault: Path
    id: str
    status: str
    """``running`` or ``open`` if more will come to it."""


def signed(
    signer: Signer,
    known: Mapping[str, Sum | None],
    coming: Mapping[str, bytes],
    *,
    is_first: bool = False,
    is_either: bool = False,
) -> dict[str, Sum]:
    """Write the manifest of a capsule and return what each file of it is; raises ``OSError``.

    Args:
        signer: Which capsule; without a key of its vault, the manifest is not signed.
        known: Files by their path in the capsule; those that were hashed as they were written are not read again.
        coming: The texts of documents that will be put in their places after this one.
        is_first: Whether the capsule has no manifest yet.
        is_either: Whether the texts that the coming ones replace are right too, until another manifest is written.
    """
    there = {path: known.get(path) or _sum(file) for path, file in _files(signer.directory)}
    sums = there | {path: summed(text) for path, text in coming.items()}
    replaceable = {path: there[path] for path in coming if path in there} if is_either else {}
    facts: dict[str, Json] = {
        "format": FORMAT,
        "id": signer.id,
        "status": signer.status,
        "files": {path: _entry(it, replaceable.get(path)) for path, it in sorted(sums.items())},
    }
    canonical = _canonical(facts)
    proof = signature(signer.vault, canonical).lash(
        lambda _: key(signer.vault).bind(lambda _: signature(signer.vault, canonical))
    )
    text = dumps({**facts, "signature": proof.value_or(None)})
    if is_first:
        put(signer.directory / NAME, text)
    else:
        replaced(signer.directory / NAME, text, signer.directory / OWN, durable=False)
    return sums


def _entry(it: Sum, other: Sum | None) -> dict[str, Json]:
    entry: dict[str, Json] = {"size": it.size, "sha256": it.sha256}
    return {**entry, "or": _entry(other, None)} if other else entry


def is_own(capsule: Path) -> bool:
    """Tell whether the manifest of a capsule was made in the vault it is in, by this user, and not changed since.

    That its files are as the manifest says, ``integrity`` tells.
    """
    vault, facts = vault_of(capsule), _manifest(capsule).value_or({})
    claimed = facts.get("signature")
    if vault is None or not isinstance(claimed, str) or not claimed.isascii():  # only such are compared in equal time
        return False
    return signature(vault, _canonical(facts)).map(lambda real: compare_digest(real, claimed)).value_or(False)


def integrity(capsule: Path) -> tuple[Fault, ...]:
    """Return in what the files of a capsule are not as its manifest says; the path of each fault is the file's.

    Faults: ``missing``, ``changed``, ``extra``, and of the manifest itself ``unsealed`` (there is none) and
    ``malformed``. While a run has no end its output is not ``extra``.
    """
    answer = _manifest(capsule).bind(_sums)
    if not isinstance(answer, Success):
        return (answer.failure(),)
    sums, whole = answer.unwrap()
    try:
        files = dict(sorted(_files(capsule)))
    except OSError as error:
        return (fault_of(error, str(capsule)),)
    missing = (Fault("missing", "is missing", path=(path,)) for path in sums if path not in files)
    changed = (_judged(path, file, sums[path]) for path, file in files.items() if path in sums)
    extra = (Fault("extra", "is not in the manifest", path=(path,)) for path in files if whole and path not in sums)
    return (*missing, *filter(None, changed), *extra)


def _judged(path: str, file: str, listed: Sequence[Sum]) -> Fault | None:
    try:
        size = os.lstat(file).st_size
        if any(size == it.size for it in listed) and _sum(file) in listed:
            return None
    except OSError as error:
        return fault_of(error).under(path)
    return Fault("changed", "is not what the manifest says", path=(path,))


def _manifest(capsule: Path) -> Result[Mapping[str, Json], Fault]:
    try:
        with open(os.open(capsule / NAME, _READING), "rb") as stream:
            text = stream.read(LARGEST + 1)
    except FileNotFoundError:
        return Failure(Fault("unsealed", "there is no manifest of it", "versions before 0.1 made none", (NAME,)))
    except OSError as error:
        return Failure(fault_of(error).under(NAME))
    if len(text) > LARGEST:
        return Failure(Fault("malformed", f"is larger than {LARGEST} bytes", path=(NAME,)))
    return loads(text).alt(lambda fault: fault.under(NAME))


def _sums(manifest: Mapping[str, Json]) -> Result[tuple[dict[str, list[Sum]], bool], Fault]:
    """Return what the files are to be, one of which each is, and whether these are all files."""
    sums: dict[str, list[Sum]] = {}
    match manifest:
        case {"format": 1, "status": str(status), "files": dict(files)}:
            for path, facts in files.items():
                other = facts.get("or") if isinstance(facts, dict) else None
                for each in (facts, other):
                    match each:
                        case {"size": int(size), "sha256": str(digest)}:
                            sums.setdefault(path, []).append(Sum(size, digest))
            if len(sums) == len(files):
                return Success((sums, status not in _UNFINISHED))
    return Failure(Fault("malformed", "is no manifest of a known format", path=(NAME,)))


def _canonical(facts: Mapping[str, Json]) -> bytes:
    """Return a text that is the same however the manifest is written."""
    told = {name: facts.get(name) for name in ("format", "id", "status", "files")}
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def _files(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield path and place of all that is in a capsule but folders and the manifest; links are not followed.

    What a process that died left aside of one of these is none of it either.
    """
    pending = [("", os.fspath(directory))]
    while pending:
        above, folder = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                path = f"{above}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    pending.append((f"{path}/", entry.path))
                elif path != NAME and not (above == f"{OWN}/" and LEFT_ASIDE.fullmatch(entry.name)):
                    yield path, entry.path


def _sum(file: str) -> Sum:
    """Return what a file is; a link is what it says, and a pipe, a socket or a device is that and no more."""
    status = os.lstat(file)
    if not stat.S_ISREG(status.st_mode):
        text = os.fsencode(Path(file).readlink()) if stat.S_ISLNK(status.st_mode) else b""
        return Sum(status.st_size, sha256(b"%o\0%b" % (stat.S_IFMT(status.st_mode), text)).hexdigest())
    with open(os.open(file, _READING), "rb", buffering=0) as stream:
        return Sum(os.fstat(stream.fileno()).st_size, file_digest(stream, "sha256").hexdigest())
