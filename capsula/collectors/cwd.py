"""The working directory."""

from returns.result import Failure, Success

from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.fragment import Answer, Fragment


def collect(config: Config) -> Answer:
    """Return the path of the directory that Capsula was called in."""
    surroundings = config.surroundings
    if surroundings.is_adrift:
        return Failure(Fault("gone", f"the working directory was removed, or is closed to you: {surroundings.cwd}"))
    return Success(Fragment(str(surroundings.cwd)))
