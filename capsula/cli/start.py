"""``capsula start``."""

import shlex
from argparse import ArgumentParser, Namespace

from returns.result import Success

from capsula.cli.capture import tell
from capsula.cli.console import Console
from capsula.cli.main import USAGE
from capsula.core.naming import memorable
from capsula.core.strict import conflicts, item_mistakes
from capsula.flows.environment import told_of
from capsula.flows.session import Session, started

EXAMPLES = """
examples:
  capsula start --note "laser at 3 mW"    then measure, click, type; and at the end: capsula finish
  capsula start -i training               the files of [monitor.item.training] are kept at the end
  eval "$(capsula start --export)"        what this shell runs knows of the capsule, and may record into it

The capsule is open until it is finished, even if the machine is restarted meanwhile.
exit status: 0 started, with or without faults; 1 not started; 2 a mistake to mend
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "-i", "--item", action="append", default=[], metavar="ITEM", help="keep the files of this item; may be repeated"
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="what it is about, for `capsula list`")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--export", action="store_true", help="print lines that tell a shell of the capsule")
    form.add_argument("--json", action="store_true", help="print an account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Open a capsule, and say where it is."""
    config = console.config(options)
    if config is None:
        return USAGE
    items = tuple(dict.fromkeys(options.item))
    mistakes = (*item_mistakes(config.settings, items), *conflicts(config.settings, items))
    if mistakes:
        console.mistakes(mistakes)
        return USAGE
    answer = started(config, Session(items, options.note), console.report, options.apart)
    if not isinstance(answer, Success):
        console.mistakes((answer.failure(),))
        return 1
    capsule = answer.unwrap()
    if options.export:
        console.faults(capsule.faults)
        console.out("\n".join(f"export {name}={shlex.quote(value)}" for name, value in told_of(capsule).items()))
    else:
        tell(capsule, console, as_object=options.json)
    name = memorable(capsule.header.id)
    console.note(f"started {name}; when it is over: capsula finish {name}")
    return 0
