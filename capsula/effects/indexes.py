"""Indexes: where an installer will look for packages, as its environment and its configuration say."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path
from typing import NamedTuple

from capsula.core.fault import Json
from capsula.core.remote import path_of


class Indexes(NamedTuple):
    """Where packages come from; the addresses may hold secrets."""

    addresses: tuple[str, ...]
    """In words where it is the installer alone that knows it."""
    links: tuple[str, ...]
    """Directories, or addresses of pages, that name files."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those of the links that are directories of this machine."""
        places = (path_of(link) if link.startswith("file:") else link for link in self.links)
        return tuple(Path(place) for place in places if place and "://" not in place)


def indexes(installer: str, environ: Mapping[str, str]) -> Indexes:
    """Return where uv or pip will look: what the environment says goes before what their files say."""
    return _of_pip(environ) if installer == "pip" else _of_uv(environ)


def _of_pip(environ: Mapping[str, str]) -> Indexes:
    told: dict[str, str] = {}
    for file in _files(environ, "pip/pip.conf", "/etc/pip.conf", ".pip/pip.conf"):
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(file.read_text("utf-8"))
        except (OSError, ValueError, ConfigError):
            continue
        for section in ("global", "install"):
            told |= {name.replace("_", "-"): text for name, text in _section(parser, section)}
    told |= {name[4:].lower().replace("_", "-"): text for name, text in environ.items() if name.startswith("PIP_")}
    main = () if told.get("no-index", "").lower() in _YES else (told.get("index-url", _DEFAULT.format("pip")),)
    extra = told.get("extra-index-url", "").split() if main else ()
    return Indexes((*main, *extra), tuple(told.get("find-links", "").split()))


def _of_uv(environ: Mapping[str, str]) -> Indexes:
    import tomli

    told: dict[str, Json] = {}
    for file in _files(environ, "uv/uv.toml", "/etc/uv/uv.toml"):
        try:
            whole = tomli.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        pip = whole.pop("pip", {})
        told |= whole | (pip if isinstance(pip, dict) else {})
    named = [str(index["url"]) for index in _list(told.get("index")) if isinstance(index, dict) and "url" in index]
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        named += (re.sub(r"^[\w-]+=(?=\w+:)", "", word) for word in environ.get(name, "").split())
    named += map(str, _list(told.get("extra-index-url")))
    main = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or str(told.get("index-url", ""))
    links = re.findall(r"[^,\s]+", environ.get("UV_FIND_LINKS", "")) or _list(told.get("find-links"))
    is_none = bool(told.get("no-index")) or environ.get("UV_NO_INDEX", "").lower() in _YES
    return Indexes(() if is_none else (*dict.fromkeys(named), main or _DEFAULT.format("uv")), tuple(map(str, links)))


_DEFAULT = "the index that {} asks by default"
_YES = ("1", "true", "yes", "on", "y", "t")


def _files(environ: Mapping[str, str], shared: str, system: str, old: str = "") -> Iterator[Path]:
    """Yield the files of a configuration, what says more after what says less."""
    home = Path(environ.get("HOME") or "/nonexistent")
    for folder in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)):
        yield Path(folder) / shared
    yield Path(system)
    if old:
        yield home / old
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / shared


def _section(parser: ConfigParser, name: str) -> Iterable[tuple[str, str]]:
    return parser.items(name) if parser.has_section(name) else ()


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []
