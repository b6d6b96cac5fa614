"""``capsula list``."""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Sequence
from datetime import datetime

from returns.result import Success

from capsula.cli.console import Console, safe
from capsula.cli.main import USAGE
from capsula.cli.tables import (
    aligned,
    as_json,
    columns,
    command,
    function,
    lasting,
    line,
    moment,
    ran,
    shortened,
    style,
    terminal_width,
)
from capsula.core.document import HEADER
from capsula.core.fault import Json
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, capsules, inspected, part
from capsula.flows.run import AFTER, BEFORE

EXAMPLES = """
examples:
  capsula list            the newest 20
  capsula list -n 3       the newest three
  capsula list --json     all of them, for a program

The first two columns are names: either one, or a beginning that no other has, says which capsule is meant.
A commit with a star had changes that were not committed.
exit status: 0; 1 the vault cannot be listed; 2 a mistake to mend
"""

MOST = 20

_TITLES = ("CAPSULE", "NAME", "WHEN", "STATE", "EXIT", "TOOK", "COMMIT", "RAN")
_NAME, _STATE = 1, 3
_NARROWEST = 24
"""Columns for what ran; where less is left, the names of the directories are left out."""
_GAP = "  "


def arguments(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--all", action="store_true", help="list all capsules")
    count.add_argument("-n", type=_count, metavar="COUNT", help=f"how many to list (default: {MOST}, for programs all)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a list of objects as JSON")
    form.add_argument("--names", action="store_true", help="print memorable names, each on a line")


def run(options: Namespace, console: Console) -> int:
    """List the capsules, the newest first."""
    config = console.config(options)
    if config is None:
        return USAGE
    vault = config.vault
    listed = capsules(vault)
    if not isinstance(listed, Success):
        console.mistakes((listed.failure(),))
        return 1
    entries = listed.unwrap()
    is_for_programs = options.json or options.names
    count = len(entries) if options.all or (is_for_programs and options.n is None) else options.n or MOST
    if options.names:
        for entry in entries[:count]:
            console.out(safe(entry.memorable or entry.name))
        return 0
    chosen = [inspected(entry) for entry in entries[:count]]
    if options.json:
        console.out(_as_json(chosen))
    elif entries:
        _print(chosen, len(entries) - len(chosen), console)
    else:
        console.out(f"there is no capsule in {safe(str(vault))} yet; make one: capsula monitor -- COMMAND")
    return 0


def account(capsule: Inspected) -> dict[str, Json]:
    """Return what a program wants to know of a capsule in a list; every key is always there."""
    entry, (commit, dirty) = capsule.entry, _checkout(capsule)
    parents = (part(document, HEADER, "parent") for document in capsule.documents.values())
    return {
        "directory": str(entry.directory),
        "name": entry.name,
        "memorable": entry.memorable,
        "id": entry.id,
        "state": capsule.state,
        "taken": entry.taken.isoformat(),
        "run_time": part(capsule.documents, AFTER, "run_time"),
        "exit_code": part(capsule.documents, AFTER, "exit_code"),
        "command": command(capsule) or None,
        "function": function(capsule),
        "commit": commit,
        "dirty": dirty,
        "parent": next(filter(None, parents), None),
        "note": part(capsule.documents, BEFORE, "note"),
    }


def _count(word: str) -> int:
    if not (word.isascii() and word.isdigit() and 0 < len(word) < 10 and int(word)):
        raise ArgumentTypeError(f"{word!r} is not a number of capsules")
    return int(word)


def _as_json(chosen: Iterable[Inspected]) -> str:
    """Return the accounts, escaped as a document escapes them."""
    told: object = json.loads(as_json({"capsules": [account(capsule) for capsule in chosen]}))["capsules"]
    return json.dumps(told, indent=4)


def _print(chosen: Sequence[Inspected], left_out: int, console: Console) -> None:
    now = datetime.now().astimezone()
    titles, *rows = _fitted([list(_TITLES), *([*_row(capsule, now), line(ran(capsule))] for capsule in chosen)])
    console.out(console.paint(_GAP.join(titles), "dim"))
    for capsule, row in zip(chosen, rows, strict=True):
        place = len(row) - len(_TITLES) + _STATE
        row[0] = console.paint(row[0], "bold")
        row[place] = console.paint(row[place], style(capsule.state))
        console.out(_GAP.join(row).rstrip())
    if left_out:
        console.out(console.paint(f"{left_out} more; see capsula list --all", "dim"))


def _fitted(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the rows aligned, and, on a terminal, cut to its width."""
    whole, terminal = aligned(rows), terminal_width()
    if terminal is None:
        return whole
    if _rest(whole[0], terminal) < _NARROWEST:
        whole = [[*row[:_NAME], *row[_NAME + 1 :]] for row in whole]
    room = max(_rest(whole[0], terminal), _NARROWEST)
    return [[*row[:-1], shortened(row[-1], room)] for row in whole]


def _rest(row: Sequence[str], terminal: int) -> int:
    return terminal - sum(columns(cell) + len(_GAP) for cell in row[:-1])


def _row(capsule: Inspected, now: datetime) -> list[str]:
    entry, (commit, dirty) = capsule.entry, _checkout(capsule)
    exit_code = part(capsule.documents, AFTER, "exit_code")
    return [
        entry.memorable or "-",
        line(entry.name),
        moment(entry.taken, now),
        line(capsule.state.partition(",")[0]),
        "" if exit_code is None else line(exit_code),
        lasting(part(capsule.documents, AFTER, "run_time")),
        line(commit[:7]) + ("*" if dirty else "") if commit else "",
    ]


def _checkout(capsule: Inspected) -> tuple[str | None, bool | None]:
    """Return the commit of the first repository, and whether it had changes; both are unknown without one."""
    repositories = part(capsule.documents, CONTEXT, "git")
    first = next(iter(repositories.values()), None) if isinstance(repositories, dict) else None
    sha, dirty = part(first, "sha"), part(first, "dirty")
    return sha if isinstance(sha, str) else None, dirty if isinstance(dirty, bool) else None
