"""``capsula finish``."""

from argparse import ArgumentParser, Namespace

from returns.result import Success

from capsula.cli.capture import tell
from capsula.cli.console import Console
from capsula.cli.main import USAGE
from capsula.flows.session import finished, meant

EXAMPLES = """
examples:
  capsula finish                     the capsule that is open, if there is one alone, or that this shell knows of
  capsula finish brave-otter         one of several
  capsula finish --status failed     it did not work

exit status: 0 finished, with or without faults; 1 its end could not be recorded, and it is still open; 2 a mistake
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("capsule", nargs="?", metavar="CAPSULE", help="which one (default: the one that is open)")
    parser.add_argument(
        "--status", choices=("finished", "failed"), default="finished", help="how it ended (default: finished)"
    )
    parser.add_argument("--json", action="store_true", help="print an account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Close a capsule, and say where it is."""
    config = console.config(options)
    if config is None:
        return USAGE
    which = meant(config, options.capsule)
    if not isinstance(which, Success):
        console.mistakes((which.failure(),))
        return USAGE if which.failure().kind in {"unknown capsule", "ambiguous"} else 1
    answer = finished(config, which.unwrap(), options.status)
    if not isinstance(answer, Success):
        console.mistakes(answer.failure())
        return USAGE if any(fault.kind == "mistake" for fault in answer.failure()) else 1
    tell(answer.unwrap(), console, as_object=options.json)
    return 0
