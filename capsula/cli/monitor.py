"""``capsula monitor``."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from returns.result import Failure, Result, Success

from capsula.cli.capture import account, unportable
from capsula.cli.console import Console, safe
from capsula.core.config import Config
from capsula.core.fault import Fault
from capsula.core.naming import memorable
from capsula.core.strict import conflicts, item_mistakes
from capsula.effects.process import die_as
from capsula.effects.surroundings import surroundings
from capsula.flows.load import GONE, load
from capsula.flows.monitor import REFUSED, STARTED, Monitored, monitor, unrecorded
from capsula.flows.run import AFTER

_TOLD = 3
"""Faults that the line names."""

MISTAKE = REFUSED
VALUED = {"-i", "--item", "--json-file"}

EXAMPLES = """
examples:
  capsula monitor python train.py --lr 0.1
  capsula monitor -i training python train.py     keep the files of [monitor.item.training] afterwards
  capsula monitor -- ./-odd-name                  a command whose name begins with a dash
  capsula monitor --no-output bash                a session at the keyboard, with its job control
  capsula monitor sh -c 'sort data.txt | uniq -c > counts.txt'

All from the first word that is no option is the command's. Capsula prints nothing of its own on standard output, and
ends as the command did; 125 means that the command was not run, 126 that it cannot be executed, 127 that there is none.
"""


def arguments(parser: ArgumentParser) -> None:
    """Add the options of the command."""
    parser.usage = "capsula monitor [OPTION]... [--] COMMAND [ARGUMENT]..."
    parser.add_argument(
        "-i", "--item", action="append", default=[], metavar="ITEM", help="keep the files of this item; may be repeated"
    )
    parser.add_argument(
        "--no-output", action="store_true", help="leave its streams alone: it has yours, and what it prints is not kept"
    )
    parser.add_argument("--strict", action="store_true", help="do not run the command if not all can be recorded")
    parser.add_argument("--json-file", type=Path, metavar="PATH", help="write an account of the run to a new JSON file")


def run(options: Namespace, console: Console) -> int:
    """Run the command, and end as it did."""
    command = tuple(options.command)
    if not command:
        console.error("which command is to be run? see `capsula monitor --help`")
        return MISTAKE
    items = tuple(dict.fromkeys(options.item))
    here = surroundings(command)
    loaded = load(options.directory, here).bind(lambda config: _fitting(config, items))
    is_lost = isinstance(loaded, Failure) and loaded.failure()[0].kind == GONE
    if isinstance(loaded, Failure) and not is_lost:
        console.mistakes(loaded.failure())
        return MISTAKE
    if options.json_file and not _is_free(options.json_file, console):
        return MISTAKE
    if isinstance(loaded, Success):
        config = _wished(loaded.unwrap(), options)
        monitored = monitor(config, items, strict=options.strict, report=console.report, apart=options.apart)
    else:
        if options.apart:
            options.apart.close()
        monitored = unrecorded(here, loaded.failure(), strict=options.strict)
    _tell(monitored, console)
    if options.json_file:
        _write(options.json_file, monitored, console)
    if monitored.outcome is None:
        console.error("the command was not run, as --strict asks")
        return REFUSED
    return die_as(monitored.outcome)


def _fitting(config: Config, items: tuple[str, ...]) -> Result[Config, tuple[Fault, ...]]:
    mistakes = (*item_mistakes(config.settings, items), *conflicts(config.settings, items))
    return Failure(mistakes) if mistakes else Success(config)


def _wished(config: Config, options: Namespace) -> Config:
    if not options.no_output:
        return config
    settings = config.settings
    return config._replace(settings=settings._replace(monitor=settings.monitor._replace(keep_output=False)))


def _is_free(file: Path, console: Console) -> bool:
    """Make the file of the account before anything runs; one that is there is somebody's."""
    try:
        file.touch(0o600, exist_ok=False)
    except OSError as error:
        console.error(safe(f"--json-file: {file} cannot be made: {error.strerror}"))
        return False
    return True


def _tell(monitored: Monitored, console: Console) -> None:
    """Say in one line what was lost, and in another, to a person, what was kept."""
    unstarted = [fault for fault in monitored.faults if fault.path == STARTED]
    console.mistakes(fault._replace(path=()) for fault in unstarted)
    told = (str(fault).splitlines()[0] for fault in monitored.faults if fault not in unstarted)
    lost = list(dict.fromkeys(told))
    if monitored.capsule is None:
        console.error(safe(f"this run is not recorded: {'; '.join(lost)}"))
        return
    name = memorable(monitored.capsule.header.id)
    if lost and not console.quiet:
        more = f"; and {len(lost) - _TOLD} more" if len(lost) > _TOLD else ""
        hint = f"; `capsula show {name}` tells all" if (monitored.capsule.directory / AFTER).is_file() else ""
        console.error(safe(f"not all is recorded: {'; '.join(lost[:_TOLD])}{more}{hint}"))
    for unfit in unportable(monitored.capsule):
        console.note(str(unfit))
    place = safe(str(monitored.capsule.directory))
    console.note(f"kept {name} in {place} ({monitored.seconds:.2f} s); next: capsula show {name}")


def _write(file: Path, monitored: Monitored, console: Console) -> None:
    capsule, outcome = monitored.capsule, monitored.outcome
    facts = {
        "capsule": account(capsule) if capsule else None,
        "exit_code": outcome.exit_code if outcome else REFUSED,
        "run_time": outcome.run_time if outcome else None,
        "faults": [fault.as_facts() for fault in monitored.faults],
    }
    try:
        with file.open("r+", encoding="utf-8") as account_of_run:
            account_of_run.write(json.dumps(facts, indent=4) + "\n")
    except OSError as error:
        console.error(safe(f"{file} could not be written: {error.strerror}"))
