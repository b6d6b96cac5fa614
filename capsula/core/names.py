"""Laws of names: each answers why a name cannot be used, as the end of a sentence about it, or ``None``."""

from collections.abc import Iterable
from datetime import UTC, datetime
from os.path import normpath
from pathlib import Path, PurePath

OWN_NAMES = frozenset(
    {
        "context.json",
        "pre-run-info.json",
        "post-run-info.json",
        "stdout.log",
        "stderr.log",
        "outside",
        "files",
        "after",
        ".capsula",
    }
)
"""First components, compared without case, that only Capsula itself puts into a capsule."""

LONGEST_COMPONENT = 200
"""Bytes of one component; file systems take 255, and what Capsula appends must still fit."""

LONGEST_PATH = 1000
"""Bytes of a whole path; the system takes 4095, and the way to the vault must still fit."""

_STRANGE = ':*?"<>|\\'
"""What Windows refuses in names; a colon ends the name of a host for rsync and tar."""

_MOMENTS = (
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2025, 9, 24, 12, 34, 56, 789_000, tzinfo=UTC),  # a Wednesday in September: the longest names
)


def text_flaw(text: str) -> str | None:
    """Judge what is handed to the operating system: a path, a command line."""
    if not text:
        return "is empty"
    return "holds a NUL character" if "\0" in text else None


def variable_flaw(name: str) -> str | None:
    """Judge the name of an environment variable."""
    return text_flaw(name) or ("holds '='" if "=" in name else None)


def relative_flaw(path: str) -> str | None:
    """Judge a path that must stay below the directory it is joined to, and be portable."""
    if not path:
        return "is empty"
    if path.startswith("/"):
        return "is absolute"
    if any(map(_is_control, path)):
        return "holds a control character"
    flaw = next(filter(None, map(_component_flaw, path.split("/"))), None)
    return flaw or (f"has more than {LONGEST_PATH} bytes" if len(path.encode()) > LONGEST_PATH else None)


def capsule_flaw(name: str) -> str | None:
    """Judge the path of a capsule in the vault."""
    return relative_flaw(name) or next(filter(None, map(_reserved_flaw, name.split("/"))), None)


def template_flaw(template: str) -> str | None:
    """Judge what ``strftime`` makes of a template of capsule names, now and at other times."""
    if any(map(_is_control, template)):  # such a template, strftime itself may refuse
        return "holds a control character"
    return next(filter(None, (capsule_flaw(moment.strftime(template)) for moment in _MOMENTS)), None)


def portability_flaw(name: str) -> str | None:
    """Judge whether the path of a capsule, good as it is here, is one elsewhere.

    >>> portability_flaw("2025-09-24/12:34")
    "holds ':', which other systems do not allow in names, or tools take for something else"
    """
    strange = next((character for character in name if character in _STRANGE), None)
    if strange:
        return f"holds {strange!r}, which other systems do not allow in names, or tools take for something else"
    ending = next((part for part in name.split("/") if part.endswith((".", " "))), None)
    return f"has the component {ending!r}, the end of which other systems drop" if ending else None


def repository_flaw(name: str) -> str | None:
    """Judge the name of a git repository, which becomes paths in the capsule (see ``patch_paths``)."""
    first = name.partition("/")[0]
    reserved = f"begins with {first!r}, a name of Capsula's own" if first.casefold() in OWN_NAMES else None
    return relative_flaw(name) or reserved


def patch_paths(name: str) -> tuple[str, str]:
    """Return where in the capsule the patches of a repository stand: index to work tree, HEAD to index."""
    return f"{name}.diff", f"{name}.staged.diff"


def clashes(names: Iterable[str]) -> dict[str, str]:
    """Return the names of repositories whose patches cannot stand beside those of an earlier name, and that name."""
    files: dict[str, tuple[int, str]] = {}
    folders: dict[str, tuple[int, str]] = {}
    clashing: dict[str, str] = {}
    for place in enumerate(names):
        paths = patch_paths(place[1].casefold())
        rivals = [*map(files.get, (*paths, *above(paths[0]))), *map(folders.get, paths)]
        first = min(filter(None, rivals), default=None)
        if first is not None:
            clashing[place[1]] = first[1]
            continue
        files |= dict.fromkeys(paths, place)
        for folder in above(paths[0]):
            folders.setdefault(folder, place)
    return clashing


def above(path: str) -> list[str]:
    """Return the folders that a relative path leads through, the outermost first."""
    return [path[:index] for index, character in enumerate(path) if character == "/"]


def vault_flaw(directory: str, root: Path) -> str | None:
    """Judge the vault's path, which may lie anywhere but around the root."""
    if flaw := text_flaw(directory):
        return flaw
    if directory.startswith("~"):
        return "begins with ~, which only a shell expands; write the whole path"
    vault, top = placed(directory, root), placed("", root)
    if vault == top:
        return "is the root directory itself"
    return "is a directory that holds the root directory" if vault in top.parents else None


def is_below(path: str, root: Path) -> bool:
    """Tell whether a path, relative to the root or absolute, lies below the root, links not followed."""
    return placed("", root) in placed(path, root).parents


def placed(path: str, root: Path) -> PurePath:
    """Return where a path, relative to the root or absolute, leads if no link is followed."""
    return PurePath(normpath(root / path))


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff"


def _component_flaw(component: str) -> str | None:
    if not component:
        return "has an empty component"
    if component in {".", ".."}:
        return f"has the component {component!r}"
    too_long = len(component.encode()) > LONGEST_COMPONENT
    return f"has a component of more than {LONGEST_COMPONENT} bytes" if too_long else None


def _reserved_flaw(component: str) -> str | None:
    folded = component.casefold()
    reserved = folded.startswith(".capsula") or folded == ".gitignore"
    return f"has the component {component!r}, which Capsula keeps for itself" if reserved else None
