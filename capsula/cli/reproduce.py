"""``capsula reproduce``."""

import json
import os
import shlex
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from pathlib import Path

from returns.result import Success

from capsula.cli.console import Console, Style, safe
from capsula.cli.main import USAGE
from capsula.cli.progress import progress
from capsula.core.fault import Json
from capsula.core.naming import memorable
from capsula.core.step import Plan, Step
from capsula.effects.manifest import integrity
from capsula.flows.blueprint import Blueprint, Wish, blueprint, plan
from capsula.flows.inspect import inspected, named
from capsula.flows.monitor import STDOUT
from capsula.flows.reproduce import Reproduction, discarded, fresh_place, reproduce
from capsula.reproduction.comparison import Grade
from capsula.reproduction.verdict import Verdict, blocked, exit_status, lines

BLOCKED = 4
UNTRUSTED = 5

_GRADES = {grade.word: grade for grade in (Grade.IDENTICAL, Grade.EQUIVALENT, Grade.CLOSE, Grade.NONDETERMINISTIC)}
_STYLES: dict[str, Style] = {"exact": "green", "approximate": "yellow", "needs": "red", "impossible": "red"}

EXAMPLES = """
examples:
  capsula reproduce brave-otter            bring this run back in a fresh directory, and judge the result
  capsula reproduce --plan brave-otter     only say what would be done
  capsula reproduce --repeat 3 @           repeat the newest run three times, to see whether it is deterministic
  capsula reproduce --require identical @  be content with nothing less
  capsula reproduce --stdin data.txt @     give it the standard input, which no capsule holds

The work tree, the index and the refs of your repositories are never touched; nothing is run in them.

exit status: 0 at least as good as required, and all was judged; 1 not so; 2 a mistake to mend; 3 it ended with another
status than the recorded run; 4 it could not be run; 5 the capsule was changed, or is not yours and not trusted;
128 + n: it was ended by the signal n, as Control-C
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("capsule", nargs="?", default="@", metavar="CAPSULE", help="which one (default: @, the newest)")
    parser.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--into", type=Path, metavar="DIR", help="a directory that is empty or not there")
    parser.add_argument("--discard", action="store_true", help="remove the directory afterwards")
    parser.add_argument("--trust", action="store_true", help="run the program of a capsule that is not yours")
    parser.add_argument("--require", choices=_GRADES, default="close", help="what ends with status 0 (default: close)")
    parser.add_argument("--repeat", type=_count, default=1, metavar="N", help="how often to run it (default: 1)")
    parser.add_argument(
        "--input", type=_pair, action="append", default=[], metavar="PATH=FILE", help="a file to use as PATH"
    )
    parser.add_argument(
        "--stdin", type=_file, metavar="FILE", help="what it reads as its standard input (default: nothing)"
    )
    parser.add_argument(
        "--allow-env",
        action="append",
        default=[],
        metavar="NAME",
        help="let a capsule that is not yours set this variable, which could lead to code of others; may be repeated",
    )
    parser.add_argument("--anyway", action="store_true", help="run it although files, or its very Python, are missing")
    parser.add_argument("--no-rebuild", action="store_true", help="use the Python environment that is here")
    parser.add_argument("--offline", action="store_true", help="fetch no packages")
    parser.add_argument("--fetch", action="store_true", help="fetch a commit that is not here from its remote")
    parser.add_argument("--json", action="store_true", help="print an account as JSON")


def run(options: Namespace, console: Console) -> int:
    """Plan, ask for trust where it is due, repeat the run, and tell the verdict."""
    config = console.config(options)
    if config is None:
        return USAGE
    surroundings = config.surroundings
    entry = named(options.capsule, config)
    if not isinstance(entry, Success):
        console.mistakes((entry.failure(),))
        return USAGE
    wish = Wish(
        {path: (surroundings.cwd / file) for path, file in options.input},
        rebuild=not options.no_rebuild,
        offline=options.offline,
        fetch=options.fetch,
        anyway=options.anyway,
        stdin=options.stdin and surroundings.cwd / options.stdin,
    )
    directory = entry.unwrap().directory
    changed = integrity(directory)
    answer = blueprint(inspected(entry.unwrap()), config, options.allow_env)
    if not isinstance(answer, Success) and answer.failure().kind == "integrity":
        console.mistakes((answer.failure(),))
        return UNTRUSTED
    if not isinstance(answer, Success):
        return _tell(blocked([str(answer.failure())]), None, options, console)
    it = answer.unwrap()
    into = options.into and Path(os.path.realpath(surroundings.cwd / options.into))
    if into and (top := _work_tree(into)):
        console.error(safe(f"--into: {options.into} is in the work tree {top}; name a directory outside of it"))
        return USAGE
    placed = Success(into) if into else fresh_place(it, surroundings)
    if not isinstance(placed, Success):
        console.mistakes((placed.failure(),))
        return BLOCKED
    place = placed.unwrap()
    steps = plan(it, surroundings, wish, place)
    if options.plan and options.json:
        console.out(json.dumps([step.as_facts() for step in steps.steps], indent=4))
    elif options.plan or not (it.is_own or options.json):
        _show(steps, console)
    if options.plan:
        return BLOCKED if steps.blockers else 0
    if changed and not options.trust:
        console.mistakes(changed)
        console.error("the capsule is not as it was made; --trust runs it all the same")
        return UNTRUSTED
    if not (it.is_own or options.trust or _is_agreed(console)):
        console.error("the capsule is not yours, or was changed: read the plan, and say --trust to run its program")
        return UNTRUSTED
    if steps.blockers:
        return _tell(blocked([fault.message for fault in steps.blockers]), None, options, console)
    return _reproduced(it, wish, place, options, console)


def _work_tree(place: Path) -> Path | None:
    """Return the work tree that a directory is in: one of the user's, where nothing is to be put."""
    return next((folder for folder in place.parents if os.path.exists(folder / ".git")), None)


def _reproduced(it: Blueprint, wish: Wish, place: Path, options: Namespace, console: Console) -> int:
    from capsula.effects.process import die_as
    from capsula.effects.surroundings import surroundings

    here = surroundings()
    places = [
        place if number == 1 else place.with_name(f"{place.name}.{number}") for number in range(1, options.repeat + 1)
    ]
    with progress(console) as report:
        answer = reproduce(it, wish, places, here, report)
    if not isinstance(answer, Success):
        console.mistakes((answer.failure(),))
        return UNTRUSTED
    reproduction = answer.unwrap()
    status = _tell(reproduction.verdict, reproduction, options, console)
    if options.discard:
        for each in reproduction.workspaces:
            discarded(each)
    outcome = reproduction.replays[-1].outcome if reproduction.replays else None
    if reproduction.verdict.grade is Grade.INTERRUPTED and outcome:
        console.flush()
        die_as(outcome)
    return status


def _tell(verdict: Verdict, reproduction: Reproduction | None, options: Namespace, console: Console) -> int:
    status = exit_status(verdict, _GRADES[options.require])
    if options.json:
        console.out(json.dumps({**verdict.as_facts(), **_account(reproduction, options)}, indent=4))
        return status
    first, *rest = lines(verdict)
    console.out(console.paint(first, "green" if status == 0 else "red"))
    for line in rest:
        console.out(line)
    for line in _advice(verdict, reproduction, options):
        console.out(safe(line))
    for replay in reproduction.replays if reproduction else ():
        if replay.capsule:
            console.out(f"replay: {memorable(replay.capsule.header.id)}  {safe(str(replay.capsule.directory))}")
    for place in reproduction.workspaces if reproduction and not options.discard else ():
        console.out(f"in: {safe(str(place))}")
    return status


def _advice(verdict: Verdict, reproduction: Reproduction | None, options: Namespace) -> Iterator[str]:
    """Yield how to learn more of what differs."""
    replay = reproduction.replays[0].capsule if reproduction and reproduction.replays else None
    if verdict.grade is not Grade.DIFFERENT or not reproduction or not replay:
        return
    if verdict.stdout and verdict.stdout.grade is Grade.DIFFERENT:
        logs = (str(directory / STDOUT) for directory in (reproduction.origin, replay.directory))
        yield f"to see it: {shlex.join(('diff', *logs))}"
    if verdict.suspects == ():
        yield "nothing is known of files outside of the root that it reads, unless [capture.files] names them"
    if options.repeat == 1:
        name = reproduction.origin.name if options.capsule.startswith("@") else options.capsule  # @ is the replay now
        again = shlex.join(("capsula", "reproduce", "--repeat", "2", name))
        yield f"to see whether it differs from run to run by itself: {again}"


def _account(reproduction: Reproduction | None, options: Namespace) -> dict[str, Json]:
    replays = [replay.capsule for replay in reproduction.replays if replay.capsule] if reproduction else []
    return {
        "replays": [str(capsule.directory) for capsule in replays],
        "workspaces": [str(place) for place in reproduction.workspaces] if reproduction and not options.discard else [],
    }


def _show(steps: Plan, console: Console) -> None:
    for step in steps.steps:
        console.out(_line(step, console))
        for detail in step.details:
            console.out(f"    {safe(detail)}")


def _line(step: Step, console: Console) -> str:
    fidelity = console.paint(f"{step.fidelity:<11}", _STYLES[step.fidelity])
    return f"{fidelity} {safe(step.title)}" + (f" ({safe(step.why)})" if step.why else "")


def _is_agreed(console: Console) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    console.error("this capsule is not yours; its program can do all that you can. Run it? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)


def _file(text: str) -> Path:
    if not os.path.isfile(text):
        raise ArgumentTypeError(f"{text!r} is no file")
    return Path(text)


def _pair(text: str) -> tuple[str, Path]:
    path, equals, file = text.partition("=")
    if not (path and equals and file):
        raise ArgumentTypeError(f"{text!r} is not PATH=FILE")
    return path, Path(file)
