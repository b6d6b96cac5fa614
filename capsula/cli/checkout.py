"""``capsula checkout``."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from returns.result import Success

from capsula.cli.console import Console, safe
from capsula.cli.main import USAGE
from capsula.cli.tables import as_json
from capsula.core.fault import Json
from capsula.flows.checkout import Checkout, checkout
from capsula.flows.inspect import found, inspected

EXAMPLES = """
examples:
  capsula checkout @ /tmp/again              the source of the newest capsule
  capsula checkout brave-otter again         of the one with this name
  capsula checkout --fetch ./capsule again   of one from elsewhere; a commit that is not here is fetched

Every file is put back byte for byte, whatever was committed, staged or tracked, and nothing of the capsule is run.
exit status: 0 restored; 1 not all of it, which is told; 2 a mistake to mend; 5 the capsule is damaged
"""

INCOMPLETE, BROKEN = 1, 5

_MISTAKES = {"occupied", "unknown capsule", "ambiguous"}


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("capsule", metavar="CAPSULE", help="which one, as for `capsula show`")
    parser.add_argument("into", metavar="DIR", help="where to: a directory that is empty or does not exist")
    parser.add_argument("--fetch", action="store_true", help="fetch the commit from a recorded remote if need be")
    parser.add_argument("--json", action="store_true", help="print an account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Restore the source, and say what is missing."""
    config = console.config(options)
    if config is None:
        return USAGE
    surroundings, vault = config.surroundings, config.vault
    into = Path(os.path.normpath(surroundings.cwd / options.into))
    fetch = surroundings.environ if options.fetch else None
    answer = found(options.capsule, vault, surroundings.cwd).bind(
        lambda entry: checkout(inspected(entry), into, config.root, fetch=fetch)
    )
    if not isinstance(answer, Success):
        fault = answer.failure()
        console.mistakes((fault,))
        return USAGE if fault.kind in _MISTAKES else BROKEN if fault.kind == "integrity" else INCOMPLETE
    done = answer.unwrap()
    if options.json:
        console.out(as_json(account(done)))
    else:
        _print(done, console)
    return INCOMPLETE if done.needs else 0


def account(done: Checkout) -> dict[str, Json]:
    """Return what a program wants to know; every key is always there."""
    return {
        "directory": str(done.directory),
        "root": str(done.root),
        "commits": dict(done.commits),
        "inputs": list(done.inputs),
        "fetched": list(done.fetched),
        "needs": [need.as_facts() for need in done.needs],
    }


def _print(done: Checkout, console: Console) -> None:
    if not console.quiet:
        console.out(safe(str(done.directory)))
    for need in done.needs:
        console.error(safe(f"not restored: {need}").replace("\n", "\\n"))
