"""Reports: how the layers below tell what happens, as it happens, without knowing who listens."""

from typing import Protocol


class Report(Protocol):
    """Told of an event; the command line writes it to its log."""

    def __call__(self, event: str, /, **details: object) -> None:
        """Take note of an event."""


def silent(event: str, /, **details: object) -> None:  # this one listens to nothing
    """Tell nobody."""
