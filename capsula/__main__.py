"""The command line: ``capsula`` and ``python -m capsula``."""

import sys


def main() -> None:
    """Run the command line and exit."""
    from capsula.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
