"""A run: its capsule is there, and says ``running``, before it starts; its end record is the last that is written."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from returns.result import Result, Success

from capsula.collectors import cwd, outputs
from capsula.collectors.outputs import Glance
from capsula.core.clock import duration, stamp
from capsula.core.config import Config
from capsula.core.document import Header
from capsula.core.effect import Keep
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment, gather
from capsula.effects.records import records
from capsula.effects.surroundings import process
from capsula.facets import collectors
from capsula.flows.capsule import Capsule, Draft, built, closed
from capsula.flows.capture import CONTEXT

BEFORE = "pre-run-info.json"
AFTER = "post-run-info.json"

RUNNING = "running"
KEEP_OUTPUT = "keep_output"
"""Key of whether the streams of a command are kept."""

OPEN = "open"
"""The status of what no process is bound to: it stays so until somebody finishes it, whatever happens meanwhile."""


class Run(NamedTuple):
    """What is to be run: under which config, as which items, and the header of its capsule."""

    config: Config
    items: tuple[str, ...]
    header: Header


class Ending(NamedTuple):
    """How a run ended: when (aware), after how many seconds, in which state, and what else is known of it."""

    moment: datetime
    run_time: float
    status: str
    answers: Mapping[str, Answer]
    since: Glance | None = None
    """What was below the root before the run, if it is to be searched for outputs."""


def opened(
    run: Run, before: Mapping[str, Answer], context: Fragment | None, *, status: str = RUNNING
) -> Result[Capsule, Fault]:
    """Put the capsule of a run in its place: its context, if one was captured, and what is known before it starts."""
    known = {
        "root_directory": fact(str(run.config.root)),
        "cwd": cwd.collect(run.config),
        "timestamp": fact(stamp(run.header.taken)),
        **before,
    }
    begun = Draft(BEFORE, run.header._replace(status=status), gather(known), {"process": process()})
    return built(run.config, (begun,) if context is None else (Draft(CONTEXT, run.header, context), begun))


def ended(run: Run, capsule: Capsule, ending: Ending) -> Result[Capsule, Fault]:
    """Close the capsule of a run: how it ended, the files of its items, and what it recorded of itself.

    Its failure is an end record that could not be written.
    """
    files = _files(run)
    known = {
        "root_directory": fact(str(run.config.root)),
        "timestamp": fact(stamp(ending.moment)),
        "run_time": fact(duration(ending.run_time)),
        "files": files,
        **ending.answers,
        **_outputs(run, ending, files),
        "records": records(capsule.directory),
    }
    header = run.header._replace(taken=ending.moment, status=ending.status)
    return closed(capsule, Draft(AFTER, header, gather(known)))


def fact(value: Json) -> Answer:
    """Return a plain fact as an answer."""
    return Success(Fragment(value))


def _files(run: Run) -> Answer:
    if not run.items:
        return fact({})
    return collectors(run.config)["files"](run.config.focused(run.items))


def _outputs(run: Run, ending: Ending, files: Answer) -> dict[str, Answer]:
    if ending.since is None:
        return {}
    kept = files.value_or(Fragment()).effects
    declared = frozenset(effect.origin for effect in kept if isinstance(effect, Keep))
    return {"outputs": outputs.collect(run.config, ending.since, declared)}
