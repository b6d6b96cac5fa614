"""``capsula init``."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from returns.result import Success

from capsula.cli.console import Console, safe
from capsula.flows.init import write_starter

EXAMPLES = """
exit status: 0 written; 1 not written, because there is a configuration or the directory is not writable
"""


def arguments(parser: ArgumentParser) -> None:  # it has none of its own
    """Add the options of the command."""


def run(options: Namespace, console: Console) -> int:
    """Write the file, and say where it is."""
    written = write_starter(options.directory or Path.cwd())
    if not isinstance(written, Success):
        console.mistakes((written.failure(),))
        return 1
    if not console.quiet:
        console.out(safe(str(written.unwrap())))
    return 0
