"""Fuzz some readers in this process: ``python -m property_tests.fuzz.child ROOT READERS OPTION...``

``ROOT`` is a copy of a project that nobody else uses, ``READERS`` are names with colons between them; the options, and
a directory of contents to begin with, are those of libFuzzer. The first byte of a content says which reader reads it.
"""

import resource
import sys
from pathlib import Path
from random import Random

import atheris

MOST = 1 << 30
"""Bytes of addresses: whatever it reads, Capsula gets by with less, and the fuzzer with it."""


def main(root: Path, names: list[str], options: list[str]) -> None:
    """Fuzz until the options say that it is enough; the status is libFuzzer's."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    with atheris.instrument_imports(include=["capsula"]):
        from property_tests.fuzz.mutations import mutated
        from property_tests.fuzz.readers import READERS

        readers = [READERS[name] for name in names]

        def tried(content: bytes) -> None:
            if content:
                readers[content[0] % len(readers)].tried(root, content[1:])

        def changed(content: bytes, most: int, seed: int) -> bytes:
            random = Random(seed)
            if random.random() < 0.5:
                return content[:1] + mutated(content[1:], random)[: most - 1]
            anyhow: bytes = atheris.Mutate(content, most)
            return anyhow

        atheris.Setup(["fuzz", *options], tried, custom_mutator=changed)
        atheris.Fuzz()  # modules are imported, and instrumented, when they are needed


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2].split(":"), sys.argv[3:])
