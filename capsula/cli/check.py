"""``capsula check``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from returns.result import Success

from capsula.cli.console import Console
from capsula.cli.main import USAGE
from capsula.cli.tables import as_json, line
from capsula.cli.verify import identity
from capsula.core.fault import Json
from capsula.flows.check import Checked, checked
from capsula.flows.inspect import Entry, capsules, found

EXAMPLES = """
examples:
  capsula check --secrets                 search the newest capsule for tokens, passwords and keys
  capsula check --secrets brave-otter     another one
  capsula check --secrets --all           all capsules of the vault

Where a secret is, and what tells it, is said, never the secret. Archives and compressed files are looked into.
gitleaks or kingfisher is asked too, if it is on PATH.
exit status: 0 none was found; 1 some were; 2 something could not be searched, or a mistake to mend
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("capsule", nargs="?", metavar="CAPSULE", help="which one (default: @, the newest)")
    parser.add_argument("--secrets", action="store_true", required=True, help="search for secrets")
    parser.add_argument("--all", action="store_true", help="search all capsules of the vault")
    parser.add_argument("--json", action="store_true", help="print the account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Search capsules for secrets."""
    config = console.config(options)
    if config is None:
        return USAGE
    if options.all and options.capsule:
        console.error("--all means all capsules; name one, or leave it out")
        return USAGE
    vault, cwd = config.vault, config.surroundings.cwd
    one = found(options.capsule or "@", vault, cwd).map(lambda entry: (entry,))
    answer = capsules(vault) if options.all else one
    if not isinstance(answer, Success):
        console.mistakes((answer.failure(),))
        return USAGE
    path = config.surroundings.environ.get("PATH")
    results = [(it, checked(it.directory, config.settings.discretion, path)) for it in answer.unwrap()]
    if options.json:
        console.out(as_json(account(results)))
    else:
        _print(results, console)
    if any(it.exposures for _, it in results):
        return 1
    return USAGE if any(it.faults for _, it in results) else 0


def account(results: Sequence[tuple[Entry, Checked]]) -> dict[str, Json]:
    """Return what a program wants to know; every key is always there."""
    return {
        "status": "exposed" if any(it.exposures for _, it in results) else "discreet",
        "capsules": [
            {
                "capsule": identity(entry),
                "secrets": [{"file": it.file, "place": it.place, "rule": it.rule} for it in result.exposures],
                "faults": [fault.as_facts() for fault in result.faults],
            }
            for entry, result in results
        ],
    }


def _print(results: Sequence[tuple[Entry, Checked]], console: Console) -> None:
    for entry, result in results:
        for it in result.exposures:
            console.out(line(f"{entry.name}/{it.file}: {it.place}: {it.rule}"))
        console.faults(fault.under(entry.name) for fault in result.faults)
    count = sum(len(it.exposures) for _, it in results)
    told = "1 secret" if count == 1 else f"{count or 'no'} secrets"
    searched = "1 capsule" if len(results) == 1 else f"{len(results)} capsules"
    console.out(f"{console.paint(told, 'red' if count else 'green')} in {searched}")
