"""Laws of the source: whatever was done to a work tree, it is restored byte for byte, and was not touched."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from property_tests.test_patches import CONTENTS, NAMES, OPERATIONS, Operation, _perform
from tests.repositories import git, tree
from tests.sources import ISOLATED, captured, config, directories, put_back, told, untouched

MORE_OPERATIONS = [*OPERATIONS, "hide", "convert", "directory", "nested", "commit", "ignore", "touch", "same size"]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NAMES, CONTENTS, max_size=6),
    st.lists(st.tuples(st.sampled_from(MORE_OPERATIONS), NAMES, NAMES, CONTENTS), max_size=12),
)
@example({"a": b"x"}, [("stage", "a", "a", b""), ("hide", "a", "a", b"")])
@example(
    {"a": b"x"},
    [("commit", "a", "a", b""), ("write", "d", "d", b"y"), *[(it, "d", "d", b"") for it in ("stage", "hide")]],
)
def test_every_file_is_restored_or_told(files: dict[str, bytes], operations: list[Operation]) -> None:
    with TemporaryDirectory() as directory:
        top = Path(directory, "origin")
        top.mkdir()
        git(top, "init", "--quiet", "--initial-branch=main")
        for name, content in files.items():
            _perform(top, "write", name, name, content)
        for operation in operations:
            _change(top, operation)
        before, there, folders = untouched(top), tree(top), directories(top)

        fragment = captured(config(top), Path(directory, "capsule"))
        fresh = Path(directory, "fresh")
        answer = put_back(fragment, Path(directory, "capsule"), top, fresh, ISOLATED)

        assert answer.unwrap().needs == ()
        assert fragment.faults == ()
        ignored = _ignored(top)
        assert tree(fresh) == {path: file for path, file in there.items() if not path.startswith(ignored)}
        assert directories(fresh) == folders
        assert untouched(top) == before
        # What git ignores belongs to the tree once it is in the index, which is not brought back.
        if not git(top, "ls-files", "--cached", "--ignored", "--exclude-standard"):
            again = captured(config(fresh), Path(directory, "another"))
            assert told(again, "digest") == told(fragment, "digest")


def _change(top: Path, operation: Operation) -> None:
    kind, name, other, content = operation
    path = top / name
    match kind:
        case "hide":
            git(top, "update-index", "--assume-unchanged", "--", name, check=False)
        case "convert":
            _perform(top, "write", ".gitattributes", "", b"* text=auto eol=crlf\n" + name.encode("ascii", "ignore")[:1])
        case "directory" if not os.path.lexists(path):
            _perform(top, "write", f"{name}/x", "", b"")
            (path / "x").unlink()
        case "nested" if not os.path.lexists(path):
            _perform(top, "write", f"{name}/x", "", content)
            git(path, "init", "--quiet")
        case "commit":
            git(top, "add", "--all", check=False)
            git(top, "commit", "--quiet", "--message=.", check=False)
        case "ignore":
            _perform(top, "write", ".gitignore", "", b"/d/e\n")
        case "touch" if path.is_file():
            os.utime(path, (1, 1))
        case "same size" if path.is_file() and not path.is_symlink():
            status = path.stat()
            path.write_bytes(path.read_bytes()[::-1])
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        case "stage all":  # git refuses a repository inside that has no commit
            git(top, "add", "--all", check=False)
        case _ if kind in OPERATIONS:
            _perform(top, kind, name, other, content)


def _ignored(top: Path) -> tuple[str, ...]:
    """Return what git ignores, of what neither the index nor the commit has; a repository ends with a slash."""
    listed = git(top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard").split(b"\0")
    committed = git(top, "ls-tree", "-r", "-z", "--name-only", "HEAD", check=False).split(b"\0")
    return tuple(os.fsdecode(path) for path in listed if path and path not in committed)
