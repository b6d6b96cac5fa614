"""The programmatic way in: the only place, with the decorator, that raises on purpose."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from returns.result import Result, Success

from capsula.core.config import Config
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Fragment, joined
from capsula.core.redaction import Redaction
from capsula.core.representation import represented
from capsula.effects import records
from capsula.effects.handlers import Interruptible
from capsula.effects.key import known_key, vault_of
from capsula.effects.surroundings import surroundings
from capsula.flows.capsule import Capsule
from capsula.flows.capture import capture as captured
from capsula.flows.capture import looked, preparations
from capsula.flows.current import Open, Unwatched, current, is_doubtful
from capsula.flows.load import load as loaded

Value = TypeVar("Value")

_DOUBT = Fault(
    "doubtful",
    "this thread may belong to any of several monitored calls",
    "start its work with contextvars.copy_context().run",
)


class CapsulaError(Exception):
    """Something that was asked of Capsula could not be done; ``faults`` holds every reason."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[type["CapsulaError"], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


class CapsulaWarning(UserWarning):
    """A call could not be recorded as it should; the function was called all the same."""


def load(directory: Path | str | None = None) -> Config:
    """Return the config that holds in a directory, or in the working directory.

    Args:
        directory: Where ``capsula.toml`` or ``pyproject.toml`` is; left out: here, or the nearest one above.

    Raises:
        CapsulaError: The configuration has mistakes; it tells all of them.

    Example:
        >>> config = load()  # doctest: +SKIP
        >>> config.root, config.settings.capture.include_cpu  # doctest: +SKIP
        (PosixPath('/path/to/root'), True)
    """
    place = None if directory is None else Path(directory)
    with Interruptible():
        return _or_raise(loaded(place, surroundings((sys.executable,))))


def collect(config: Config | None = None) -> Fragment:
    """Look at the context and keep nothing: no file is opened for writing, and no pre-capture command runs.

    Args:
        config: What to collect; left out: what the configuration here says.

    Returns:
        A fragment: ``facts`` is the tree of ``context.json``, its secrets marked, so that it may be printed or stored;
        ``faults`` is what could not be learned (each with ``path``, ``kind``, ``message``, ``remedy``), marked as well;
        ``effects`` is what a capture would do: commands to run, patches to write, files to copy or to move, which are
        for this process alone. What an effect will tell is pending: its ``at`` is the place in ``facts``.

    Raises:
        CapsulaError: There is no ``config``, and the configuration here has mistakes. A facet never raises.

    Example:
        >>> fragment = collect()  # doctest: +SKIP
        >>> fragment.facts["git"]["project"]["branch"]  # doctest: +SKIP
        'main'
    """
    config = config or load()
    with Interruptible():
        context = joined(Fragment({}, preparations(config)), looked(config))
        redaction = Redaction(config.settings.discretion, known_key(config.vault).value_or(None))
        return context._replace(facts=redaction.json(context.facts))


def capture(config: Config | Path | str | None = None, *, strict: bool = False) -> Capsule:
    """Capture the context and keep it in a new capsule, as ``capsula capture`` does.

    Args:
        config: What to capture, or the directory of the configuration; left out: what the configuration here says.
        strict: Raise if the capsule has any fault. It is kept all the same.

    Returns:
        The capsule: ``directory``, ``name``, ``documents`` (by file name) and ``faults``.

    Raises:
        CapsulaError: The configuration has mistakes, a pre-capture command failed, or no capsule could be written.
    """
    if not isinstance(config, Config):
        config = load(config)
    with Interruptible():
        capsule = _or_raise(captured(config).alt(_alone))
    if strict and capsule.faults:
        raise CapsulaError(capsule.faults)
    return capsule


def get_capsule_dir() -> Path:
    """Return the directory of the capsule that is open here.

    It is that of the innermost monitored call, or else of the monitored command that this process belongs to. In a call
    whose capsule could not be opened it is a directory for temporary files, lest the call fail for want of a record.

    Raises:
        CapsulaError: No capsule is open here.
    """
    here = _open_here()
    if here.is_spare:
        here.directory.mkdir(0o700, exist_ok=True)
        stands_in = Fault("unrecorded", f"this call has no capsule; {here.directory} stands in for its directory")
        warn((stands_in,), stacklevel=3)
    return here.directory


def get_capsule_name() -> str:
    """Return the name of the capsule that is open here: that of its directory.

    Raises:
        CapsulaError: No capsule is open here.
    """
    return _open_here().directory.name


def record(name: str, value: object) -> None:
    """Record a value under ``records`` of the capsule that is open here; the last value of a name counts.

    Without an open capsule it does nothing, so that a program runs alike with and without Capsula. What is no JSON is
    recorded by its type and a bounded ``repr``. Trouble is one ``CapsulaWarning``.

    A thread belongs to the call during which it was started. Where several calls run at once, or a thread is used
    again by the next call, start its work with ``contextvars.copy_context().run`` or ``asyncio.to_thread``.

    Example:
        >>> record("loss", 0.25)
    """
    here = current(os.environ)
    if type(name) is not str:
        wrong = f"the name of a record is a text, not a {type(name).__name__}; the value was not recorded"
        warn((Fault("mistake", wrong),), stacklevel=3)
    elif here is None:
        warn((_DOUBT,) if is_doubtful() else (), stacklevel=3)
    elif not here.is_spare:
        with Interruptible():
            warn(_recorded(here, name, value), stacklevel=3)


def warn(faults: Sequence[Fault], *, stacklevel: int) -> None:
    """Warn of faults once, and never raise: not even where warnings are errors."""
    if not faults:
        return
    told = CapsulaWarning("; ".join(map(str, faults)))
    with Unwatched():
        try:
            import warnings

            warnings.warn(told, stacklevel=stacklevel)
        except Exception:  # the warning itself, what a program shows it with, or an import while Python shuts down
            _last_word(told)


def _last_word(told: CapsulaWarning) -> None:
    if sys.stderr is not None:
        with suppress(Exception):  # it may be closed, or the program's own
            sys.stderr.write(f"capsula: {told}\n")


def _recorded(here: Open, name: str, value: object) -> tuple[Fault, ...]:
    if not here.directory.is_dir():  # it would be made again, and hold nothing else
        return (Fault("missing", f"{name} could not be recorded: {here.directory} is gone"),)
    with Unwatched():
        fragment = represented(value)
    written = records.record(here.directory, name, _discreet(fragment.facts, name, here.directory))
    return fragment.faults if isinstance(written, Success) else (*fragment.faults, written.failure())


def _discreet(value: Json, name: str, capsule: Path) -> Json:
    """Return a value without secrets; only where there are some the key is needed that tells one from another."""
    is_number = isinstance(value, (int, float))
    redaction = Redaction() if is_number else Redaction().knowing({"environment_variables": {**os.environ}})
    if redaction.json({name: value}) == {name: value}:
        return value
    vault = vault_of(capsule)
    discreet = redaction._replace(key=known_key(vault).value_or(None) if vault else None).json({name: value})
    return discreet[name] if isinstance(discreet, Mapping) else value


def _open_here() -> Open:
    here = current(os.environ)
    if here is None and is_doubtful():
        raise CapsulaError((_DOUBT,))
    if here is None:
        remedy = "call this inside a monitored function, or run the program with `capsula monitor`"
        raise CapsulaError((Fault("no capsule", "no capsule is open here", remedy),))
    return here


def _or_raise(answer: Result[Value, tuple[Fault, ...]]) -> Value:
    if isinstance(answer, Success):
        value: Value = answer.unwrap()
        return value
    raise CapsulaError(answer.failure())


def _alone(fault: Fault) -> tuple[Fault, ...]:
    return (fault,)
