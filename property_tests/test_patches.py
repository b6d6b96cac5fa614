"""Laws of the patches: applied in turn to a fresh checkout, they give back the work tree."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.repositories import captured, commit, fact, git, given_back, patches, tracked

LINES = st.lists(st.sampled_from([b"one", b"two", b"", b" ", b"\xe9t\xe9", b"+", b"-- a", b"@@ -1 +1 @@", b"a\0b"]))
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LAST = st.sampled_from([b"", b"\n", b"\n\n"])
CONTENTS = st.builds(lambda lines, end, last: end.join(lines) + last, LINES, ENDS, LAST) | st.binary(max_size=60)

PLAIN_NAMES = ["a", "b", "d", "d/a", "d/b", "d/e/a"]
ODD_NAMES = ["a b", " a", "b ", 'q"', "tab\t", "line\n", "\u00e9", "\udcff", "-a", "back\\", "@@ ", "\x7f"]
NAMES = st.sampled_from(PLAIN_NAMES + ODD_NAMES)

OPERATIONS = ["write", "delete", "rename", "program", "link", "stage", "stage all", "unstage", "intend"]
Operation: TypeAlias = tuple[str, str, str, bytes]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NAMES, CONTENTS, max_size=6),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(OPERATIONS), NAMES, NAMES, CONTENTS), max_size=12),
)
@example({"d/a": b""}, True, [("link", "d", "d", b"")])
def test_patches_give_back_every_tracked_file_and_no_deleted_one(
    files: dict[str, bytes], born: bool, operations: list[Operation]
) -> None:
    with TemporaryDirectory() as directory:
        origin = _worked_on(Path(directory, "origin"), files, born, operations)

        fragment = captured(origin)

        assert given_back(origin, Path(directory, "fresh"), patches(fragment)) == tracked(origin)
        assert fact(fragment, "origin", "untracked") == _untracked(origin)
        assert fact(fragment, "origin", "dirty") is bool(git(origin, "status", "--porcelain"))
        assert fact(fragment, "origin", "caveats") is None


def _worked_on(top: Path, files: dict[str, bytes], born: bool, operations: list[Operation]) -> Path:
    top.mkdir()
    git(top, "init", "--quiet", "--initial-branch=main")
    for name, content in files.items():
        _perform(top, "write", name, name, content)
    if born:
        commit(top)
    for operation in operations:
        _perform(top, *operation)
    return top


def _untracked(top: Path) -> list[str]:
    paths = git(top, "ls-files", "-z", "--others").split(b"\0")
    return sorted(os.fsdecode(path) for path in paths if path)


def _perform(top: Path, operation: str, name: str, other: str, content: bytes) -> None:
    path = top / name
    match operation:
        case "write":
            _vacate(path, top)
            path.write_bytes(content)
        case "link":
            _vacate(path, top)
            path.symlink_to(other)
        case "delete":
            _remove(path)
        case "rename" if os.path.lexists(path) and not _within(path, top / other):
            _vacate(top / other, top)
            path.rename(top / other)
        case "program" if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode ^ 0o111)
        case "stage":
            git(top, "add", "--all", "--", name, check=False)
        case "stage all":
            git(top, "add", "--all")
        case "unstage":
            git(top, "rm", "--quiet", "-r", "--cached", "--", name, check=False)
        case "intend":
            git(top, "add", "--intent-to-add", "--", name, check=False)


def _vacate(path: Path, top: Path) -> None:
    """Make room for a file at ``path``: whatever stands there, or is no directory on the way, goes."""
    _remove(path)
    for parent in reversed(path.relative_to(top).parents):
        if (top / parent).is_symlink() or not (top / parent).is_dir():
            _remove(top / parent)
            (top / parent).mkdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _within(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
