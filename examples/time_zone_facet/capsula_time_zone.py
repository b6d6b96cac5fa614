"""A facet of a third party: the time zone that the process calculates in.

[capture.facets.time_zone]
fallback = "/etc/localtime"
"""

from pathlib import Path

from attrs import frozen
from returns.result import Failure, Success

from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.fragment import Answer, Fragment


@frozen
class Options:
    """The table of this facet; it is the facet's own to check."""

    fallback: str = "/etc/localtime"


def collect(config: Config) -> Answer:
    """Return the name of the time zone: of the variable TZ, or of what the fallback links to."""
    options = Options(**config.settings.capture.facets["time_zone"])
    variable = config.surroundings.environ.get("TZ")
    if variable:
        return Success(Fragment({"name": variable, "from": "TZ"}))
    path = Path(options.fallback)
    if not path.exists():
        return Failure(Fault("missing", f"there is neither TZ nor {path}", "set TZ"))
    return Success(Fragment({"name": path.resolve().as_posix().partition("zoneinfo/")[2] or "UTC", "from": str(path)}))
