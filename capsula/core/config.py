"""Config: all that a collector may know, in one value."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from capsula.core.ask import Answered, Unasked
from capsula.core.once import Reader, anew
from capsula.core.settings import Settings

FACET, CHECKOUT = "facet", "checkout"
"""Kinds of what a reader may be asked for: a facet by its name, the repository that holds a directory."""


class Surroundings(NamedTuple):
    """What the process is: read once, at the edge, by ``capsula.effects.surroundings``."""

    cwd: Path
    environ: Mapping[str, str]
    """Bytes that are not UTF-8 stand in it as lone surrogates, as in ``os.environ``."""
    argv: tuple[str, ...]
    """The command that is run; empty without one."""
    executable: str
    """The interpreter that Capsula runs in."""
    is_adrift: bool = False
    """Whether the directory was removed under the process, or is closed to it: ``cwd`` is what it was called."""

    @property
    def standing(self) -> Path:
        """Where what is started here starts: ``cwd``, or without a name where that leads nowhere."""
        return Path() if self.is_adrift else self.cwd


class Config(NamedTuple):
    """Settings, surroundings, the root directory they hold for, and the answers to what the facets ask."""

    root: Path
    settings: Settings
    surroundings: Surroundings
    file: Path | None = None
    """The configuration file; none without one."""
    answers: Answered = Unasked()
    reader: Reader = anew
    """Reads what several collectors need; within one gathering, once."""

    @property
    def vault(self) -> Path:
        """The directory of the capsules."""
        return self.root / self.settings.vault_directory

    def focused(self, items: tuple[str, ...]) -> "Config":
        """Return the config of what is gathered after a run: the files of the items."""
        files = {key: value for item in items for key, value in self.settings.monitor.item[item].files.items()}
        capture = self.settings.capture._replace(files=files)
        return self._replace(settings=self.settings._replace(capture=capture))
