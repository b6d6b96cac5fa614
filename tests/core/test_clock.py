"""How moments and durations are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from capsula.core.clock import duration, stamp


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "PT0S"),
        (-1, "PT0S"),
        (1e-9, "PT0S"),
        (0.000001, "PT0.000001S"),
        (2.486653, "PT2.486653S"),
        (59.9999999, "PT1M"),
        (60, "PT1M"),
        (3600, "PT1H"),
        (3725, "PT1H2M5S"),
        (86_400, "P1D"),
        (90_000.5, "P1DT1H0.5S"),
        (86_400 * 400, "P400D"),
    ],
)
def test_a_duration_names_only_the_units_it_needs(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))])
def test_a_moment_is_written_so_that_the_same_moment_can_be_read(zone: timezone) -> None:
    moment = datetime(2023, 7, 12, 18, 9, 29, 490_877, zone)

    text = stamp(moment)

    assert datetime.fromisoformat(text) == moment


def test_a_moment_always_has_microseconds_and_an_offset() -> None:
    text = stamp(datetime(2023, 7, 12, tzinfo=UTC))

    assert ".000000" in text
    assert text[-6] in "+-"
