"""The interpreter that is meant: a pure rule over the command, the environment and the disk."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from capsula.core.config import Surroundings

How: TypeAlias = Literal["own", "command", "project", "shebang", "virtual environment", "path"]
"""Why this one: Capsula runs in it, the command names it, the project that it is run for has it, its script names it,
it is active, it is the first on the path."""


class Interpreter(NamedTuple):
    """An interpreter as it would be called (links of virtual environments not followed), and its isolating flags."""

    program: str
    how: How
    flags: tuple[str, ...] = ()


def interpreter(surroundings: Surroundings) -> Interpreter:
    """Return the interpreter that the command will use, as far as its first word tells; else the one it would find."""
    own = Interpreter(surroundings.executable, "own")
    if surroundings.argv == (surroundings.executable,):
        return own
    named = _of_command(surroundings) or _of_project(surroundings) or _of_script(surroundings)
    return named or _found_on_path(surroundings) or own


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


def _of_project(surroundings: Surroundings) -> Interpreter | None:
    """Return the interpreter of the project's environment, in which ``uv run`` runs what comes behind it."""
    match surroundings.argv:
        case [runner, "run", *options] if Path(runner).name == "uv":
            if "--active" in options and (active := _active(surroundings)):
                return active
            chosen = surroundings.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
            places = (surroundings.cwd, *surroundings.cwd.parents)
            program = next(
                filter(None, (_executable(Path(place, chosen, "bin", "python"), surroundings) for place in places)),
                None,
            )
            return Interpreter(program, "project") if program else None
    return None


def _of_script(surroundings: Surroundings) -> Interpreter | None:
    script = _found(surroundings.argv[0], surroundings) if surroundings.argv else None
    match _interpreting(script) if script else ():
        case [program, *options] if _is_python(program):
            return Interpreter(_found(program, surroundings) or program, "shebang", tuple(_isolating(options)))
    return None


def _found_on_path(surroundings: Surroundings) -> Interpreter | None:
    programs = (
        _executable(Path(directory, name), surroundings)
        for directory in _search_path(surroundings)
        for name in ("python", "python3")
    )
    program = next(filter(None, programs), None)
    return Interpreter(program, "path") if program else None


def _is_python(program: str) -> bool:
    return re.fullmatch(r"(python|pypy)[\d.]*([a-z]?|-dbg)", Path(program).name) is not None


def _found(program: str, surroundings: Surroundings) -> str | None:
    """Return the path of a program as the command's process would find it."""
    if "/" in program:
        return _executable(surroundings.cwd / program, surroundings)
    places = _search_path(surroundings)
    return next(filter(None, (_executable(Path(place, program), surroundings) for place in places)), None)


def _search_path(surroundings: Surroundings) -> Iterator[Path]:
    for directory in surroundings.environ.get("PATH", os.defpath).split(os.pathsep):
        yield surroundings.cwd / directory


def _executable(file: Path, surroundings: Surroundings) -> str | None:
    if not os.path.isfile(file) or not os.access(file, os.X_OK):
        return None
    return _behind(file, surroundings) if file.parent.name == "shims" else str(file)


def _behind(shim: Path, surroundings: Surroundings) -> str:
    """Return the program that a shim of pyenv stands for, where one version is chosen by its whole name.

    In all other cases it is the shim itself, which finds it too, and takes ten times as long as a start of Python.
    """
    chosen = surroundings.environ.get("PYENV_VERSION") or _chosen_version(shim.parent.parent, surroundings)
    program = shim.parent.parent / "versions" / chosen / "bin" / shim.name
    is_one = chosen not in ("", "..") and "/" not in chosen
    return str(program) if is_one and os.path.isfile(program) and os.access(program, os.X_OK) else str(shim)


def _chosen_version(root: Path, surroundings: Surroundings) -> str:
    """Return what the first file that chooses versions holds: for the directory, one around it, or everywhere."""
    starts = (surroundings.environ.get("PYENV_DIR"), surroundings.cwd)
    places = (place for start in starts if start for place in (Path(start), *Path(start).parents))
    files = chain((place / ".python-version" for place in places), (root / "version",))
    return next((_beginning(str(file)).strip() for file in files if os.path.isfile(file)), "")


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
