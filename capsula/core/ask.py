"""Asks: what a facet must find out from another program, as values.

A facet declares its asks beside ``collect``; the effects layer starts all of them at once, each with a deadline,
and the collector awaits the answer where it reads it.
"""

from typing import NamedTuple, Protocol

from returns.result import Failure, Result

from capsula.core.fault import Fault


class Ask(NamedTuple):
    """Run ``argv`` with standard input closed and read what it prints, for at most ``deadline`` seconds."""

    argv: tuple[str, ...]
    deadline: float = 10.0


class Answered(Protocol):
    """The answers to asks; reading one waits for it."""

    def __getitem__(self, ask: Ask) -> Result[bytes, Fault]: ...


class Unasked:
    """No ask was started."""

    def __getitem__(self, ask: Ask) -> Result[bytes, Fault]:
        return Failure(Fault("not asked", f"{ask.argv[0]} was not asked"))
