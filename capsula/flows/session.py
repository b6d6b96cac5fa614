"""A session: a capsule around what is no command, opened by one process and closed by another, maybe days later."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime
from typing import NamedTuple, cast

from returns.result import Failure, Result, Success

from capsula.collectors.outputs import Glance, State, glance
from capsula.core.config import Config
from capsula.core.document import HEADER, Header, dumps, loads
from capsula.core.effect import Source, Write
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment, joined
from capsula.core.report import Report, silent
from capsula.core.settings import Durability
from capsula.core.strict import conflicts, item_mistakes
from capsula.effects.claim import claimed
from capsula.effects.surroundings import boot_id
from capsula.flows.apart import Apart
from capsula.flows.capsule import Capsule, reopened
from capsula.flows.capture import header, looked, prepared
from capsula.flows.environment import ID
from capsula.flows.inspect import Entry, Inspected, capsules, content, found, held, inspected, part
from capsula.flows.run import BEFORE, OPEN, Ending, Run, ended, fact, opened

GLANCE = ".capsula/glance.json"


class Session(NamedTuple):
    """What is to be around, and what a person says of it."""

    items: tuple[str, ...]
    note: str


def started(
    config: Config, session: Session, report: Report = silent, apart: Apart | None = None
) -> Result[Capsule, Fault]:
    """Capture, and open a capsule that stays open until it is finished.

    The failure is a pre-capture command that failed, or a capsule that could not be written.
    """
    top = header(config, "full", config.surroundings.environ.get(ID))
    context: Fragment | None = None
    if config.settings.monitor.capture:
        preparation = prepared(config, report)
        if preparation.faults:
            return Failure(preparation.faults[0])
        context = joined(preparation, looked(config, report, apart=apart))
    before: dict[str, Answer] = {
        "items": fact(list(session.items)),
        "note": fact(session.note),
        "uptime": fact(_uptime()),
    }
    if config.settings.monitor.find_outputs:
        before["glance"] = _kept(glance(config))
    return opened(Run(config, session.items, top), before, context, status=OPEN)


def finished(config: Config, entry: Entry, status: str) -> Result[Capsule, tuple[Fault, ...]]:
    """Close a capsule that was opened, as ``finished`` or ``failed``, with the outputs and the files of its items.

    The failures are mistakes, of kind ``mistake``; or why its end could not be recorded: it is open as before.
    """
    with claimed(entry.directory / BEFORE) as is_ours:
        if is_ours:
            return _finished(config, entry, status)
    return Failure((Fault("mistake", f"{entry.name} is being finished by another process"),))


def _finished(config: Config, entry: Entry, status: str) -> Result[Capsule, tuple[Fault, ...]]:
    capsule = inspected(entry)
    before = capsule.documents.get(BEFORE, {})
    items = _words(before.get("items"))
    mistakes = (
        *_unfit(config, capsule, before.get("root_directory")),
        *item_mistakes(config.settings, items),
        *conflicts(config.settings, items),
    )
    if mistakes:
        return Failure(mistakes)
    top = _header(entry, part(before, HEADER))
    now = datetime.now().astimezone()
    since = _glance(entry.directory) if "glance" in before else None
    if isinstance(since, Failure):
        return Failure((since.failure(),))
    run_time = _lasted(before.get("uptime"), top.taken, now)
    ending = Ending(now, run_time, status, {}, since.unwrap() if since else None)
    place = reopened(config, entry.directory, top, held(entry.directory))
    return ended(Run(config, items, top), place, ending).alt(lambda fault: (fault,))


def meant(config: Config, reference: str | None) -> Result[Entry, Fault]:
    """Return the open capsule that is meant: by its name, by the environment, or as the only one."""
    if reference is not None:
        return found(reference, config.vault, config.surroundings.cwd)
    return capsules(config.vault).bind(lambda entries: _only(config, entries))


def _only(config: Config, entries: tuple[Entry, ...]) -> Result[Entry, Fault]:
    here = config.surroundings.environ.get(ID)
    those = [entry for entry in entries if inspected(entry).state == OPEN]
    match [entry for entry in those if entry.id == here] or those:
        case []:
            return Failure(Fault("unknown capsule", f"no capsule in {config.vault} is open", "capsula start opens one"))
        case [entry]:
            return Success(entry)
    names = ", ".join(f"{entry.memorable} ({entry.name})" for entry in those)
    return Failure(Fault("ambiguous", f"{len(those)} capsules are open: {names}", "say which one"))


def _unfit(config: Config, capsule: Inspected, root: Json) -> Iterator[Fault]:
    if capsule.state != OPEN:
        yield Fault("mistake", f"{capsule.entry.name} is not open: it is {capsule.state}")
    elif root != str(config.root):
        remedy = f"use `capsula -C {root} finish {capsule.entry.name}`"
        yield Fault("mistake", f"{capsule.entry.name} was started in {root}, not in {config.root}", remedy)


def _header(entry: Entry, facts: Json) -> Header:
    parent, durability = part(facts, "parent"), part(facts, "durability")
    kept: Durability = "fast" if durability == "fast" else "full"
    return Header(str(entry.id), entry.taken, parent=parent if isinstance(parent, str) else None, durability=kept)


def _kept(seen: Glance) -> Answer:
    """Return what keeps a glance in the capsule, for the process that will look again."""
    files: dict[str, Json] = {path: list(state) for path, state in seen.files.items()}
    source = Source("glance", lambda: iter((dumps({"files": files, "whole": seen.whole}),)))
    return Success(Fragment(effects=(Write(((GLANCE, source),)),)))


def _glance(directory: Path) -> Result[Glance, Fault]:
    file = directory / GLANCE
    return content(file).alt(partial(_unread, file)).bind(lambda text: loads(text).bind(_seen).alt(_of_glance))


def _unread(file: Path, fault: Fault) -> Fault:
    return fault._replace(message=f"what was there at the start cannot be read: {file}: {fault.message}")


def _of_glance(fault: Fault) -> Fault:
    return fault.under(GLANCE)


def _seen(facts: Json) -> Result[Glance, Fault]:
    match facts:
        case {"files": dict(files), "whole": bool(whole)} if all(map(_is_state, files.values())):
            return Success(Glance({path: cast("State", tuple(it)) for path, it in files.items()}, whole))
    return Failure(Fault("malformed", "is no glance at files"))


def _is_state(value: Json) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(number, int) for number in value)


def _uptime() -> dict[str, Json]:
    """Return a moment on a clock that nobody sets; it tells a duration to every process until the machine restarts."""
    return {"boot_id": boot_id(), "seconds": clock_gettime(CLOCK_BOOTTIME)}


def _lasted(then: Json, taken: datetime, now: datetime) -> float:
    """Return the seconds since then; after a restart those of the clock on the wall, which may have been set."""
    here, boot, seconds = _uptime(), part(then, "boot_id"), part(then, "seconds")
    if boot is not None and boot == here["boot_id"] and isinstance(seconds, int | float):
        return clock_gettime(CLOCK_BOOTTIME) - seconds
    return max((now - taken).total_seconds(), 0.0)


def _words(value: Json) -> tuple[str, ...]:
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()
