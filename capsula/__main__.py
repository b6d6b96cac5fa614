"""The command line: ``capsula`` and ``python -m capsula``."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and exit; an interruption ends it as it ends other programs."""
    gc.set_threshold(_MANY)
    words = sys.argv[1:]
    try:
        from capsula.cli.ahead import ahead

        with ahead(words) as apart:
            from capsula.cli.main import run

            status = run(words, apart)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        status = 128 + signal.SIGINT
    sys.exit(status)


_MANY = 50_000
"""New objects after which garbage is looked for: of what a start makes there is next to none."""

if __name__ == "__main__":
    main()
