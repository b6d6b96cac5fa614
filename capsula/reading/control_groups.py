"""Control groups: what the kernel allots to processes and counts of them, in one hierarchy or one for each kind."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from capsula.reading.text import text

MOUNT = Path("sys/fs/cgroup")
"""Where they are, below the top of all files."""


def groups(top: Path) -> Mapping[str, str]:
    """Return the path of this process's group by controller; that of the only hierarchy has no name."""
    return dict(_groups(text(top / "proc/self/cgroup")))


def up(mount: Path, group: str) -> Iterator[Path]:
    """Yield the folders of a group and of all that hold it; in a container, the own group may be the mount itself."""
    inside = mount / group.strip("/")
    yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(mount))


def killed(top: Path = Path("/")) -> int | None:
    """Return how many processes of our group were killed so far for want of memory, of the group's or the machine's.

    In the only hierarchy those of the groups in ours are among them. None where nobody counts.
    """
    known = groups(top)
    if "memory" in known:
        files = (folder / "memory.oom_control" for folder in up(top / MOUNT / "memory", known["memory"]))
    else:
        files = (folder / "memory.events" for folder in up(top / MOUNT, known.get("", "/")))
    told = next(filter(None, map(text, files)), "")
    counts = dict(row.split() for row in told.splitlines() if row.count(" ") == 1)
    return int(counts[_KILLED]) if _KILLED in counts else None


_KILLED = "oom_kill"


def _groups(listing: str) -> Iterator[tuple[str, str]]:
    for line in listing.splitlines():
        _, controllers, path = line.split(":", 2)
        yield from ((controller, path) for controller in controllers.split(","))
