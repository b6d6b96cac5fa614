"""Asking every collector: one that fails costs only itself."""

from itertools import count
from pathlib import Path

from returns.result import Failure, Success

from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault
from capsula.core.fragment import Answer, Fragment
from capsula.core.settings import Settings
from capsula.engine import collect

CONFIG = Config(Path("/root"), Settings(), Surroundings(Path("/"), {}, (), "python"))
REMEDY = "this is a bug of the facet; please report it"


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def root(config: Config) -> Answer:
    return Success(Fragment(str(config.root)))


def unable(config: Config) -> Answer:
    return Failure(Fault("unset", "it is not set"))


def broken(config: Config) -> Answer:
    raise ValueError(f"no {config.root}")


def unspeakable(config: Config) -> Answer:
    raise UnspeakableError


def test_each_collector_is_asked_and_costs_only_itself() -> None:
    fragment = collect({"broken": broken, "root": root, "unable": unable, "unspeakable": unspeakable}, CONFIG)

    assert fragment == Fragment(
        {"root": "/root"},
        (),
        (
            Fault("crashed", "ValueError: no /root", REMEDY, ("broken",)),
            Fault("unset", "it is not set", path=("unable",)),
            Fault("crashed", "UnspeakableError: <exception str() failed>", REMEDY, ("unspeakable",)),
        ),
    )


def test_what_collectors_share_is_read_once_in_a_gathering_and_anew_in_the_next() -> None:
    readings = count(1)

    def reading(config: Config) -> Answer:
        return Success(Fragment(config.reader("shared", lambda: next(readings))))

    first = collect({"one": reading, "other": reading}, CONFIG)
    second = collect({"one": reading, "other": reading}, CONFIG)

    assert (first.facts, second.facts) == ({"one": 1, "other": 1}, {"one": 2, "other": 2})
