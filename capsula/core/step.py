"""Steps: what a reproduction will do, as plain values; a plan is their gathering, sorted by phase."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias

from capsula.core.fault import Fault, Json

Fidelity: TypeAlias = Literal["exact", "approximate", "needs", "impossible"]
FIDELITIES: tuple[Fidelity, ...] = ("exact", "approximate", "needs", "impossible")
"""From the best to the worst."""


class Phase(IntEnum):
    """The order of the steps."""

    SOURCE = 1
    INPUTS = 2
    DIRECTORIES = 3
    ENVIRONMENT = 4
    VARIABLES = 5
    RUN = 6
    COMPARE = 7


class Step(NamedTuple):
    """One thing that is to be done to bring a run back."""

    phase: Phase
    title: str
    fidelity: Fidelity = "exact"
    why: str = ""
    """Why it is not exact; under ``needs``: what the user must give."""
    details: tuple[str, ...] = ()
    """Every command, address, variable and file that the step uses or writes."""

    def as_facts(self) -> dict[str, Json]:
        """Return the step as it stands in a document."""
        facts: dict[str, Json] = {"phase": self.phase.name.lower(), "title": self.title, "fidelity": self.fidelity}
        return {**facts, "why": self.why, "details": list(self.details)}


class Plan(NamedTuple):
    """The steps of a reproduction, in their order."""

    steps: tuple[Step, ...]

    @property
    def blockers(self) -> tuple[Fault, ...]:
        """What keeps the plan from being carried out, each with what the user can do."""
        return tuple(
            Fault("blocked", f"{step.title}: {step.why}", path=(step.phase.name.lower(),))
            for step in self.steps
            if step.fidelity in ("needs", "impossible")
        )


def planned(steps: Iterable[Step]) -> Plan:
    """Return the plan of the steps, each phase in the order of its steps."""
    return Plan(tuple(sorted(steps, key=lambda step: step.phase)))
