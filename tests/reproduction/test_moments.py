"""Moments: what a replay wrote where it says when it ran."""

from datetime import UTC, datetime, timedelta

import pytest

from capsula.reproduction.compare import compared_contents
from capsula.reproduction.comparison import Comparison, Grade
from capsula.reproduction.moments import Span, span
from capsula.reproduction.places import places

THEN, NOW = datetime(2020, 1, 31, 23, 59, 58, 250, UTC), datetime(2026, 11, 22, 8, 0, 0, 1, UTC)
TIMES = places((), (), [Span(moment, moment + timedelta(seconds=5)) for moment in (THEN, NOW)])
EPOCHS = [int(moment.timestamp()) for moment in (THEN, NOW)]


@pytest.mark.parametrize(
    ("name", "recorded", "replayed"),
    [
        ("a.xml", *(b'<coverage timestamp="%d123">' % seconds for seconds in EPOCHS)),
        ("a.json", *(b'{"t": %d.25}' % seconds for seconds in EPOCHS)),
        ("a.json", b'{"made": "2020-01-31T23:59:59.123456"}', b'{"made": "2026-11-22T08:00:00"}'),
        ("a.html", b"<p>created at 2020-01-31 23:59 +0000</p>", b"<p>created at 2026-11-22 09:00 +0100</p>"),
        ("a.html", b"Generated on: 2020-01-31 23:59 UTC.", b"Generated on: 2026-11-22 08:00 UTC."),
        ("a.html", b"Last updated on 2020-01-31", b"Last updated on 2026-11-22"),
    ],
)
def test_when_a_run_was_is_none_of_its_results(name: str, recorded: bytes, replayed: bytes) -> None:
    comparison = compared_contents(recorded, replayed, name, places=TIMES)

    assert comparison == Comparison(Grade.EQUIVALENT, "bytes", "the same but for when it ran")
    assert compared_contents(recorded, replayed, name).grade is Grade.DIFFERENT


@pytest.mark.parametrize(
    ("name", "recorded", "replayed"),
    [
        ("a.json", b'{"peak": "2020-01-31T23:59:59"}', b'{"peak": "2026-11-22T08:01:00"}'),
        ("a.json", b'{"peak": "2020-01-30"}', b'{"peak": "2026-11-22"}'),
        ("a.json", b'{"peak": "2020-01-31", "x": 1}', b'{"peak": "2026-11-22", "x": 2}'),
        ("a.json", *(b'{"t": %d}' % (seconds + 60) for seconds in EPOCHS)),
        ("a.json", *(b'{"t": %d7}' % seconds for seconds in EPOCHS)),
        ("a.html", b"2020-01-31 23:59 +0100", b"2026-11-22 08:00 +0100"),
        ("a.html", b"2020-99-99", b"2026-11-22"),
        ("a.html", b"9999-12-31 23:59 -0900", b"0001-01-01 00:00 +0900"),
        ("a.csv", b"2020-01-31", b"2026-11-22"),
    ],
)
def test_every_other_moment_is_a_result(name: str, recorded: bytes, replayed: bytes) -> None:
    assert compared_contents(recorded, replayed, name, places=TIMES).grade is Grade.DIFFERENT


@pytest.mark.parametrize("told", [None, 5, "", "yesterday", "2020-01-31T00:00:00+99:00"])
def test_what_is_no_time_of_a_run_is_none(told: object) -> None:
    assert span(told, "2020-01-31T00:00:00+00:00").value_or(None) is None
