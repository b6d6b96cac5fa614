"""The working directory."""

from returns.result import Success

from capsula.core.config import Config
from capsula.core.fragment import Answer, Fragment


def collect(config: Config) -> Answer:
    """Return the path of the directory that Capsula was called in."""
    return Success(Fragment(str(config.surroundings.cwd)))
