"""The system, as its files tell: of this machine, and of others whose files are laid out here."""

import json
from pathlib import Path

import pytest

from capsula.collectors.system import collect, observed
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment
from capsula.core.settings import Settings
from tests.repositories import fact


def machine(top: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content)
    return top


def limits(fragment: Fragment) -> Json:
    return fact(fragment, "limits")


def test_this_machine_tells_its_system() -> None:
    fragment = collect(Config(Path("/"), Settings(), Surroundings(Path("/"), {}, (), "python"))).unwrap()

    assert isinstance(fragment.facts, dict)
    assert set(fragment.facts) >= {"kernel", "libc", "machine", "container", "limits"}
    assert fact(fragment, "kernel") == Path("/proc/sys/kernel/osrelease").read_text().strip()
    json.dumps(fragment.facts)


def test_a_release_is_told_in_three_words(tmp_path: Path) -> None:
    release = 'NAME="Debian"\nID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n'

    fragment = observed(machine(tmp_path, {"usr/lib/os-release": release}), {})

    assert fact(fragment, "release") == {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12"}


def test_a_system_without_a_release_says_so_and_tells_the_rest(tmp_path: Path) -> None:
    fragment = observed(tmp_path, {})

    assert fragment.faults == (Fault("missing", "there is no os-release", path=("release",)),)
    assert (fact(fragment, "container"), limits(fragment)) == (None, {"cpus": None, "memory": None})


@pytest.mark.parametrize(
    ("files", "environ", "container"),
    [
        ({".dockerenv": ""}, {}, {"kind": "docker", "image": None}),
        ({"run/.containerenv": ""}, {"CAPSULA_IMAGE": "x@sha256:1"}, {"kind": "podman", "image": "x@sha256:1"}),
        ({"proc/self/cgroup": "0::/kubepods/pod1/c1\n"}, {}, {"kind": "kubernetes", "image": None}),
        ({}, {"APPTAINER_CONTAINER": "/image.sif"}, {"kind": "apptainer", "image": None}),
        ({}, {"CAPSULA_IMAGE": "x"}, {"kind": "unknown", "image": "x"}),
        ({"proc/self/cgroup": "0::/user.slice\n"}, {}, None),
    ],
)
def test_a_container_is_known_by_its_marks(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str], container: Json
) -> None:
    assert fact(observed(machine(tmp_path, files), environ), "container") == container


def test_the_tightest_limit_of_all_groups_around_holds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/outer/inner\n",
        "sys/fs/cgroup/outer/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n",
        "sys/fs/cgroup/outer/memory.max": "max\n",
        "sys/fs/cgroup/outer/inner/memory.max": "1073741824\n",
    }

    assert limits(observed(machine(tmp_path, files), {})) == {"cpus": 1.5, "memory": 1073741824}


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/a\n2:cpu,cpuacct:/a\n0::/\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "200000\n",
        "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
    }

    assert limits(observed(machine(tmp_path, files), {})) == {"cpus": 2.0, "memory": 536870912}
