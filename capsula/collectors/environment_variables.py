"""The environment variables that the configuration names."""

from returns.result import Failure, Success

from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.fragment import Answer, Fragment, gather


def collect(config: Config) -> Answer:
    """Return the value of each configured name; one that is not set is a fault of kind ``unset``."""
    return Success(gather({name: _value(name, config) for name in config.settings.capture.environment_variables}))


def _value(name: str, config: Config) -> Answer:
    environ = config.surroundings.environ
    return Success(Fragment(environ[name])) if name in environ else Failure(Fault("unset", f"{name} is not set"))
