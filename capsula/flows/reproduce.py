"""Bringing a run back: restore it into a fresh place, run it under ``monitor``, and judge what came of it."""

import os
import signal
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from returns.result import Failure, Result, Success

from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, fault_of
from capsula.core.report import Report, silent
from capsula.core.settings import Settings
from capsula.effects.environments import Environment, built
from capsula.effects.files import removed
from capsula.effects.process import fed, hidden
from capsula.effects.provide import cleared, provided
from capsula.effects.restore import Restored
from capsula.effects.restore import restored as source_restored
from capsula.effects.signals import ENDING
from capsula.effects.surroundings import stream_kind
from capsula.effects.vault import planted
from capsula.flows.blueprint import TREE, UNRECORDED, Blueprint, Wish, ordered, sought
from capsula.flows.environment import HASH_SEED
from capsula.flows.inputs import Input
from capsula.flows.inspect import Inspected, capsules, inspected, keeps_output, part
from capsula.flows.load import load
from capsula.flows.monitor import INTERRUPTED, Monitored, Origin, monitor
from capsula.flows.run import BEFORE
from capsula.flows.verdict import Replay, context_suspects, judgement, tolerance
from capsula.reading.cache import cache
from capsula.reading.digest import file_facts
from capsula.reproduction.verdict import Suspect, Verdict, blocked, interrupted


class Workspace(NamedTuple):
    """A fresh place in which a run is repeated."""

    directory: Path
    root: Path
    """Where the recorded root directory is now."""
    drift: tuple[Suspect, ...]
    """In what the place is not what it was."""
    environment: Environment | None = None
    """The rebuilt one; none if the one that is here is used."""


class Reproduction(NamedTuple):
    """What came of it."""

    verdict: Verdict
    origin: Path
    """The capsule of the recorded run."""
    workspaces: tuple[Path, ...]
    """Those in which it was run."""
    replays: tuple[Monitored, ...]


def reproduce(
    it: Blueprint, wish: Wish, places: Sequence[Path], surroundings: Surroundings, report: Report = silent
) -> Result[Reproduction, Fault]:
    """Repeat a run once in each of the places, which are empty or not there, and judge it against the recorded one.

    Faults: ``integrity``, for a source that is not what the capsule says.
    """
    replays: list[Replay] = []
    suspects: tuple[Suspect, ...] = ()
    made: list[Path] = []
    for place in places:
        if place.exists() and not (place.is_dir() and not any(place.iterdir())):
            occupied = Fault("occupied", f"{place} is not empty", "name a directory that is, or that is not there")
            return Success(_blocked(it, occupied, made))
        report("restoring", place=str(place), files=_files(it))
        answer = _made(it, wish, place, surroundings, report)
        if not isinstance(answer, Success):
            fault = answer.failure()
            return Failure(fault) if fault.kind == "integrity" else Success(_blocked(it, fault, made))
        made.append(place)
        workspace = answer.unwrap()
        turn = f", {len(made)} of {len(places)}" if len(places) > 1 else ""
        report("running", command=it.argv, turn=turn, is_seen=_is_seen_as_then(it))
        replays.append(_replay(it, wish, workspace, surroundings, report))
        if by := _interruption(it, replays[-1]):
            runs = tuple(replay.monitored for replay in replays)
            return Success(Reproduction(interrupted(by), it.capsule, tuple(made), runs))
        suspects = (
            *workspace.drift,
            *_suspects(it, workspace),
            *context_suspects(it, replays[-1]),
            *_lost(it, wish),
        )
    report("comparing")
    runs = tuple(replay.monitored for replay in replays)
    return Success(Reproduction(judgement(it, replays, suspects), it.capsule, tuple(made), runs))


def _interruption(it: Blueprint, replay: Replay) -> str:
    """Return the name of the signal by which we were told to end, and the replay with us; empty if we were not."""
    outcome = replay.monitored.outcome
    if outcome is None or outcome.exit_code == it.result.get("exit_code"):
        return ""
    number = signal.SIGINT if outcome.exit_code == INTERRUPTED else outcome.signal
    return next((ending.name for ending in ENDING if ending == number), "")


def _files(it: Blueprint) -> int:
    counts = (part(tree, "files") for tree in it.source.values())
    return sum(count for count in counts if isinstance(count, int))


def _blocked(it: Blueprint, fault: Fault, made: Sequence[Path]) -> Reproduction:
    return Reproduction(blocked([str(fault)]), it.capsule, tuple(made), ())


def fresh_place(it: Blueprint, surroundings: Surroundings) -> Result[Path, Fault]:
    """Return a place in the user's cache that nothing stands at, and where no other user puts anything."""
    home = cache(surroundings.environ)
    if home is None:
        return Failure(Fault("blocked", "there is neither HOME nor XDG_CACHE_HOME", "say where with --into"))
    places = home / "reproductions"
    try:
        flaw = planted(home, (places,)) if os.path.lexists(home) else None
    except OSError as error:
        return Failure(fault_of(error, str(home)))
    if flaw:
        return Failure(Fault("unsafe", f"nothing is run in {places}: {flaw}", "say where with --into"))
    number = 1
    while os.path.lexists(places / f"{it.id}-{number}"):
        number += 1
    return Success(places / f"{it.id}-{number}")


def discarded(place: Path) -> None:
    """Remove a workspace."""
    removed(place)


def _environment(
    it: Blueprint, wish: Wish, place: Path, surroundings: Surroundings, report: Report
) -> Result[Environment | None, Fault]:
    home = cache(surroundings.environ)
    recipe = sought(it, surroundings, wish, place)
    if recipe is None:
        return Success(None)
    if home is None:
        return Failure(Fault("blocked", "there is neither HOME nor XDG_CACHE_HOME to build an environment in"))
    return built(ordered(recipe, home, surroundings, wish), report)


def _made(
    it: Blueprint, wish: Wish, place: Path, surroundings: Surroundings, report: Report
) -> Result[Workspace, Fault]:
    """Make a workspace; of one in which nothing can be run, nothing is left."""
    was_there = place.exists()
    workspace: Result[Workspace, Fault] = Failure(Fault("interrupted", f"{place} is not whole"))
    try:
        workspace = _workspace(it, wish, place, surroundings, report)
    finally:
        if not isinstance(workspace, Success):
            discarded(place / TREE if was_there else place)
    return workspace


def _workspace(
    it: Blueprint, wish: Wish, place: Path, surroundings: Surroundings, report: Report
) -> Result[Workspace, Fault]:
    # Below a directory of its own, so that files beside the root have a place that is still in the workspace.
    fetch = surroundings.environ if wish.fetch else None
    source = source_restored(it.capsule, it.source, str(it.root), place / TREE, fetch=fetch)
    whole = source.bind(lambda found: _whole(found, it, wish))
    furnished = whole.bind(lambda found: _furnished(it, wish, place, found.root))
    return furnished.bind(
        lambda workspace: _environment(it, wish, place, surroundings, report).map(
            lambda environment: workspace._replace(environment=environment)
        )
    )


def _whole(found: Restored, it: Blueprint, wish: Wish) -> Result[Restored, Fault]:
    """Stop where a file was not to be had, as no plan could know, and nobody has given it."""
    places = (os.path.relpath(f"{it.outermost}/{need.path}", it.root) for need in found.needs)
    lost = [f"{path}: {need.reason}" for path, need in zip(places, found.needs, strict=True) if path not in wish.inputs]
    if not lost or wish.anyway:
        return Success(found)
    return Failure(Fault("blocked", "; ".join(lost), "give each with --input PATH=FILE, or go on without by --anyway"))


def _furnished(it: Blueprint, wish: Wish, place: Path, root: Path) -> Result[Workspace, Fault]:
    """Provide the inputs, and take away what the capture had moved before the run."""
    declared = {each.path for each in it.inputs}
    answers: tuple[Result[Suspect | None, Fault], ...] = (
        *(_provided(each, it, wish, place, root) for each in it.inputs),
        *(_given(path, it, wish, place, root) for path in wish.inputs if path not in declared),
        *(cleared(root / path, place).map(lambda _: None) for path in it.moved),
    )
    refused = [answer.failure().message for answer in answers if not isinstance(answer, Success)]
    if refused:
        return Failure(Fault("blocked", "; ".join(refused)))
    return Success(Workspace(place, root, tuple(filter(None, (answer.unwrap() for answer in answers)))))


def _given(path: str, it: Blueprint, wish: Wish, place: Path, root: Path) -> Result[Suspect | None, Fault]:
    """Put a file that the capsule does not hold where it was; answer in what it is not known to be what it was."""
    return provided(wish.inputs[path], root / path, place, "sha256").map(
        lambda digest: _suspect_given(path, it.is_unsealed(path, digest or ""))
    )


def _suspect_given(path: str, is_same: bool | None) -> Suspect | None:
    if is_same:
        return None
    return Suspect("inputs", f"{path} is as you gave it" if is_same is None else f"{path} has other content than then")


def _provided(each: Input, it: Blueprint, wish: Wish, place: Path, root: Path) -> Result[Suspect | None, Fault]:
    """Put an input where the run looks for it, unless it is outside; answer in what it is not what it was."""
    target = Path(os.path.normpath(root / each.path))
    given = wish.inputs.get(each.path)
    is_outside = not target.is_relative_to(place)
    if _is_same(each, target) and (is_outside or given is None):
        return Success(None)
    origin = target if is_outside else given or each.kept or it.root / each.path
    if not os.path.isfile(origin):
        remedy = f"give it with --input {each.path}=FILE"
        return Failure(Fault("missing", f"the input {each.path} is neither here nor in the capsule; {remedy}"))
    changed = Suspect("inputs", f"{each.path} has other content than then")
    if is_outside:
        return Success(changed)
    digest = provided(origin, target, place, each.algorithm)
    return digest.map(lambda it: None if each.digest is None or it == each.digest else changed)


def _is_same(each: Input, file: Path) -> bool:
    if each.digest is None or each.algorithm is None:
        return os.path.isfile(file)
    told = file_facts(file, each.algorithm)
    return isinstance(told, Success) and part(told.unwrap().facts, "file_hash") == each.digest


def _replay(it: Blueprint, wish: Wish, workspace: Workspace, surroundings: Surroundings, report: Report) -> Replay:
    environment = workspace.environment
    directory = environment.directory if environment else None
    words, variables = it.replay(workspace.directory, directory), it.variables.within(directory)
    drawn = part(it.documents[BEFORE], "environment_changes", HASH_SEED)
    seed = drawn if isinstance(drawn, str) and it.variables.environ.get(HASH_SEED) == drawn else None
    # A seed that was drawn is no variable of the user's, and is recorded as drawn again.
    environ = {name: value for name, value in variables.environ.items() if seed is None or name != HASH_SEED}
    here = Surroundings(words.directory, environ, it.unmarked(words.argv), surroundings.executable)
    settings = load(workspace.root, here).map(lambda config: config.settings).value_or(Settings())
    items = tuple(item for item in it.items if item in settings.monitor.item)
    # The commands that prepare a capture have done so for the recorded run; what they made is in its source.
    files = {path: wish for path, wish in settings.capture.files.items() if not wish.move}
    capture = settings.capture._replace(pre_capture_commands=(), files=files)
    own_vault = settings.vault_directory
    # On the user's terminal as then, what was left alone is so again; elsewhere its output helps to see what failed.
    keep_output = keeps_output(it.documents) or not _is_seen_as_then(it)
    how = settings.monitor._replace(keep_output=keep_output)
    settings = settings._replace(vault_directory=str(it.vault), capture=capture, monitor=how)
    given = _stdin(it, wish)
    with nullcontext() if _is_seen_as_then(it) else hidden(), fed(given) if given else nullcontext():
        origin = Origin(it.id, it.capsule.name, seed)
        monitored = monitor(Config(workspace.root, settings, here), items, origin=origin, report=report)
    calls = _calls(workspace.root / own_vault) if it.function else ()
    return Replay(monitored, workspace.root, tolerance(settings, items), directory, calls)


def _calls(vault: Path) -> tuple[Inspected, ...]:
    """Return the calls that were recorded in a vault, in their order."""
    return tuple(inspected(entry) for entry in reversed(capsules(vault).value_or(())))


def _stdin(it: Blueprint, wish: Wish) -> Path | None:
    """Return what is read as the standard input: nothing by default; none for what a person typed, and may again."""
    kind = part(it.documents[BEFORE], "command", "stdin")
    return wish.stdin or (None if kind == "terminal" else Path(os.devnull))


def _is_seen_as_then(it: Blueprint) -> bool:
    """Tell whether both streams were terminals and are: programs print other things to a terminal."""
    kinds = [part(it.documents[BEFORE], "command", name) for name in ("stdout", "stderr")]
    return kinds == ["terminal", "terminal"] and stream_kind(1) == stream_kind(2) == "terminal"


def _suspects(it: Blueprint, workspace: Workspace) -> tuple[Suspect, ...]:
    """Return in what the rebuilt environment is not the recorded one."""
    environment = workspace.environment
    recipe = it.recipe(workspace.directory)
    if environment is None or recipe is None:
        return ()
    return (
        *(Suspect("interpreter", why) for why in environment.why),
        *(Suspect("packages", str(difference)) for difference in environment.differences),
        *(Suspect("packages", str(shortfall)) for shortfall in recipe.shortfalls),
    )


def _lost(it: Blueprint, wish: Wish) -> tuple[Suspect, ...]:
    """Return what the plan said would not be as it was."""
    why = it.variables.step.why
    kind = part(it.documents[BEFORE], "command", "stdin")
    is_lost = wish.stdin or kind in UNRECORDED
    told = "as you gave it" if wish.stdin else f"empty, and was a {kind}: give it with --stdin FILE"
    return (
        *((Suspect("environment", why),) if why else ()),
        *((Suspect("inputs", f"standard input is {told}"),) if is_lost else ()),
    )
