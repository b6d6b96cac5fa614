"""The command line: ``capsula`` and ``python -m capsula``."""

import gc
import os
import sys


def main() -> None:
    """Run the command line and exit; an interruption ends it as it ends other programs."""
    try:
        gc.set_threshold(_MANY)
        _prefer_our_own()
        words = sys.argv[1:]
        from capsula.cli.ahead import ahead

        with ahead(words) as apart:
            from capsula.cli.main import run

            status = run(words, apart)
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        status = 128 + signal.SIGINT
    sys.exit(status)


_MANY = 50_000
"""New objects after which garbage is looked for: of what a start makes there is next to none."""


def _prefer_our_own() -> None:
    """Look last where PYTHONPATH says: it is for the command, and a module there may be called as one that we need."""
    told = os.environ.get("PYTHONPATH")
    if told:
        theirs = {*map(os.path.abspath, told.split(os.pathsep))}
        sys.path.sort(key=theirs.__contains__)


if __name__ == "__main__":
    main()
