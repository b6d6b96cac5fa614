"""What numbers depend on, read from the machine without asking any program."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from capsula.collectors.determinism import observed
from tests.running import PLAIN, document, only_capsule

ROOT = Path("/")


def test_variables_are_told_by_what_they_do() -> None:
    wanted = {"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Zen", "LC_ALL": "C", "TZ": "UTC"}
    environ = {**wanted, "HOME": "/", "MKL_TOKEN": "secret", "TF_VAR_region": "north"}

    facts = observed(ROOT, environ)

    assert facts["numerics"] == {"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Zen"}
    assert facts["locale"] == {"LC_ALL": "C", "TZ": "UTC"}


def test_the_process_is_described_as_it_is() -> None:
    facts = observed(ROOT, {})

    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    assert facts["cpu_count"] == os.cpu_count()
    assert facts["affinity"] == len(os.sched_getaffinity(0))
    assert facts["limits"]["stack"] == (None if stack == resource.RLIM_INFINITY else stack)  # type: ignore[index,call-overload]  # a table of ours
    assert re.fullmatch("0[0-7]{3}", str(facts["umask"]))
    json.dumps(facts)


def test_the_umask_and_the_affinity_are_those_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "capsula.toml").write_text(PLAIN.replace("include-system = false", ""))
    command = "umask 0027; exec taskset -c 0 $0 -m capsula capture"

    subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, check=True, capture_output=True)

    facts = document(only_capsule(tmp_path), "context.json")["determinism"]
    assert isinstance(facts, dict)
    assert (facts["umask"], facts["affinity"]) == ("0027", 1)


def test_build_ids_are_those_that_the_linker_noted() -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("needs: readelf")
    libraries = observed(ROOT, {})["libraries"]
    assert isinstance(libraries, dict)

    libc = next(path for path in Path("/lib").glob("*-linux-gnu/libc.so.6"))
    noted = subprocess.run([readelf, "-n", libc], capture_output=True, text=True, check=True).stdout

    assert f"Build ID: {libraries['libc.so.6']}" in noted


ELF = b"\x7fELF\2\1"


@pytest.mark.parametrize("content", [b"", b"no library", ELF[:4], ELF + bytes(58), ELF + b"\xff" * 58])
def test_a_library_that_is_none_costs_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libc.so.6").write_bytes(content)

    assert observed(tmp_path, {})["libraries"] == {}


def test_the_flags_of_the_processor_are_one_whatever_their_order(tmp_path: Path) -> None:
    facts = []
    for name, flags in (("a", "sse avx"), ("b", "avx sse"), ("c", "avx")):
        (tmp_path / name / "proc").mkdir(parents=True)
        (tmp_path / name / "proc/cpuinfo").write_text(f"model name\t: X\nflags\t\t: {flags}\n\nflags\t: other\n")
        facts.append(observed(tmp_path / name, {})["cpu"])

    assert facts[0] == facts[1]
    assert facts[0] != facts[2]
    assert facts[0]["model"] == "X"  # type: ignore[index,call-overload]  # a table of ours


def test_nothing_to_see_is_null_and_no_fault(tmp_path: Path) -> None:
    facts = observed(tmp_path, {})

    assert {name for name, fact in facts.items() if fact is None} == {"time_zone", "affinity", "umask"}
    assert facts["cpu"] == {"model": None, "flags_digest": None}
