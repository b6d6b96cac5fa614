"""Moments: when a run was, which programs write into what they make; known by the clock, whatever stands beside it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from capsula.core.foreign import safe


class Span(NamedTuple):
    """The time that a run took; both ends are aware."""

    started: datetime
    ended: datetime

    def holds(self, moment: datetime, unit: timedelta) -> bool:
        """Tell whether a moment that was cut to a unit may be of the run."""
        return self.started - moment < unit and moment - self.ended <= _SLACK  # sums may be beyond the last year


@safe(exceptions=(ValueError, TypeError))
def span(started: object, ended: object) -> Span:
    """Return the time between two moments as records tell them."""
    return Span(*(_aware(datetime.fromisoformat(told)) for told in (started, ended) if isinstance(told, str)))


def without_moments(content: bytes, spans: Iterable[Span]) -> bytes:
    """Return a text in which every moment of these spans is spelled alike, and all else as it is.

    A moment without an offset is one of the zone that is set here, or of UTC.
    """
    known = tuple(spans)
    return _WRITTEN.sub(lambda found: _spelled(found, known), content) if known else content


_SLACK = timedelta(seconds=1)
"""By how much clocks of one machine may disagree."""
_WRITTEN = re.compile(
    rb"(?<![\w.])(?:(?P<seconds>\d{10})(?:\.\d{1,9})?|(?P<finer>\d{13}|\d{16}|\d{19})"
    rb"|(?P<date>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d)(?P<second>:\d\d)?(?:\.\d{1,9})?"
    rb"(?: ?(?P<offset>Z|UTC|[+-]\d\d:?\d\d))?)?)(?!\w)"
)


def _spelled(found: re.Match[bytes], spans: Iterable[Span]) -> bytes:
    unit, moments = _read(found).value_or((_SLACK, ()))
    is_one = any(span.holds(moment, unit) for span in spans for moment in moments)
    return (b"0000-00-00" if found["date"] else b"0") if is_one else found[0]


@safe(exceptions=(ValueError, OverflowError))
def _read(found: re.Match[bytes]) -> tuple[timedelta, tuple[datetime, ...]]:
    """Return the unit that a moment is cut to, and what it may be."""
    if digits := found["seconds"] or found["finer"]:
        return _SLACK, (datetime.fromtimestamp(int(digits[:10]), UTC),)
    date, time, second, offset = (_text(found[key]) for key in ("date", "time", "second", "offset"))
    unit = _SLACK if second else timedelta(minutes=1) if time else timedelta(days=1)
    told = datetime.fromisoformat(f"{date}T{time or '00:00'}{second}{_OFFSETS.get(offset, offset)}")
    return unit, (told,) if told.tzinfo else (told.astimezone(), told.replace(tzinfo=UTC))


_OFFSETS = {"Z": "+00:00", "UTC": "+00:00"}


def _text(group: bytes | None) -> str:
    return (group or b"").decode("ascii")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
