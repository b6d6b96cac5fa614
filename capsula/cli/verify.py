"""``capsula verify``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence

from returns.result import Success

from capsula.cli.console import Console, Style
from capsula.cli.main import USAGE
from capsula.cli.tables import as_json, line, shortened
from capsula.core.fault import Fault, Json
from capsula.effects.manifest import integrity, is_own
from capsula.flows.inspect import Entry, Inspected, inspected, named
from capsula.flows.verify import verified
from capsula.reproduction.assessment import Aspect, Assessment
from capsula.reproduction.telling import as_facts, headline, sentences

EXAMPLES = """
examples:
  capsula verify                what of the newest capsule's context is not so here and now
  capsula verify brave-otter    of another one
  capsula verify --integrity    whether the files of the capsule are as they were when it was made

What most likely changes a result comes first. `missing` is drift, too: something recorded is not here.
exit status: 0 match; 1 drift; 2 there is nothing to compare, or a mistake to mend
"""

MOST = 20
"""Lines of one aspect."""
LONGEST = 300

_STYLES: dict[str, Style] = {"match": "green", "drift": "red", "missing": "red", "unknown": "yellow"}
WIDTH = 12
"""Characters of the column of names, at least."""
_COLUMN = 7


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("capsule", nargs="?", default="@", metavar="CAPSULE", help="which one (default: @, the newest)")
    parser.add_argument("--integrity", action="store_true", help="check the files of the capsule, not the context")
    parser.add_argument("--json", action="store_true", help="print the account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Verify a capsule."""
    config = console.config(options)
    if config is None:
        return USAGE
    answer = named(options.capsule, config)
    if not isinstance(answer, Success):
        console.mistakes((answer.failure(),))
        return USAGE
    entry = answer.unwrap()
    if options.integrity:
        return _integrity(entry, console, as_object=options.json)
    capsule = inspected(entry)
    assessing = verified(capsule, config, console.report, options.apart)
    if not isinstance(assessing, Success):
        console.mistakes((*capsule.faults, assessing.failure()))
        return USAGE
    assessment = assessing.unwrap()
    if options.json:
        console.out(as_json(account(capsule, assessment)))
    else:
        _print(assessment, console)
    if all(aspect.status == "unknown" for aspect in assessment.aspects):
        console.error("nothing could be compared")
        return USAGE
    return 1 if assessment.drifted else 0


def account(capsule: Inspected, assessment: Assessment) -> dict[str, Json]:
    """Return what a program wants to know; every key is always there."""
    return {
        "capsule": identity(capsule.entry),
        "status": "drift" if assessment.drifted else "match",
        "headline": headline(assessment),
        "aspects": [aspect_facts(aspect) for aspect in assessment.aspects],
        "cosmetic": [as_facts(difference) for difference in assessment.cosmetic],
    }


def identity(entry: Entry) -> dict[str, Json]:
    """Return what tells which capsule is meant."""
    return {"directory": str(entry.directory), "name": entry.name, "memorable": entry.memorable, "id": entry.id}


def aspect_facts(aspect: Aspect) -> dict[str, Json]:
    """Return an aspect as it stands in JSON."""
    return {
        "aspect": aspect.name,
        "status": aspect.status,
        "reasons": list(aspect.reasons),
        "notes": list(aspect.notes),
        "differences": [as_facts(difference) for difference in aspect.differences],
        "summary": list(sentences(aspect.differences)),
    }


def print_aspects(aspects: Iterable[Aspect], console: Console, width: int = WIDTH) -> None:
    """Print each aspect, its status, and what differs; names stand in a column."""
    for aspect in aspects:
        reasons = aspect.reasons if aspect.status != "match" else ()
        told = [*sentences(aspect.differences), *reasons, *aspect.notes]
        print_lines(aspect.name, aspect.status, told, console, width)


def print_lines(name: str, status: str, told: Sequence[str], console: Console, width: int = WIDTH) -> None:
    """Print what is told of one thing, its name and status before the first line."""
    shown = [*told[:MOST], *([f"({len(told) - MOST} more)"] if len(told) > MOST else [])] or [""]
    head = f"{line(name):<{width}} {console.paint(f'{status:<{_COLUMN}}', _STYLES.get(status, 'yellow'))}"
    for number, text in enumerate(shown):
        indent = " " * (width + 1 + _COLUMN) if number else head
        console.out(f"  {indent}  {shortened(line(text), LONGEST)}".rstrip())


def _print(assessment: Assessment, console: Console) -> None:
    status = "drift" if assessment.drifted else "match"
    console.out(f"{console.paint(status, _STYLES[status])}: {line(headline(assessment))}")
    print_aspects(assessment.aspects, console)


def _integrity(entry: Entry, console: Console, *, as_object: bool) -> int:
    faults, own = integrity(entry.directory), is_own(entry.directory)
    if as_object:
        told: dict[str, Json] = {
            "capsule": identity(entry),
            "status": "changed" if faults else "whole",
            "own": own,
            "faults": [fault.as_facts() for fault in faults],
        }
        console.out(as_json(told))
    else:
        _print_integrity(faults, console, own=own)
    return 1 if faults else 0


def _print_integrity(faults: Sequence[Fault], console: Console, *, own: bool) -> None:
    made = "made here by you" if own else "its signature is not of this vault: made elsewhere, or changed"
    word = console.paint("changed", "red") if faults else console.paint("whole", "green")
    console.out(f"{word}: {_counted(faults)}; {made}")
    for fault in faults:
        console.out(f"  {line(str(fault))}")


def _counted(faults: Sequence[Fault]) -> str:
    if not faults:
        return "every file is as the manifest says"
    kinds = dict.fromkeys(fault.kind for fault in faults)
    return ", ".join(f"{sum(fault.kind == kind for fault in faults)} {kind}" for kind in kinds)
