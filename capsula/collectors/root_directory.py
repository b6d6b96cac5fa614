"""The directory that the configuration holds for."""

from returns.result import Success

from capsula.core.config import Config
from capsula.core.fragment import Answer, Fragment


def collect(config: Config) -> Answer:
    """Return the path of the root directory."""
    return Success(Fragment(str(config.root)))
