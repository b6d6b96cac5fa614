"""Writing files of our own: private, never over another file, whole or not at all."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EINVAL, ENAMETOOLONG, ENOENT, ENOSYS, ENOTSUP
from itertools import takewhile
from pathlib import Path

from capsula.core.fault import Fault, fault_of

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

LEFT_ASIDE = re.compile(r".+\.\d+\.[0-9a-f]{8}")
"""The name of a file that was not yet in its place when its process died."""

_MANY = 256
"""Files and folders, above which one call for their whole file system costs less than one for each."""
_TELLS_ERRORS = (5, 8)
"""The first Linux on which that call does not keep to itself what could not be written."""
_UNSUPPORTED = {EINVAL, ENOSYS, ENOTSUP}
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_CLOSED = {EACCES, ENAMETOOLONG, ENOENT}
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def folders(folder: Path) -> tuple[Path, ...]:
    """Make a private folder, and those above it that are missing; return these, the innermost first."""
    missing = tuple(takewhile(lambda each: not each.is_dir(), (folder, *folder.parents)))
    for each in reversed(missing):
        try:
            founded(each)
        except FileExistsError:
            if not each.is_dir():
                raise
    return missing


def founded(folder: Path) -> None:
    """Make a new private folder; the one above it is there."""
    folder.mkdir(PRIVATE_FOLDER)
    folder.chmod(PRIVATE_FOLDER)  # the umask may have taken from it what its owner needs


def created(file: Path) -> int:
    """Open a new private file for writing and reading, and return its descriptor."""
    descriptor = os.open(file, _NEW, PRIVATE_FILE)
    os.fchmod(descriptor, PRIVATE_FILE)  # the umask may have taken from it what its owner needs
    return descriptor


def written(file: Path, chunks: Iterable[bytes]) -> int:
    """Write a new private file, and return its size in bytes; what could be written in part only is removed."""
    with open(created(file), "wb") as stream, removed_unless_whole(file):
        size = sum(map(stream.write, chunks))
        stream.flush()
    return size


def put(file: Path, text: bytes) -> None:
    """Write a new private file that holds a text; what could be written in part only is removed."""
    descriptor = created(file)
    try:
        with removed_unless_whole(file):
            left = memoryview(text)
            while left:
                left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


@contextmanager
def removed_unless_whole(file: Path) -> Iterator[None]:
    """Remove a file of our own if it cannot be finished."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            file.unlink()
        raise


def replaced(file: Path, text: bytes, aside: Path, *, durable: bool) -> tuple[Fault, ...]:
    """Put a file in its place by one rename; ``aside`` is a folder on the same file system.

    The fault is that of ``settled``: the file is there already.
    """
    temporary = aside / f"{file.name}.{os.getpid()}.{os.urandom(4).hex()}"
    put(temporary, text)
    with removed_unless_whole(temporary):
        if durable:
            synchronised(temporary)
        temporary.replace(file)
    return settled((file.parent,)) if durable else ()


def removed(path: Path) -> None:
    """Remove a file, or a folder and all below it, however deep; what cannot be removed stays. No link is followed."""
    directories, others = [os.fspath(path)], [os.fspath(path)]
    for each in directories:
        with suppress(OSError):
            descriptor = os.open(each, _FOLDER)
            try:
                with os.scandir(descriptor) as entries:
                    for entry in entries:
                        known = directories if entry.is_dir(follow_symlinks=False) else others
                        known.append(f"{each}/{entry.name}")
            finally:
                os.close(descriptor)
    for remove, paths in ((os.unlink, others), (os.rmdir, reversed(directories))):
        for each in paths:
            with suppress(OSError):
                remove(each)


def settled(folders: Iterable[Path]) -> tuple[Fault, ...]:
    """Have the disk hold the names in folders, which are there already; where it does not, that is a fault."""
    for folder in folders:
        try:
            synchronised(folder)
        except OSError as error:
            told = fault_of(error, f"what is new in {folder} is there, and may be lost if the power fails")
            return (Fault(told.kind, told.message, "look after the disk, and keep a copy elsewhere"),)
    return ()


def synchronised(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before this returns."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems (of networks, in user space) know no such thing for folders; a disk that fails says EIO.
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def all_synchronised(folder: Path, *, is_shared: bool = False) -> None:
    """Have the disk hold all that is below a folder, and then the folder.

    If it ``is_shared``, others put into it what they like: what of that we may not open is left to them.
    """
    paths = [*_below(folder)]
    if len(paths) > _MANY and _file_system_synchronised(folder):
        return
    for path in paths:
        try:
            synchronised(path)
        except OSError as error:
            if not is_shared or error.errno not in _CLOSED:
                raise


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files and folders below a folder, what is in a folder before it, and last the folder itself."""
    found = [folder]
    for each in found:
        try:
            listing = os.scandir(each)
        except OSError:  # nor can it be opened, and who tries will learn why
            continue
        with listing as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
    yield from reversed(found)


def _file_system_synchronised(folder: Path) -> bool:
    """Have the disk hold the whole file system of a folder; tell whether it can be asked, and says when it fails."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if sys.platform != "linux" or release is None or (int(release[1]), int(release[2])) < _TELLS_ERRORS:
        return False
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not hasattr(library, "syncfs"):
            return False
        if library.syncfs(descriptor) == 0:
            return True
        error = ctypes.get_errno()
        if error in _UNSUPPORTED:
            return False
        raise OSError(error, os.strerror(error), str(folder))
    finally:
        os.close(descriptor)
