"""The environment: the variables that programs are known to listen to, and a keyed digest of each other one."""

from returns.result import Success

from capsula.core.config import Config
from capsula.core.effect import Seal
from capsula.core.fragment import Answer, Fragment
from capsula.core.variables import is_secret, is_telling


def collect(config: Config) -> Answer:
    """Return ``values`` by name; ``digests`` by name are pending, for only the vault has the key to make them.

    Told are the values of variables that programs are known to listen to, and of those that the configuration names,
    but for those that look secret and are not allowed.
    """
    environ = dict(sorted(config.surroundings.environ.items()))
    named = config.settings.capture.environment_variables
    allowed = config.settings.discretion.allow
    values = {
        name: value
        for name, value in environ.items()
        if (is_telling(name) or name in named) and (name in allowed or not is_secret(name, value))
    }
    others = {name: value for name, value in environ.items() if name not in values}
    return Success(Fragment({"values": values}, (Seal(config.vault, others, at=("digests",)),)))
