"""Print as many MiB of text.

printer.py MIB
"""

import os
import sys

LINE = b"epoch 00012  loss 0.12345678  accuracy 0.98765432  a line\n"


def main(size: int) -> None:
    """Print block after block."""
    block = (LINE * (1024 * 1024 // len(LINE) + 1))[: 1024 * 1024]
    for _ in range(size):
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))
