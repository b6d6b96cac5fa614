"""Ahead: what a command will wait for is begun before anything else is loaded."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from capsula.cli.words import VALUED, split

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from capsula.flows.apart import Apart

LOOKING = {"capture", "monitor", "start", "verify"}
"""The commands that read repositories, whatever they are told."""


def ahead(words: Sequence[str]) -> "AbstractContextManager[Apart | None]":
    """Begin with what the command in a command line will wait for, if it is one that looks around."""
    _, command = split(words, VALUED)
    if not command or command[0] not in LOOKING:
        return nullcontext()
    from capsula.flows.apart import Apart

    return Apart()
