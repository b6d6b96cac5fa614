"""``capsula show``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from returns.result import Success

from capsula.cli.console import Console, safe
from capsula.cli.main import USAGE
from capsula.cli.tables import as_json, lasting, line, ran, shortened, style
from capsula.core.document import HEADER
from capsula.core.fault import Fault, Json
from capsula.flows.capture import CONTEXT
from capsula.flows.inspect import Inspected, held, inspected, keeps_output, named, part
from capsula.flows.run import AFTER, BEFORE

EXAMPLES = """
examples:
  capsula show                    the newest capsule
  capsula show @1                 the one before it
  capsula show brave-otter        by its memorable name, or the beginning of one
  capsula show 20230712_180929    by the name of its directory
  capsula show /elsewhere/vault/20230712_180929

exit status: 0; 1 something of it cannot be read; 2 there is no such capsule, or another mistake to mend
"""

MOST_LINES = 10
"""Lines of each output stream that are shown: the last."""
MOST_ITEMS = 20
"""Lines of every other part."""
LONGEST = 1000
"""Columns of one line."""

_LABEL = 13
_GAP = "  "


def arguments(parser: ArgumentParser) -> None:
    """Add the options and arguments of the command."""
    parser.add_argument("capsule", nargs="?", default="@", metavar="CAPSULE", help="which one (default: @, the newest)")
    parser.add_argument("--json", action="store_true", help="print all of its documents as one JSON object")


def run(options: Namespace, console: Console) -> int:
    """Show a capsule."""
    config = console.config(options)
    if config is None:
        return USAGE
    answer = named(options.capsule, config)
    if not isinstance(answer, Success):
        console.mistakes((answer.failure(),))
        return USAGE if answer.failure().kind in {"unknown capsule", "ambiguous"} else 1
    capsule = inspected(answer.unwrap())
    if options.json:
        console.out(as_json(_account(capsule)))
    else:
        _print(capsule, console)
    console.mistakes(capsule.faults)
    return 1 if capsule.faults else 0


def _account(capsule: Inspected) -> dict[str, Json]:
    return {
        "directory": str(capsule.entry.directory),
        "name": capsule.entry.name,
        "memorable": capsule.entry.memorable,
        "state": capsule.state,
        "documents": capsule.documents,
    }


def _print(capsule: Inspected, console: Console) -> None:
    entry = capsule.entry
    names = _GAP.join(filter(None, (entry.memorable and console.paint(entry.memorable, "bold"), line(entry.name))))
    console.out(f"{names}{_GAP}{console.paint(line(capsule.state), style(capsule.state))}")
    for label, lines in _parts(capsule):
        for number, text in enumerate(lines):
            name = console.paint(f"{'' if number else label:<{_LABEL}}", "dim")
            console.out(f"  {name}{shortened(text, LONGEST)}".rstrip())


def _parts(capsule: Inspected) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the parts of what is shown, each a label and lines that are safe to print; empty parts are left out."""
    documents = capsule.documents
    context, before, after = (documents.get(name, {}) for name in (CONTEXT, BEFORE, AFTER))
    yield "taken", _taken(capsule)
    yield "ran", [line(ran(capsule))] if ran(capsule) else []
    yield "source", _source(before)
    yield "in", _texts(before.get("cwd") or context.get("cwd"))
    yield "items", _texts(*_listed(before.get("items")))
    yield "exit", _exit(after)
    yield "returned", [line(after["return_value"])] if "return_value" in after else []
    yield "raised", _texts(part(after, "exception_info", "error_type"), part(after, "exception_info", "error_message"))
    yield "inside of", _texts(next(filter(None, (part(it, HEADER, "parent") for it in documents.values())), None))
    yield "git", _bounded([_checkout(name, facts) for name, facts in _entries(context.get("git"))])
    yield "environment", _bounded([f"{line(k)}={line(v)}" for k, v in _entries(context.get("environment_variables"))])
    yield "files", _bounded([_file(path, facts) for path, facts in _entries(context.get("files"))])
    yield "afterwards", _bounded([_file(path, facts) for path, facts in _entries(after.get("files"))])
    yield "outputs", _bounded([_output(path, facts) for path, facts in _entries(after.get("outputs"))])
    yield "python", _python(context)
    yield "cpu", _texts(part(context, "cpu", "brand_raw"))
    yield "records", _bounded([f"{line(name)} = {line(value)}" for name, value in _entries(after.get("records"))])
    for stream in ("stdout", "stderr"):
        yield stream, _stream(after, stream) if keeps_output(documents) else ["not kept"]
    yield "faults", [line(text) for name in documents for text in _faults(name, documents[name])]
    yield "holds", _held(capsule.entry.directory)


def _taken(capsule: Inspected) -> list[str]:
    took = lasting(part(capsule.documents, AFTER, "run_time"))
    return [f"{capsule.entry.taken:%Y-%m-%d %H:%M:%S %z}" + (f", took {took}" if took else "")]


def _source(before: Mapping[str, Json]) -> list[str]:
    file = before.get("source_file")
    return [f"{line(file)}:{line(before.get('source_line'))}"] if isinstance(file, str) else []


def _exit(after: Mapping[str, Json]) -> list[str]:
    exit_code, signal = after.get("exit_code"), after.get("signal")
    if exit_code is None:
        return []
    starved = part(after, "resources", "killed_for_memory")
    count = "1 process" if starved == 1 else f"{line(starved)} processes"
    return [
        line(exit_code) + (f", killed by {line(signal)}" if signal else ""),
        *([f"for want of memory the system killed {count} of its control group meanwhile"] if starved else []),
    ]


def _checkout(name: str, facts: Json) -> str:
    sha, branch = part(facts, "sha"), part(facts, "branch")
    commit = line(sha[:7]) if isinstance(sha, str) else "no commit"
    changes = [f"{line(count)} {line(kind)}" for kind, count in _entries(part(facts, "changes")) if count]
    dirty = [f"dirty ({', '.join(changes)})" if changes else "dirty"] if part(facts, "dirty") else []
    return f"{line(name)}: {', '.join([f'{commit} on {line(branch)}' if branch else commit, *dirty])}"


def _output(path: str, facts: Json) -> str:
    change = part(facts, "change")
    return f"{line(path)}: removed" if change == "removed" else f"{_file(path, facts)}, {line(change)}"


def _file(path: str, facts: Json) -> str:
    size, digest, kept_as = (part(facts, key) for key in ("size", "file_hash", "kept_as"))
    told = [
        f"{size} bytes" if isinstance(size, int) else "",
        f"{line(part(facts, 'hash_algorithm'))} {line(digest[:12])}" if isinstance(digest, str) else "",
        f"kept as {line(kept_as)}" if kept_as and kept_as != path else "kept" if kept_as else "",
        *_unsearched(facts),
    ]
    return f"{line(path)}: {', '.join(filter(None, told))}"


def _unsearched(facts: Json) -> list[str]:
    start = part(facts, "unscanned_from")
    since = f" from byte {start} on" if start else ""
    return [f"not searched for secrets{since}"] if isinstance(start, int) else []


def _python(context: Mapping[str, Json]) -> list[str]:
    packages = context.get("python_packages")
    version = part(packages, "interpreter", "version") or part(context, "platform", "python", "version")
    distributions = part(packages, "distributions")
    count = [f"{len(distributions)} packages"] if isinstance(distributions, Mapping) else []
    told = ", ".join([*_texts(version), *count, *_texts(part(packages, "interpreter", "executable"))])
    return [told] if told else []


def _stream(after: Mapping[str, Json], name: str) -> list[str]:
    return [*(f"({it})" for it in _unsearched(part(after, "logs", name))), *_tail(after.get(name))]


def _tail(stream: Json) -> list[str]:
    lines = stream.removesuffix("\n").split("\n") if isinstance(stream, str) and stream else []
    before = len(lines) - MOST_LINES
    return ([f"({before} more before)"] if before > 0 else []) + [safe(text) for text in lines[-MOST_LINES:]]


def _faults(name: str, document: Mapping[str, Json]) -> Iterator[str]:
    for facts in _listed(part(document, HEADER, "faults")):
        message, remedy = part(facts, "message"), part(facts, "remedy")
        path = tuple(key for key in _listed(part(facts, "path")) if isinstance(key, str))
        yield str(Fault("", str(message), str(remedy or ""), (name, *path)))


def _held(directory: Path) -> list[str]:
    return [line(str(directory)), *_bounded([f"  {line(path)}" for path in held(directory)])]


def _texts(*values: Json) -> list[str]:
    return [line(value) for value in values if value is not None and value != ""]


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _entries(value: Json) -> list[tuple[str, Json]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _bounded(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_ITEMS
    return [*lines[:MOST_ITEMS], f"({more} more)"] if more > 0 else list(lines)
