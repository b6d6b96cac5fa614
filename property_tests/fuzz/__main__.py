"""Fuzz every reader, guided by what of Capsula each content reaches.

    python -m property_tests.fuzz [--seconds N] [--corpus DIRECTORY] [READER]...

Contents that reach something new are kept in the directory (``.fuzz``), and are where the next time begins.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

from property_tests.fuzz.fuzzing import fuzzed
from property_tests.fuzz.projects import project
from property_tests.fuzz.readers import READERS


def main() -> int:
    """Return the exit status: 1 if a reader failed."""
    parser = ArgumentParser(prog="python -m property_tests.fuzz", description="Fuzz what reads files.")
    parser.add_argument("--seconds", type=int, default=60, help="how long each reader is fuzzed (60)")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="where contents are kept (.fuzz)")
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    options = parser.parse_args()
    failed = 0
    with TemporaryDirectory() as scratch:
        root = project(Path(scratch))
        for name in options.readers or READERS:
            outcome = fuzzed(root, options.corpus.absolute() / name, [name], f"-max_total_time={options.seconds}")
            failed += outcome.failed is not None
            print(f"{name}: {outcome}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
