"""``capsula capture``."""

import json
from argparse import ArgumentParser, Namespace

from returns.result import Success

from capsula.cli.console import Console, safe
from capsula.cli.main import USAGE
from capsula.core.fault import Fault
from capsula.core.names import portability_flaw
from capsula.core.naming import memorable
from capsula.flows.capsule import Capsule
from capsula.flows.capture import capture

EXAMPLES = """
examples:
  capsula capture             capture what the configuration here says
  capsula capture --strict    the same, for a pipeline: end with status 1 if anything is missing
  capsula -C study capture    with the configuration in the directory `study`

exit status: 0 captured, with or without faults; 1 not captured, or faults and --strict; 2 a mistake to mend
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--strict", action="store_true", help="end with status 1 if there is any fault")
    parser.add_argument("--json", action="store_true", help="print an account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Capture, and say where the capsule is."""
    config = console.config(options)
    if config is None:
        return USAGE
    answer = capture(config, console.report, options.apart)
    if not isinstance(answer, Success):
        console.mistakes((answer.failure(),))
        return 1
    capsule = answer.unwrap()
    tell(capsule, console, as_object=options.json)
    return 1 if options.strict and capsule.faults else 0


def tell(capsule: Capsule, console: Console, *, as_object: bool) -> None:
    """Say where a new capsule is, and what it lacks."""
    console.faults((*capsule.faults, *unportable(capsule)))
    if as_object:
        console.out(json.dumps(account(capsule), indent=4))
    elif not console.quiet:
        name = console.paint(memorable(capsule.header.id), "bold")
        console.out(f"{name}  {safe(str(capsule.directory))}")


def unportable(capsule: Capsule) -> tuple[Fault, ...]:
    """Return what to say of a name that is none on other systems."""
    name = capsule.directory.relative_to(capsule.vault).as_posix()
    flaw = portability_flaw(name)
    return (Fault("not portable", f"the name {name!r} {flaw}", "see `capsule-template`"),) if flaw else ()


def account(capsule: Capsule) -> dict[str, object]:
    """Return what a program wants to know of a new capsule."""
    return {
        "directory": str(capsule.directory),
        "name": capsule.name,
        "memorable": memorable(capsule.header.id),
        "id": capsule.header.id,
        "faults": [fault.as_facts() for fault in capsule.faults],
    }
