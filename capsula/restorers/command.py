"""The command: its words as they were, but for paths that lead to where the run was, and its interpreter."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Replay(NamedTuple):
    """The command of a replay, where it runs, and what of it is not as it was recorded."""

    argv: tuple[str, ...]
    directory: Path
    rewritten: tuple[str, ...]
    """One line for each word that is another one now."""


def restored(
    words: Sequence[str], directory: str, old_root: Path, new_root: Path, programs: Mapping[Path, Path]
) -> Replay:
    """Return the command of a replay.

    Args:
        words: The recorded arguments, the program first.
        directory: Where it ran, relative to the root.
        old_root: The recorded root directory.
        new_root: The root directory of the workspace.
        programs: Each program, or folder of programs, of the recorded environment, to that of the rebuilt one.
    """
    cwd = old_root / directory
    first = _program(words[0], cwd, programs) if "/" in words[0] else None
    argv = tuple(
        first or _moved(word, old_root, new_root) if not index else _moved(word, old_root, new_root)
        for index, word in enumerate(words)
    )
    changed = tuple(f"{old} -> {new}" for old, new in zip(words, argv, strict=True) if old != new)
    return Replay(argv, new_root / directory, changed)


def _program(word: str, cwd: Path, programs: Mapping[Path, Path]) -> str | None:
    """Return the program of the rebuilt environment in place of that of the recorded one."""
    path = Path(os.path.normpath(cwd / word))
    folder = programs.get(path.parent)
    program = programs.get(path, folder / path.name if folder else None)
    return str(program) if program else None


def _moved(word: str, old_root: Path, new_root: Path) -> str:
    """Return the word with the old root replaced where it begins a path: alone, or as the value of an option."""
    option, equals, value = word.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_moved(value, old_root, new_root)}"
    path = Path(word)
    if word.startswith("/") and path.is_relative_to(old_root):
        return str(new_root / path.relative_to(old_root)) + ("/" if word.endswith("/") else "")
    return word
