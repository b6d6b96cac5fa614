"""The log: structlog's, private, and not even imported before there is something to log."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from capsula.core.redaction import Redaction
from capsula.core.report import Report, silent

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def reporter(level: str) -> Report:
    """Return what writes the events of a run to the log; silent above ``info``."""
    if level not in ("debug", "info"):
        return silent
    logger: FilteringBoundLogger | None = None

    def report(event: str, /, **details: object) -> None:
        nonlocal logger
        logger = logger or _logger(level)
        with suppress(OSError):  # a full disk, or nobody there: what is done is not what is said of it
            logger.info(event, **{name: _discreet(detail) for name, detail in details.items()})

    return report


def _discreet(detail: object) -> object:
    """Return a detail without secrets: a text, or the words of a command."""
    match detail:
        case str():
            return Redaction().text(detail)
        case tuple() | list():
            return Redaction().json([str(word) for word in detail])
    return detail


def _logger(level: str) -> "FilteringBoundLogger":
    import structlog

    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return logger
