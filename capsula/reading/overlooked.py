"""Overlooking: a large directory of a work tree that libgit2 is told to pass by; nothing is written for that."""

import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pygit2

_FEW = range(2, 128)
"""Names of a directory that has few directories in it, where a file system counts them: to look at each costs less."""


def overlook(repository: pygit2.Repository, directory: Path) -> None:
    """Have no walk of a work tree enter a directory in it, which ignores all that it holds.

    Its own ``.gitignore`` has each name in it looked at, and so a vault would cost each run the more, the more runs it
    holds. Where libgit2 cannot be told, it does.
    """
    top = Path(repository.workdir)
    if directory == top or not directory.is_relative_to(top) or not _is_large(directory):
        return
    path, add_rule = os.fsencode(directory.relative_to(top)), _rule_adder()
    if add_rule and _UNTELLABLE.isdisjoint(path):
        add_rule(int.from_bytes(repository._pointer, sys.byteorder), _rule(path))  # noqa: SLF001  # it is what C takes


def _is_large(directory: Path) -> bool:
    try:
        return directory.stat().st_nlink not in _FEW
    except OSError:
        return False


def _rule(path: bytes) -> bytes:
    r"""Return the line of an ignore file for a directory.

    >>> _rule(b"a/v*")
    b'/a/v\\*/\n'
    """
    return b"/%b/\n" % re.sub(rb"([\\*?\[ ])", rb"\\\1", path)


_UNTELLABLE = frozenset(b"\r\n")


@cache
def _rule_adder() -> Callable[[int, bytes], int] | None:
    """Return libgit2's ``git_ignore_add_rule``, for an open repository alone; none if it is not to be had."""
    import ctypes  # only where there is much to pass by

    try:
        add_rule = ctypes.CDLL(pygit2._pygit2.__file__).git_ignore_add_rule  # noqa: SLF001  # the one it has loaded
    except (OSError, AttributeError):
        return None
    add_rule.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    return add_rule
