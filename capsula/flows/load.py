"""Loading: find the configuration that holds for a directory, and make a config of it."""

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, KeyPath
from capsula.core.foreign import safe
from capsula.core.settings import Settings
from capsula.core.strict import structured

LARGEST = 4 * 1024 * 1024
"""Bytes of a configuration file; more is no configuration."""

TRUST = "CAPSULA_TRUST"
"""Environment variable that lists directories, as ``PATH`` does, in which other users' configurations are trusted."""

GONE = "gone"
"""The kind of what is no mistake: there is no place that a configuration could hold for."""

TOOL_TABLE = ("tool", "capsula")
"""Keys of the settings in ``pyproject.toml``."""


class Found(NamedTuple):
    """A configuration as it stands in a file."""

    file: Path
    place: KeyPath
    """Keys of the table in the file."""
    table: object
    owners: frozenset[int]
    """Users who could have put it there."""


def load(
    directory: Path | None, surroundings: Surroundings, *, start: Path | None = None
) -> Result[Config, tuple[Fault, ...]]:
    """Return the config that holds for a directory, or all mistakes; printed, each is ``FILE: key > key: message``.

    Without a configuration the root is ``directory``, or else the top of the git repository that the search began in.
    From a working directory that was removed, or is closed to us, the search begins above it; finding neither is of the
    kind ``GONE``.

    Args:
        directory: Where the configuration file is; it is searched for nowhere else.
        surroundings: Relative directories are seen from their ``cwd``.
        start: Where to begin the search upwards, if not in ``cwd``; without meaning beside ``directory``.
    """
    cwd = surroundings.cwd
    is_above = surroundings.is_adrift and not (directory or start or _is_open(cwd))

    def plain(here: Path) -> Result[Config, tuple[Fault, ...]]:
        root = None if directory else _top(here)
        if root is None and is_above:
            message = "the working directory cannot be used: it was removed, or is closed to you"
            return Failure((Fault(GONE, message, origin=str(cwd)),))
        return Success(Config(root or here, Settings(), surroundings))

    def config(here: Path) -> Result[Config, tuple[Fault, ...]]:
        found = find((here,) if directory else (here, *here.parents), cwd).alt(_alone)
        return found.bind(lambda it: _structured(it, surroundings) if it else plain(here))

    begin = next(filter(_is_open, cwd.parents)) if is_above else cwd / (directory or start or "")
    return _existing(begin, cwd).alt(_alone).bind(config)


def find(directories: Iterable[Path], cwd: Path) -> Result[Found | None, Fault]:
    """Return the first configuration in the directories; the mistake's ``origin`` is the file as seen from ``cwd``."""
    for directory in directories:
        for name, search in (("capsula.toml", _own), ("pyproject.toml", _shared)):
            found = search(directory / name)
            if found != Success(None):
                origin = _shown(directory / name, cwd)
                return found.alt(partial(_mistake, origin))
    return Success(None)


def _mistake(origin: str, reason: str) -> Fault:
    return Fault("mistake", reason, origin=origin)


def _own(file: Path) -> Result[Found | None, str]:
    if not os.path.lexists(file):
        return Success(None)
    return _content(file).bind(
        lambda content: _parsed(content.data).map(lambda table: Found(file, (), table, content.owners))
    )


def _shared(file: Path) -> Result[Found | None, str]:
    """Look into a file that may well be about other tools alone, and then may be as broken as it likes."""
    content = _content(file).value_or(_Content(b"", frozenset()))
    if b"capsula" not in content.data:  # most are not about us, and need no parser
        return Success(None)
    ours = b"[tool.capsula" in content.data
    return (
        _parsed(content.data)
        .map(_tool_table)
        .lash(lambda reason: Failure(reason) if ours else Success(None))
        .map(lambda table: None if table is None else Found(file, TOOL_TABLE, table, content.owners))
    )


def _tool_table(document: Mapping[str, object]) -> object:
    tools = document.get("tool")
    return tools.get("capsula") if isinstance(tools, dict) else None


def _structured(found: Found, surroundings: Surroundings) -> Result[Config, tuple[Fault, ...]]:
    root, origin = found.file.parent, _shown(found.file, surroundings.cwd)
    if not _is_trusted(found, surroundings.environ):
        remedy = f"if you trust it, list its directory, {root}, in {TRUST}"
        return Failure((Fault("mistake", "belongs to another user", remedy, origin=origin),))
    return (
        structured(found.table, origin, root)
        .alt(lambda mistakes: tuple(mistake.under(*found.place) for mistake in mistakes))
        .map(lambda settings: Config(root, settings, surroundings, found.file))
    )


def _is_trusted(found: Found, environ: Mapping[str, str]) -> bool:
    """Tell whether the commands in a configuration may run: it is the user's, or root's, or in a trusted directory."""
    trusted = filter(os.path.isabs, environ.get(TRUST, "").split(os.pathsep))
    return found.owners <= {os.geteuid(), 0} or str(found.file.parent) in map(os.path.realpath, trusted)


def _existing(directory: Path, cwd: Path) -> Result[Path, Fault]:
    """Return the directory with all links resolved, so that its parents are where ``..`` leads."""
    name = "the working directory" if directory == cwd else "the directory"
    return (
        safe(exceptions=(OSError, ValueError))(os.stat)(f"{directory}/.")
        .map(lambda _: Path(os.path.realpath(directory)))
        .alt(lambda error: Fault("mistake", f"{name} cannot be used: {_reason(error)}", origin=str(directory)))
    )


def _is_open(directory: Path) -> bool:
    return os.access(f"{directory}/.", os.X_OK)


def _top(directory: Path) -> Path | None:
    """Return the top of the git repository that holds the directory."""
    return next((top for top in (directory, *directory.parents) if os.path.lexists(top / ".git")), None)


class _Content(NamedTuple):
    data: bytes
    owners: frozenset[int]


def _content(file: Path) -> Result[_Content, str]:
    return _read(file).alt(_reason).bind(_bounded)


@safe(exceptions=(OSError,))
def _read(file: Path) -> tuple[bytes, os.stat_result, os.stat_result]:
    """Return the bytes, the status of the file, and that of its name, which may be a link by another user."""
    with open(file, "rb", opener=_open_at_once) as stream:
        status = os.fstat(stream.fileno())
        return stream.read(LARGEST + 1) if S_ISREG(status.st_mode) else b"", status, file.lstat()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for its writer


def _bounded(read: tuple[bytes, os.stat_result, os.stat_result]) -> Result[_Content, str]:
    data, status, name_status = read
    if not S_ISREG(status.st_mode):
        return Failure("is not a regular file")
    if len(data) > LARGEST:
        return Failure(f"is larger than {LARGEST} bytes")
    return Success(_Content(data, frozenset({status.st_uid, name_status.st_uid})))


def _parsed(data: bytes) -> Result[dict[str, object], str]:
    decode = safe(exceptions=(UnicodeDecodeError,))(data.decode)
    return decode("utf-8-sig").alt(_where_not_text).bind(_document)


def _where_not_text(error: UnicodeDecodeError) -> str:
    line = error.object.count(b"\n", 0, error.start) + 1
    return f"line {line}: not UTF-8"


def _document(text: str) -> Result[dict[str, object], str]:
    from tomli import TOMLDecodeError, loads

    def reason(error: Exception) -> str:
        match error:
            case TOMLDecodeError():
                return f"line {error.lineno}, column {error.colno}: {error.msg}"
            case RecursionError():
                return "is nested too deeply"
            case _:  # a number with more digits than Python reads
                return str(error)

    # Compiled, it leaves the exception that is being handled behind in the generator it is called from: one of its own.
    read: Result[dict[str, object], Exception] = safe(exceptions=(ValueError, RecursionError))(
        lambda: next(loads(it) for it in (text,))
    )()
    return read.alt(reason)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _shown(file: Path, cwd: Path) -> str:
    return str(file.relative_to(cwd) if file.is_relative_to(cwd) else file)


def _alone(fault: Fault) -> tuple[Fault, ...]:
    return (fault,)
