"""The command line: ``capsula`` and ``python -m capsula``."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit; an interruption ends it as it ends other programs."""
    try:
        from capsula.cli.main import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        status = 128 + signal.SIGINT
    sys.exit(status)


if __name__ == "__main__":
    main()
