"""Print what ``cpuinfo.get_cpu_info()`` returns, as JSON, without the second that it sleeps to no avail.

py-cpuinfo measures the clock for a second, and drops the measurement where an earlier source has told the clock: there
it is not measured. That relies on private names (so its version is pinned), and a test holds the answers equal.
"""
# ruff: noqa: SLF001

import json
import multiprocessing
import os
import sys

from cpuinfo import cpuinfo


def main() -> None:
    """Print the answer."""
    os.environ.setdefault("PATH", os.defpath)  # py-cpuinfo takes for granted that there is one
    multiprocessing.set_start_method("fork")  # py-cpuinfo was written for it, and its child inherits the change
    if _clock_is_known():
        cpuinfo.CPUID.get_raw_hz = lambda _cpuid: 0
    json.dump(cpuinfo._get_cpu_info_internal(), sys.stdout)


def _clock_is_known() -> bool:
    sources = (cpuinfo._get_cpu_info_from_proc_cpuinfo, cpuinfo._get_cpu_info_from_lscpu)
    return any({"hz_actual", "hz_actual_friendly"} <= source().keys() for source in sources)


if __name__ == "__main__":
    main()
