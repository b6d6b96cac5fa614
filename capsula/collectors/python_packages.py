"""The Python packages of the interpreter that the command will use; that interpreter itself is asked for them."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

from attrs import frozen
from returns.result import Failure, Result, Success, safe

from capsula import probes
from capsula.core.ask import Ask
from capsula.core.config import Config, Surroundings
from capsula.core.fault import Fault, Json
from capsula.core.fragment import Answer, Fragment, gather

How: TypeAlias = Literal["own", "command", "shebang", "virtual environment", "path"]
"""Why this one: Capsula runs in it, the command or its script names it, it is active, it is the first on the path."""


@frozen
class Interpreter:
    """An interpreter as it would be called (links of virtual environments not followed), and its isolating flags."""

    program: str
    how: How
    flags: tuple[str, ...] = ()


class Package(TypedDict):
    """A distribution as the probe tells it."""

    name: str
    version: str
    place: str
    direct_url: str
    linked: bool


class Report(TypedDict):
    """What the probe tells."""

    interpreter: dict[str, Json]
    packages: list[Package]


def asks(config: Config) -> tuple[Ask, ...]:
    """Return the question to the interpreter that the command will use."""
    return (_ask(interpreter(config.surroundings)),)


def collect(config: Config) -> Answer:
    """Return ``interpreter``, and ``distributions``: name to version and, where it came from no index, origin."""
    asked = interpreter(config.surroundings)
    return config.answers[_ask(asked)].bind(_report).alt(_advised).map(lambda report: _fragment(report, asked.how))


def interpreter(surroundings: Surroundings) -> Interpreter:
    """Return the interpreter that the command will use, as far as its first word tells; else the one it would find."""
    own = Interpreter(surroundings.executable, "own")
    if surroundings.argv == (surroundings.executable,):
        return own
    return _of_command(surroundings) or _of_script(surroundings) or _found_on_path(surroundings) or own


def _of_command(surroundings: Surroundings) -> Interpreter | None:
    if not surroundings.argv:
        return _active(surroundings)
    program, *arguments = surroundings.argv
    if not _is_python(program):
        return None
    return Interpreter(_found(program, surroundings) or program, "command", tuple(_isolating(arguments)))


def _active(surroundings: Surroundings) -> Interpreter | None:
    directory = surroundings.environ.get("VIRTUAL_ENV")
    program = _found(str(Path(directory, "bin", "python")), surroundings) if directory else None
    return Interpreter(program, "virtual environment") if program else None


def _of_script(surroundings: Surroundings) -> Interpreter | None:
    script = _found(surroundings.argv[0], surroundings) if surroundings.argv else None
    match _interpreting(script) if script else ():
        case [program, *options] if _is_python(program):
            return Interpreter(_found(program, surroundings) or program, "shebang", tuple(_isolating(options)))
    return None


def _found_on_path(surroundings: Surroundings) -> Interpreter | None:
    programs = (
        _executable(Path(directory, name)) for directory in _search_path(surroundings) for name in ("python", "python3")
    )
    program = next(filter(None, programs), None)
    return Interpreter(program, "path") if program else None


def _is_python(program: str) -> bool:
    return re.fullmatch(r"(python|pypy)[\d.]*([a-z]?|-dbg)", Path(program).name) is not None


def _found(program: str, surroundings: Surroundings) -> str | None:
    """Return the path of a program as the command's process would find it."""
    if "/" in program:
        return _executable(surroundings.cwd / program)
    return next(filter(None, (_executable(Path(place, program)) for place in _search_path(surroundings))), None)


def _search_path(surroundings: Surroundings) -> Iterator[Path]:
    for directory in surroundings.environ.get("PATH", os.defpath).split(os.pathsep):
        yield surroundings.cwd / directory


def _executable(file: Path) -> str | None:
    return str(file) if file.is_file() and os.access(file, os.X_OK) else None


_OPTION = re.compile(r"-([^cmWX]*)([cmWX]?)(.*)", re.DOTALL)


def _isolating(arguments: Sequence[str]) -> Iterator[str]:
    """Yield those options of a Python command line that change where modules are looked for."""
    rest = iter(arguments)
    for argument in rest:
        option = _OPTION.fullmatch(argument)
        if option is None or argument in ("-", "--"):
            return
        if argument.startswith("--"):
            if argument == "--check-hash-based-pycs":
                next(rest, None)
            continue
        letters, valued, value = option.groups()
        yield from (f"-{letter}" for letter in letters if letter in "EIPSs")
        if valued in ("c", "m"):
            return
        if valued and not value:
            next(rest, None)


_TRAMPOLINE = re.compile(
    r"""'''exec' (?:"?(?P<path>/[^"$]+?)"?|"\$\(dirname[^/]*/'(?P<sibling>[^'/]+)')(?P<options>(?: -\w+)*) "\$0" """
)
"""The second line with which installers replace a shebang that is too long, or that must not name a place."""


def _interpreting(script: str) -> list[str]:
    """Return the program, and its options, that the first lines of a script say it is for; nothing if they do not."""
    first, _, rest = _beginning(script).partition("\n")
    trampoline = _TRAMPOLINE.match(rest)
    if not first.startswith("#!"):
        return []
    if trampoline:
        program = trampoline["path"] or str(Path(script).resolve().with_name(trampoline["sibling"]))
        return [program, *trampoline["options"].split()]
    words = first[2:].split()
    if words and Path(words[0]).name == "env":
        return list(dropwhile(lambda word: word.startswith("-") or "=" in word, words[1:]))
    return words


def _beginning(file: str) -> str:
    try:
        with open(file, "rb") as content:
            return os.fsdecode(content.read(4096))
    except OSError:
        return ""


_MARK = "--capsula-probe--"


def _ask(asked: Interpreter) -> Ask:
    probe = Path(probes.__file__).with_name("interpreter.py").read_text("utf-8")
    return Ask((asked.program, *asked.flags, "-B", "-c", probe, _MARK))


def _report(answer: bytes) -> Result[Report, Fault]:
    match answer.split(_MARK.encode()):
        case [_, told, _]:
            return _parsed(told).alt(
                lambda error: Fault("unexpected", f"the interpreter answered with no JSON: {error}")
            )
    return Failure(Fault("unexpected", "what was asked did not answer as a Python interpreter does"))


@safe(exceptions=(ValueError,))
def _parsed(told: bytes) -> Report:
    report: Report = json.loads(told)
    return report


def _advised(fault: Fault) -> Fault:
    known = "only Python 3.6 or later can tell its packages" if fault.kind in ("failed", "unexpected") else ""
    return Fault(fault.kind, fault.message, fault.remedy or known)


def _fragment(report: Report, how: How) -> Fragment:
    packages = report["packages"]
    whole = {package["name"]: _distribution(package, report) for package in packages if _is_whole(package)}
    torn = {_stem(package): package for package in packages if not _is_whole(package)}
    broken = {name: Failure(_broken(package)) for name, package in torn.items() if name not in whole}
    answers: Mapping[str, Answer] = {
        "interpreter": Success(Fragment(report["interpreter"] | {"how": how})),
        "distributions": Success(gather(whole | broken)),
    }
    return gather(answers)


def _is_whole(package: Package) -> bool:
    return bool(package["name"] and package["version"])


def _stem(package: Package) -> str:
    return Path(package["place"]).stem.partition("-")[0]


def _broken(package: Package) -> Fault:
    return Fault("broken", f"{package['place']} tells no name and version", "install the package again, or remove this")


def _distribution(package: Package, report: Report) -> Answer:
    """Return the version, where from if not from an index, and where to if not to a directory of the interpreter."""
    facts: dict[str, Json] = {"version": package["version"]}
    location = Path(package["place"]).parent
    if not any(location.is_relative_to(str(report["interpreter"][prefix])) for prefix in ("prefix", "base_prefix")):
        facts["location"] = str(location)
    if package["linked"]:
        facts |= {"url": location.as_uri(), "editable": True}
    if not package["direct_url"]:
        return Success(Fragment(facts))
    origin = _origin(package["direct_url"])
    faults = (origin.failure().under("url"),) if isinstance(origin, Failure) else ()
    return Success(Fragment(facts | origin.value_or({}), faults=faults))


def _origin(direct_url: str) -> Result[dict[str, Json], Fault]:
    return _structured(direct_url).alt(lambda error: Fault("unexpected", f"direct_url.json is none: {error!r}"))


@safe(exceptions=(ValueError, LookupError, TypeError, AttributeError))
def _structured(direct_url: str) -> dict[str, Json]:
    """Return what a ``direct_url.json`` says, flat; secrets in the URL are left out."""
    origin = json.loads(direct_url)
    directory, repository, archive = (origin.get(kind, {}) for kind in ("dir_info", "vcs_info", "archive_info"))
    hashes = [f"{algorithm}={digest}" for algorithm, digest in archive.get("hashes", {}).items()]
    facts = {
        "url": _without_user(origin["url"]),
        "subdirectory": origin.get("subdirectory"),
        "editable": directory.get("editable", False) if "dir_info" in origin else None,
        "vcs": repository.get("vcs"),
        "commit_id": repository.get("commit_id"),
        "requested_revision": repository.get("requested_revision"),
        "hash": next(iter(hashes), archive.get("hash")),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _without_user(url: str) -> str:
    """Return the URL without user and password; the user ``git`` is no secret, and ssh needs it."""
    return re.sub(r"^([\w.+-]+://)(?!git@)[^/?#]*@", r"\1", url)
