"""How moments and durations are written in documents: ISO 8601."""

from datetime import datetime


def stamp(moment: datetime) -> str:
    """Return the local time with its offset, as ``2023-07-12T18:09:29.490877+09:00``."""
    return moment.astimezone().isoformat(timespec="microseconds")


def duration(seconds: float) -> str:
    """Return an ISO 8601 duration.

    >>> duration(2.486653), duration(3725), duration(90000.5)
    ('PT2.486653S', 'PT1H2M5S', 'P1DT1H0.5S')
    """
    microseconds = round(max(seconds, 0.0) * 1_000_000)
    whole, fraction = divmod(microseconds, 1_000_000)
    days, whole = divmod(whole, 86_400)
    hours, whole = divmod(whole, 3_600)
    minutes, whole = divmod(whole, 60)
    rest = f"{whole}.{fraction:06d}".rstrip("0").rstrip(".") if fraction else str(whole)
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if rest != "0" or not (time or days):
        time += f"{rest}S"
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")
