"""Control groups, of either version, as far as they tell of those that were killed."""

from pathlib import Path

import pytest

from capsula.reading.control_groups import killed
from tests.repositories import write

EVENTS = b"low 0\nhigh 0\nmax 41\noom 3\noom_kill 2\noom_group_kill 0\n"
FIRST_VERSION = b"oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"proc/self/cgroup": b"0::/user/run\n", "sys/fs/cgroup/user/run/memory.events": EVENTS}, 2),
        ({"proc/self/cgroup": b"0::/of/the/host\n", "sys/fs/cgroup/memory.events": EVENTS}, 2),
        ({"proc/self/cgroup": b"0::/\n", "sys/fs/cgroup/cgroup.procs": b""}, None),
        ({"proc/self/cgroup": b"0::/run\n", "sys/fs/cgroup/run/memory.events": b"low 0\nhigh 0\nmax 0\noom 0\n"}, None),
        (
            {
                "proc/self/cgroup": b"4:memory:/job\n1:name=systemd:/\n0::/\n",
                "sys/fs/cgroup/memory/job/memory.oom_control": FIRST_VERSION,
                "sys/fs/cgroup/memory/memory.oom_control": FIRST_VERSION.replace(b"5", b"9"),
            },
            5,
        ),
        ({"proc/self/cgroup": b"4:memory:/job\n0::/\n", "sys/fs/cgroup/memory.events": EVENTS}, None),
        ({"proc/version": b""}, None),
    ],
)
def test_who_was_killed_is_told_by_the_group_that_counts_the_memory(
    tmp_path: Path, files: dict[str, bytes], count: int | None
) -> None:
    write(tmp_path, files)

    assert killed(tmp_path) == count
