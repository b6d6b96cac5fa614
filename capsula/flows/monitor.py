"""Monitoring a command: capture, open the capsule, run, and close it; the run comes first."""

import os
import signal
from collections.abc import Callable, Mapping
from datetime import datetime
from os import SEEK_END
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, TypeAlias, TypeVar

from returns.result import Failure, Result, Success

from capsula.collectors.outputs import Glance, glance
from capsula.core.clock import stamp
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json, crash_of, fault_of
from capsula.core.fragment import Answer, Fragment, gather, joined
from capsula.core.redaction import Redaction
from capsula.core.report import Report, silent
from capsula.core.run import Command, Logged, Outcome
from capsula.effects.process import run
from capsula.effects.signals import undisturbed
from capsula.effects.surroundings import stream_kind, umask
from capsula.flows.apart import Apart
from capsula.flows.capsule import Capsule, discretion
from capsula.flows.capture import header, looked, prepared
from capsula.flows.environment import ID, NAME, changes_recorded, environment_changes, told_of
from capsula.flows.run import KEEP_OUTPUT, Ending, Run, ended, fact, opened

T = TypeVar("T")

STDOUT = "stdout.log"
STDERR = "stderr.log"

_SIGNALS = {number.value: number.name for number in signal.Signals}  # without the real-time ones

_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How a log is opened: the command may have put something else in its place."""

STARTED = ("started",)
"""The place of the fault that a command could not be started."""

REFUSED = 125
"""Exit status of a command that was not run."""
INTERRUPTED = 128 + signal.SIGINT


class Origin(NamedTuple):
    """A recorded run that is repeated."""

    id: str
    name: str
    """The name that its command was told: what it was told belongs to what it made."""
    hash_seed: str | None = None
    """The seed that was drawn for it."""


class Monitored(NamedTuple):
    """A command that was run, or refused, and what was kept of it."""

    outcome: Outcome | None
    """None if it was refused: strictness was asked for, and there was trouble before the start."""
    capsule: Capsule | None
    """None if no capsule could be made; its documents are as far as they could be written."""
    faults: tuple[Fault, ...]
    """What of the record is not as it was wanted."""
    seconds: float = 0.0
    """What recording took, before the start and after the end."""


def monitor(  # noqa: PLR0913  # a run, how it is looked at, and who is told
    config: Config,
    items: tuple[str, ...] = (),
    *,
    strict: bool = False,
    origin: Origin | None = None,
    report: Report = silent,
    apart: Apart | None = None,
) -> Monitored:
    """Run the command of the surroundings; trouble with its record never stops or changes it, unless ``strict``.

    ``origin`` is the capsule whose run this one repeats; ``apart`` reads the repositories, and is gone before the run.
    """
    begun = perf_counter()
    opening = _unharmed(lambda: _begun(config, items, origin, _Sight(report, apart), strict=strict))
    if apart:
        apart.close()
    if not isinstance(opening, Success):
        seconds = perf_counter() - begun
        return unrecorded(config.surroundings, opening.failure(), strict=strict)._replace(seconds=seconds)
    start = opening.unwrap()
    capsule = start.capsule
    if strict and capsule.faults:
        refusal = Ending(datetime.now().astimezone(), 0.0, "refused", {"exit_code": fact(REFUSED)})
        capsule = _over(capsule, lambda: ended(start.plan, start.capsule, refusal).alt(_alone))
        return Monitored(None, capsule, capsule.faults, perf_counter() - begun)
    report("started", capsule=str(capsule.directory), command=start.command.argv)
    ready = perf_counter()
    keeps = config.settings.monitor.keep_output
    stdout, stderr = (capsule.directory / log if keeps else None for log in (STDOUT, STDERR))
    outcome = run(start.command, stdout, stderr, start.redaction)
    over = perf_counter()
    report("ended", exit_code=outcome.exit_code, run_time=outcome.run_time)
    with undisturbed():
        capsule = _over(capsule, lambda: _closed(config, start, outcome))
    return Monitored(outcome, capsule, capsule.faults, ready - begun + perf_counter() - over)


def unrecorded(surroundings: Surroundings, faults: tuple[Fault, ...], *, strict: bool = False) -> Monitored:
    """Run the command with nothing around it, unless ``strict``: there is no place to record anything."""
    if strict:
        return Monitored(None, None, faults)
    command = Command(surroundings.argv, surroundings.standing, surroundings.environ)
    outcome = run(command, None, None)
    unstarted = tuple(fault._replace(path=STARTED) for fault in outcome.faults if not fault.path)
    return Monitored(outcome, None, (*faults, *unstarted))


class _Sight(NamedTuple):
    """How it is looked around before the start."""

    report: Report
    apart: Apart | None

    def begin(self, config: Config) -> None:
        """Have begun what takes longest."""
        if self.apart:
            self.apart.begin(config)

    def context(self, config: Config) -> Fragment:
        """Return the context, once the pre-capture commands are through."""
        return joined(prepared(config, self.report), looked(config, self.report, apart=self.apart))


class _Start(NamedTuple):
    """A command that is about to be run, in its capsule."""

    plan: Run
    capsule: Capsule
    command: Command
    redaction: Redaction
    """How secrets are marked in its arguments and in what it prints."""
    since: Glance | None


_Faults: TypeAlias = tuple[Fault, ...]


def _unharmed(record: Callable[[], Result[T, _Faults]]) -> Result[T, _Faults]:
    """Return what recording answers; a bug of Capsula in it costs the record, and never the run."""
    try:
        return record()
    except Exception as bug:
        return Failure((crash_of(bug, "this is a bug of Capsula; please report it"),))


def _over(capsule: Capsule, record: Callable[[], Result[Capsule, _Faults]]) -> Capsule:
    """Return a capsule whose end was recorded, or, if it could not be, the capsule as it was, and why."""
    closing = _unharmed(record)
    return closing.lash(lambda faults: Success(capsule._replace(faults=(*capsule.faults, *faults)))).unwrap()


def _begun(
    config: Config, items: tuple[str, ...], origin: Origin | None, sight: _Sight, *, strict: bool
) -> Result[_Start, _Faults]:
    surroundings, settings = config.surroundings, config.settings
    top = header(config, "full", surroundings.environ.get(ID))
    plan = Run(config, items, top._replace(reproduces=origin.id if origin else None))
    changes = environment_changes(config, origin.hash_seed if origin else None)
    seen = _as_the_command_will(config, changes)
    since = None
    if _is_settled(config):
        if settings.monitor.capture:
            sight.begin(seen)
        since = _glance(config)
    context = sight.context(seen) if settings.monitor.capture else None
    known = context.faults if context else ()
    if strict and known:
        return Failure(known)
    redaction = discretion(config, {"argv": surroundings.argv})
    before = {
        "args": fact(redaction.json([*surroundings.argv])),
        "command": fact(_command(config)),
        "items": fact(list(items)),
        KEEP_OUTPUT: fact(settings.monitor.keep_output),
        "environment_changes": fact(changes_recorded(changes)),
    }

    def start(capsule: Capsule) -> _Start:
        environ = {**surroundings.environ, **changes, **_told(capsule, origin)}
        command = Command(surroundings.argv, surroundings.standing, environ)
        return _Start(plan, capsule, command, redaction, since or _glance(config))

    return opened(plan, before, context).map(start).alt(lambda fault: (fault, *known))


def _glance(config: Config) -> Glance | None:
    return glance(config) if config.settings.monitor.find_outputs else None


def _is_settled(config: Config) -> bool:
    """Tell whether nothing of ours will change a file below the root before the command starts."""
    capture = config.settings.capture
    return not (capture.pre_capture_commands or any(wish.move for wish in capture.files.values()))


def _closed(config: Config, start: _Start, outcome: Outcome) -> Result[Capsule, _Faults]:
    answers = _after(config, start.capsule, outcome)
    ending = Ending(outcome.ended, outcome.run_time, _status(outcome), answers, start.since)
    return ended(start.plan, _logged(start.capsule, outcome), ending).alt(_alone)


def _as_the_command_will(config: Config, changes: Mapping[str, str]) -> Config:
    """Return the config of what the command will find: its interpreter, too."""
    path = {name: value for name, value in changes.items() if name == "PATH"}
    environ = {**config.surroundings.environ, **path}
    return config._replace(surroundings=config.surroundings._replace(environ=environ))


def _told(capsule: Capsule, origin: Origin | None) -> dict[str, str]:
    return {**told_of(capsule), **({NAME: origin.name} if origin else {})}


def _command(config: Config) -> dict[str, Json]:
    """Return what else of the start is needed to do it again."""
    return {
        "directory": os.path.relpath(config.surroundings.cwd, config.root),
        "stdin": stream_kind(0),
        "stdout": stream_kind(1),
        "stderr": stream_kind(2),
        "umask": umask(),
    }


def _logged(capsule: Capsule, outcome: Outcome) -> Capsule:
    """Return the capsule with what is known of the logs in it."""
    streams = {STDOUT: outcome.stdout, STDERR: outcome.stderr}
    known = {name: logged.log for name, logged in streams.items() if logged and logged.log}
    return capsule._replace(held={**capsule.held, **known})


def _after(config: Config, capsule: Capsule, outcome: Outcome) -> dict[str, Answer]:
    limit = config.settings.monitor.output_in_record
    lost = {fault.path[0]: fault._replace(path=fault.path[1:]) for fault in outcome.faults if fault.path}
    unstarted = next((fault for fault in outcome.faults if not fault.path), None)
    answers: dict[str, Answer] = {
        "stdout": _text(capsule.directory / STDOUT, outcome.stdout, limit),
        "stderr": fact("") if outcome.merged else _text(capsule.directory / STDERR, outcome.stderr, limit),
        "exit_code": fact(outcome.exit_code),
        "signal": fact(_SIGNALS.get(outcome.signal, str(outcome.signal)) if outcome.signal else None),
        "started": Failure(unstarted) if unstarted else fact(stamp(outcome.started)),
        "merged": fact(outcome.merged),
        "resources": fact(outcome.resources),
    }
    streams = {"stdout": outcome.stdout, "stderr": outcome.stderr}
    logs = {stream: _log(f"{stream}.log", logged, lost.get(stream)) for stream, logged in streams.items()}
    return {**answers, "logs": Success(gather(logs))}


def _log(name: str, logged: Logged | None, lost: Fault | None) -> Answer:
    if lost:
        return Failure(lost)
    if logged is None:
        return fact({"kept": False})
    more = {"unscanned_from": logged.unscanned_from, "digest": logged.digest}
    return fact({"file": name, "size": logged.size, **{key: told for key, told in more.items() if told is not None}})


def _text(log: Path, logged: Logged | None, limit: int) -> Answer:
    """Return a stream as text: all of it, or its last part with a mark that says so; null if it was left alone."""
    if logged is None:
        return fact(None)
    try:
        with open(os.open(log, _READING), "rb") as stream:
            left_out = max(stream.seek(0, SEEK_END) - limit, 0)
            stream.seek(left_out)
            text = stream.read(limit).decode("utf-8", "backslashreplace")
    except OSError as error:
        return Failure(fault_of(error, log.name))
    mark = f"[the first {left_out} bytes are only in {log.name}]\n" if left_out else ""
    return fact(mark + text)


def _status(outcome: Outcome) -> str:
    if outcome.exit_code == INTERRUPTED:
        return "interrupted"
    if outcome.signal:
        return "killed"
    return "failed" if outcome.exit_code else "finished"


def _alone(fault: Fault) -> _Faults:
    return (fault,)
