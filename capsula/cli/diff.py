"""``capsula diff``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from returns.result import Success

from capsula.cli.console import Console, Style, safe
from capsula.cli.main import USAGE
from capsula.cli.tables import as_json, line
from capsula.cli.verify import WIDTH, aspect_facts, identity, print_aspects, print_lines
from capsula.core.fault import Json
from capsula.flows.diff import Diff, diff
from capsula.flows.inspect import inspected, named
from capsula.flows.source_changes import SourceChange
from capsula.reproduction.comparison import Comparison, Grade
from capsula.reproduction.telling import as_facts, headline

EXAMPLES = """
examples:
  capsula diff @1 @                    what changed from the run before the newest to the newest
  capsula diff brave-otter calm-lynx   from one to another
  capsula diff @1 @ --no-patch         without the diff of the source

What most likely changed the results comes first. Values of the environment are not shown.
exit status: 0 the same; 1 they differ; 2 a mistake to mend
"""

FORMAT = 1
"""Of the account as JSON: a key may be added, none is removed or means something else."""


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("one", metavar="A", help="a capsule")
    parser.add_argument("other", metavar="B", help="the one to compare with it")
    parser.add_argument("--no-patch", action="store_true", help="only name the files of the source that changed")
    parser.add_argument("--json", action="store_true", help="print the account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Compare two capsules."""
    config = console.config(options)
    if config is None:
        return USAGE
    answers = [named(name, config) for name in (options.one, options.other)]
    mistakes = [answer.failure() for answer in answers if not isinstance(answer, Success)]
    if mistakes:
        console.mistakes(mistakes)
        return USAGE
    one, other = (inspected(answer.unwrap()) for answer in answers)
    console.mistakes((*one.faults, *other.faults))
    if not (one.documents and other.documents):
        return USAGE
    account = diff(one, other, config)
    if options.json:
        console.out(as_json({"a": identity(one.entry), "b": identity(other.entry), **_account(account)}))
    else:
        _print(account, console, with_patch=not options.no_patch)
    return 0 if account.is_same else 1


def _account(account: Diff) -> dict[str, Json]:
    """Return what a program wants to know; every key is always there."""
    return {
        "format": FORMAT,
        "status": "same" if account.is_same else "different",
        "headline": _headline(account),
        "aspects": [aspect_facts(aspect) for aspect in account.assessment.aspects],
        "source": [
            {"path": it.path, "change": it.change, "patch": it.patch or None, "why": it.why or None}
            for it in account.source
        ],
        "unkept": list(account.unkept),
        "results": {name: it.as_facts() for name, it in account.results.items()},
        "cosmetic": [as_facts(difference) for difference in account.assessment.cosmetic],
    }


def _headline(account: Diff) -> str:
    files = [f"{it.path} {it.change}" for it in account.source]
    causes = headline(account.assessment, {"source": files} if files else None)
    drifted = account.assessment.drifted
    if account.differing:
        blamed = f"likeliest cause: {causes}" if drifted else f"nothing that is known explains it; {causes}"
        return f"other results ({', '.join(account.differing)}); {blamed}"
    if not account.results:
        return f"changed: {causes}" if drifted else causes
    unjudged = f" ({' and '.join(account.unkept)} not judged)" if account.unkept else ""
    return f"the same results{unjudged}; {'changed: ' if drifted else ''}{causes}"


def _print(account: Diff, console: Console, *, with_patch: bool) -> None:
    word = console.paint("same", "green") if account.is_same else console.paint("different", "red")
    console.out(f"{word}: {line(_headline(account))}")
    width = min(max((WIDTH, *(len(line(name)) for name in account.results))), _WIDEST)
    print_aspects(account.assessment.aspects, console, width)
    for name, comparison in account.results.items():
        _print_result(name, comparison, console, width)
    for name in account.unkept:
        print_lines(name, "unknown", ["not judged: not kept by both runs"], console, width)
    _print_source(account.source, console, with_patch=with_patch)


def _print_result(name: str, comparison: Comparison, console: Console, width: int) -> None:
    status = "match" if comparison.grade <= Grade.CLOSE else "drift" if comparison.judged else "unknown"
    print_lines(name, status, [": ".join(filter(None, (comparison.grade.word, comparison.reason)))], console, width)


_WIDEST = 40
_LINES: dict[str, Style] = {"+": "green", "-": "red", "@": "dim"}


def _print_source(changes: Sequence[SourceChange], console: Console, *, with_patch: bool) -> None:
    for change in changes:
        if with_patch and change.patch:
            console.out("")
            for text in safe(change.patch).rstrip("\n").split("\n"):
                style = _LINES.get(text[:1])
                console.out(console.paint(text, style) if style else text)
        else:
            why = f": {line(change.why)}" if change.why else ""
            console.out(f"  {change.change} {line(change.path)}{why}")
