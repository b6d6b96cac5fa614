"""The engine: ask every collector, and gather what they answer."""

from collections.abc import Mapping, Sequence

from returns.result import Failure

from capsula.core.collector import Collector
from capsula.core.config import Config
from capsula.core.fault import crash_of
from capsula.core.fragment import Answer, Fragment, gather
from capsula.core.once import anew, once


def collect(collectors: Mapping[str, Collector], config: Config, late: Sequence[str] = ()) -> Fragment:
    """Return what the collectors learn under this config; one that fails costs only its own facts.

    What was read already when they were asked for their asks, with a reader of its own, is not read again. Those that
    are ``late`` are asked after the others, in this order, as their answers are on the way.
    """
    together = config._replace(reader=once()) if config.reader is anew else config
    order = sorted(collectors, key=lambda name: late.index(name) if name in late else -1)
    answers = {name: _answer(collectors[name], together) for name in order}
    return gather({name: answers[name] for name in collectors})


def _answer(collector: Collector, config: Config) -> Answer:
    try:
        return collector(config)
    except Exception as bug:  # a collector that crashes, ours or a plugin's, costs no other
        return Failure(crash_of(bug, "this is a bug of the facet; please report it"))
