"""What a decorated call costs in a running process; tells the median seconds of one.

calls.py capsula|upstream|files DIRECTORY [COUNT]

The directory is that of the configuration; ``files`` makes a directory with three JSON files there instead.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

FIRST = 3
"""Calls that are not counted: they import, and fill caches."""


def main(kind: str, directory: Path, count: int = 40) -> None:
    """Call so often, and tell what one took."""
    call = {"capsula": decorated, "upstream": upstream, "files": files}[kind](directory)
    taken = []
    for number in range(count + FIRST):
        begun = perf_counter()
        call(number)
        taken.append(perf_counter() - begun)
    print(median(taken[FIRST:]))


def decorated(directory: Path) -> Callable[[int], object]:
    """Return a function under our decorator."""
    import capsula

    @capsula.monitor(directory)
    def call(number: int) -> int:
        return number

    return call


def upstream(directory: Path) -> Callable[[int], object]:
    """Return a function under upstream's decorator."""
    import logging

    import capsula

    logging.disable()
    decorate = capsula.monitor(directory, items=[])
    return decorate(lambda number: number)


def files(directory: Path) -> Callable[[int], object]:
    """Return a function that makes a directory and writes three small JSON files."""
    facts = {"number": 0, "names": [str(number) for number in range(40)]}

    def call(number: int) -> None:
        folder = directory / f"{os.getpid()}-{number}"
        folder.mkdir()
        for name in ("context.json", "pre-run-info.json", "post-run-info.json"):
            (folder / name).write_text(json.dumps({**facts, "number": number}))

    return call


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
