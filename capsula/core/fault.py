"""A fault: something that could not be learned or done, as a value."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple, TypeAlias, TypeGuard

KeyPath: TypeAlias = tuple[str, ...]
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Fault(NamedTuple):
    """What happened, where in the document the fact would have stood, and what to do about it.

    ``kind`` is a short word a program can compare (``missing``, ``unset``, ``crashed``, ...);
    ``message`` and ``remedy`` are sentences for a person; ``path`` is the keys from the top of the document.
    """

    kind: str
    message: str
    remedy: str = ""
    path: KeyPath = ()
    origin: str = ""
    """Of a mistake: the file that holds it, or the option of the command line."""

    def under(self, *keys: str) -> "Fault":
        """Return the same fault, its path seen from ``keys`` further up."""
        return self._replace(path=keys + self.path)

    def as_facts(self) -> dict[str, Json]:
        """Return the fault as it stands in a document."""
        facts: dict[str, Json] = {"path": list(self.path), "kind": self.kind, "message": self.message}
        if self.remedy:
            facts["remedy"] = self.remedy
        return facts

    def __str__(self) -> str:
        place = " > ".join(self.path).replace("\n", "\\n")  # a key may be anything, a file's name too
        text = f"{place}: {self.message}" if self.path else self.message
        text = f"{self.origin}: {text}" if self.origin else text
        return f"{text} ({self.remedy})" if self.remedy else text


def crash_of(bug: Exception, remedy: str) -> Fault:
    """Return the fault that an exception amounts to which nobody meant to be raised.

    One that only says that there is no room left, as for the program around, is nothing to be mended.
    """
    from traceback import TracebackException  # it tells even an exception whose own methods raise

    message = f"{type(bug).__name__}: {TracebackException(type(bug), bug, None)}"
    if isinstance(bug, (RecursionError, MemoryError)):
        return Fault("exhausted", message)
    return Fault("crashed", message, remedy)


def fault_of(error: OSError, subject: str = "") -> Fault:
    """Return the fault that an error of the operating system amounts to."""
    from errno import EACCES, EDQUOT, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS

    kind = {
        ENOENT: "missing",
        ENOTDIR: "missing",
        EACCES: "forbidden",
        EPERM: "forbidden",
        ENOSPC: "full",
        EDQUOT: "full",
        EROFS: "read-only",
    }.get(error.errno or 0, "failed")
    reason = error.strerror or str(error)
    return Fault(kind, f"{subject}: {reason}" if subject else reason)


def is_json(value: object) -> TypeGuard[Json]:
    """Tell whether a value can stand in a document: what others bring is checked by no one else."""
    match value:
        case None | bool() | int() | str():
            return True
        case float():
            return isfinite(value)
        case Mapping():
            return all(isinstance(key, str) and is_json(part) for key, part in value.items())
        case list() | tuple():
            return all(is_json(part) for part in value)
    return False
