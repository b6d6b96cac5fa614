"""Capturing a context: prepare, look, and keep what was seen in a capsule."""

import os
from collections.abc import Collection
from datetime import datetime

from returns.result import Failure, Result

from capsula.core.config import Config
from capsula.core.document import Header
from capsula.core.effect import Shell
from capsula.core.fault import Fault
from capsula.core.fragment import Fragment, graft, joined
from capsula.core.once import once
from capsula.core.redaction import Redaction
from capsula.core.report import Report, silent
from capsula.core.settings import Durability
from capsula.effects.asks import started
from capsula.effects.key import known_key
from capsula.effects.perform import performed
from capsula.engine import collect
from capsula.facets import LATE, asks, collectors
from capsula.flows.apart import Apart
from capsula.flows.capsule import Capsule, Draft, built

CONTEXT = "context.json"


def capture(config: Config, report: Report = silent, apart: Apart | None = None) -> Result[Capsule, Fault]:
    """Run the pre-capture commands, collect all facets, and keep what they learn in a new capsule.

    A fault of a facet stands in the capsule. The failure is a pre-capture command that failed, or a capsule that could
    not be written; the vault is then as it was.
    """
    top = header(config, "full")
    preparation = prepared(config, report)
    if preparation.faults:
        return Failure(preparation.faults[0])
    fragment = joined(preparation, looked(config, report, apart=apart))
    return built(config, (Draft(CONTEXT, top, fragment),))


def preparations(config: Config) -> tuple[Shell, ...]:
    """Return the pre-capture commands as effects."""
    capture = config.settings.capture
    return tuple(
        Shell(line, config.root, capture.pre_capture_time_limit, at=("pre_capture_commands", str(number)))
        for number, line in enumerate(capture.pre_capture_commands, 1)
    )


def prepared(config: Config, report: Report = silent) -> Fragment:
    """Run the pre-capture commands in their order, up to the first that fails."""
    fragment = Fragment()
    for command in preparations(config):
        report("pre-capture command", command=command.command_line)
        fragment = graft(fragment, performed((command,), config.root))
        if fragment.faults:
            break
    return _discreet(fragment, config)


def looked(
    config: Config, report: Report = silent, *, without: Collection[str] = (), apart: Apart | None = None
) -> Fragment:
    """Ask what the facets must ask, and collect all of them, or all but some; ``apart`` reads the repositories."""
    surroundings, together = config.surroundings, config._replace(reader=apart.reader(config) if apart else once())
    with started(asks(together, without), surroundings.environ, surroundings.standing) as answers:
        fragment = collect(collectors(together, without), together._replace(answers=answers), LATE)
    if apart:
        apart.dismiss()
    report("collected", effects=len(fragment.effects), faults=len(fragment.faults))
    return _discreet(fragment, config)


def header(config: Config, durability: Durability, parent: str | None = None) -> Header:
    """Return the header of a new capsule; ``durability`` holds if the settings do not say."""
    return Header(
        id=os.urandom(16).hex(),
        taken=datetime.now().astimezone(),
        parent=parent,
        durability=config.settings.durability or durability,
    )


def _discreet(fragment: Fragment, config: Config) -> Fragment:
    """Return the fragment with no secret in its faults, which may be said before any capsule is written."""
    if not fragment.faults:
        return fragment
    redaction = Redaction(config.settings.discretion, known_key(config.vault).value_or(None))
    return fragment._replace(faults=tuple(map(redaction.fault, fragment.faults)))
