"""The entrance of the command line: global options, and the command's own module, imported when it is chosen."""

import signal
import sys
from argparse import SUPPRESS, ArgumentParser, HelpFormatter, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from capsula import __version__
from capsula.cli.words import VALUED, split

if TYPE_CHECKING:
    from capsula.cli.console import Console
    from capsula.flows.apart import Apart

COMMANDS = {
    "capture": "capture the context and keep it in a new capsule",
    "monitor": "run a command and keep its context, its output and its results",
    "start": "open a capsule around what is no command: an instrument, a series of commands",
    "finish": "close a capsule that was opened with `start`",
    "list": "list the capsules of the vault",
    "show": "show what a capsule holds",
    "verify": "compare the context of a capsule with what is here now",
    "diff": "compare two capsules",
    "check": "search capsules for secrets",
    "checkout": "restore the source that a capsule holds, in a fresh directory",
    "reproduce": "bring a run back in a fresh directory, and judge the result",
    "init": "write a commented capsula.toml that suits this directory",
    "completion": "print what lets a shell complete the words of a command line",
}

USAGE = 2
LEVELS = ("debug", "info", "warning", "error")

EXAMPLES = """
first steps:
  capsula monitor python train.py --lr 0.1    run a command and keep all about it
  capsula list                                the runs so far, the newest first
  capsula show                                the newest one
  capsula init                                write a capsula.toml, to say what else to keep

No configuration is needed. Capsules are kept in the vault directory, `vault` if the configuration does not say.
`capsula COMMAND --help` tells more about a command.
"""


class Command(Protocol):
    """The module of a command."""

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the options and arguments of the command."""

    def run(self, options: Namespace, console: "Console") -> int:
        """Run the command and return the exit status."""


class Parser(ArgumentParser):
    """A parser that says a mistake in one line, and ends with the status that the command has for mistakes."""

    status = USAGE

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to learn more, and exit."""
        from capsula.cli.console import Console, safe

        Console().error(safe(f"{message}; see `{self.prog} --help`"))
        sys.exit(self.status)


def run(words: Sequence[str], apart: "Apart | None" = None) -> int:
    """Run the command line and return its exit status; ``apart`` reads the repositories for a command that looks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal's encoding may know less than what is shown
    front, rest = split(words, VALUED)
    parser = _parser()
    options = parser.parse_args(front)
    if not rest:
        parser.print_help()
        return 0
    name, *words = rest
    if name not in COMMANDS:
        from difflib import get_close_matches  # for who mistypes alone

        near = get_close_matches(name, COMMANDS, n=1)
        parser.error(f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    options.apart = apart
    return _run(name, words, options)


def command_parser(name: str) -> tuple[Command, Parser]:
    """Return the module of a command, and the parser of its words."""
    command: Command = import_module(f"capsula.cli.{name}")
    parser = Parser(
        prog=f"capsula {name}",
        description=f"{COMMANDS[name].capitalize()}.",
        epilog=getattr(command, "EXAMPLES", None),
        formatter_class=_narrow,
        parents=[_common()],
        allow_abbrev=False,
    )
    parser.status = getattr(command, "MISTAKE", USAGE)
    command.arguments(parser)
    parser.formatter_class = RawDescriptionHelpFormatter
    return command, parser


def _run(name: str, words: Sequence[str], options: Namespace) -> int:
    command, parser = command_parser(name)
    valued = getattr(command, "VALUED", None)
    if valued is None:
        parser.parse_args(words, options)
    else:
        front, options.command = split(words, VALUED | valued)
        parser.parse_args(front, options)

    from capsula.cli.console import Console, UnwritableError, silence
    from capsula.cli.log import reporter

    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # which few callers do
        from capsula.effects.signals import heed_children

        heed_children()
    console = Console(quiet=options.quiet, report=reporter(options.log_level))
    try:
        status = command.run(options, console)
        console.flush()
    except BrokenPipeError:  # the reader of our output went away, which is its right
        silence(sys.stdout)
        return 128 + signal.SIGPIPE
    except UnwritableError as error:
        silence(sys.stdout)
        console.error(f"standard output: {error}")
        return 1
    return status


def _parser() -> Parser:
    listed = "\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
    parser = Parser(
        prog="capsula",
        usage="capsula [OPTION]... COMMAND [ARGUMENT]...",
        description="Capture what exactly produced a result, so that you can get it again.",
        epilog=f"commands:\n{listed}\n{EXAMPLES}",
        formatter_class=_narrow,
        parents=[_common()],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"capsula {__version__}")
    parser.set_defaults(directory=None, log_level="warning", quiet=False)
    parser.formatter_class = RawDescriptionHelpFormatter
    return parser


def _narrow(prog: str) -> HelpFormatter:
    """Return the formatter that checks arguments as they are added: it need not know how wide the terminal is."""
    return RawDescriptionHelpFormatter(prog, width=80)


def _common() -> ArgumentParser:
    """Return the options that stand before the command or behind it."""
    common = ArgumentParser(add_help=False, argument_default=SUPPRESS, formatter_class=_narrow)
    common.add_argument(
        "-C", "--directory", type=Path, metavar="DIR", help="where the configuration is (default: here, or above)"
    )
    common.add_argument("-l", "--log-level", choices=LEVELS, help="how much to log on standard error")
    common.add_argument("-q", "--quiet", action="store_true", help="say nothing of faults; they are in the capsule")
    return common
