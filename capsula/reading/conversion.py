"""Conversions: by which settings of git the bytes of a work tree may be other than those that git keeps."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pygit2
from returns.result import Failure, Result, Success

from capsula.core.foreign import safe
from capsula.reading.objects import common_directory

_OFF = {"false", "no", "off", "0"}
_CONVERTED = "the patches hold bytes as git keeps them, which may be other than those of the work tree"
_CONVERTING = re.compile(r"text|text=.*|crlf|crlf=.*|eol=.*|ident|filter=.*|working-tree-encoding=.*")
_ANY_CONVERTING = re.compile(rb"\b(text|crlf|eol|ident|filter|working-tree-encoding|binary)\b|\[attr\]")


def is_attributes(path: bytes) -> bool:
    """Tell whether a file of a work tree tells attributes."""
    return path.rpartition(b"/")[2] == b".gitattributes"


def attribute_files(
    repository: pygit2.Repository, top: Path, named: Iterable[bytes], environ: Mapping[str, str]
) -> Iterator[Path]:
    """Yield the files that may tell attributes, there or not; ``named`` are those of the work tree."""
    home = environ.get("HOME", "/")
    own = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    chosen = _setting(repository, "core.attributesfile") or f"{own}/git/attributes"
    yield Path("/etc/gitattributes")
    yield Path(re.sub(r"^~(?=/)", lambda _: home, chosen))
    yield from (top / os.fsdecode(path) for path in named)
    yield common_directory(repository) / "info" / "attributes"


def conversion_caveats(repository: pygit2.Repository, top: Path, files: Iterable[Path]) -> Iterator[str]:
    """Say by which settings, and which of these files, patches hold other bytes than the work tree."""
    carriage_returns = _setting(repository, "core.autocrlf")
    if carriage_returns.lower() not in {*_OFF, ""}:
        yield f"core.autocrlf={carriage_returns}: {_CONVERTED}"
    for file in files:
        shown = file.relative_to(top) if file.is_relative_to(top) else file
        read = _read(file)
        if isinstance(read, Failure):
            yield f"{shown}: cannot be read: if it asks for conversions, {_CONVERTED}"
        elif words := sorted(_converting(read.unwrap())):
            yield f"{shown}: {', '.join(words)}: {_CONVERTED}"


def may_convert(repository: pygit2.Repository, files: Iterable[Path]) -> bool:
    """Tell whether the bytes or modes of a work tree may be other than those that git keeps, and calls the same."""
    if _setting(repository, "core.autocrlf").lower() not in {*_OFF, ""}:
        return True
    if any(_setting(repository, f"core.{name}").lower() in _OFF for name in ("filemode", "symlinks")):
        return True
    contents = map(_read, files)
    return any(not isinstance(read, Success) or _ANY_CONVERTING.search(read.unwrap()) for read in contents)


def _converting(attributes: bytes) -> set[str]:
    lines = (line.split() for line in os.fsdecode(attributes).splitlines() if not line.lstrip().startswith("#"))
    return {word for line in lines for word in line[1:] if _CONVERTING.fullmatch(word)}


def _setting(repository: pygit2.Repository, name: str) -> str:
    config = repository.config
    return config[name] or "" if name in config else ""


def _read(file: Path) -> Result[bytes, Exception]:
    """Return what a file holds; nothing where there is none."""
    return safe(exceptions=(OSError,))(lambda: file.read_bytes() if file.is_file() else b"")()
