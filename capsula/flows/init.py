"""Beginning: write a first ``capsula.toml`` that suits a directory and explains itself."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from returns.result import Failure, Result

from capsula.core.fault import Fault, fault_of
from capsula.core.foreign import safe
from capsula.flows.load import find

_PROJECT_FILES = (
    "pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pixi.lock",
    "conda-lock.yml",
    "environment.yml",
    "requirements*.txt",
)
"""Files, as globs, that say which packages a project runs with."""

_LOCK_CHECKS = {
    "poetry.lock": "poetry check --lock",
    "uv.lock": "uv lock --check",
    "pdm.lock": "pdm lock --check",
}
"""Commands that fail when a lock file is out of date."""

_STARTER = """\
# Configuration of Capsula. All paths are relative to the directory of this file.
# A line that begins with "#" and no space is an example: remove the "#" to use it.

# Where capsules are kept.
#vault-directory = "vault"

# Name of a capsule, as strftime makes it from the local time; a slash makes folders. What Linux takes is taken: a colon
# (as of "%X") or a space too, though no Windows share holds a colon, and a shell wants the name in quotes.
#capsule-template = "%Y%m%d_%H%M%S"

# Whether capsules survive a loss of power ("full") or only a crash of the process ("fast").
# Left out: "full" for commands, "fast" for decorated functions.
#durability = "full"

[capture]
# Whether to capture the CPU.
#include-cpu = true

# Whether to list the Python packages of the interpreter that runs the command.
#include-python-packages = true

# Whether to keep what differs from the commit, so that the source can be put back byte for byte.
#include-source = true

# Whether to capture the operating system, and what makes its numbers come out as they do.
#include-system = true

# Whether to capture the variables that programs listen to, and a digest of each other one.
#include-environment = true

# Commands that the shell runs here, in this order, before anything is captured; if one fails, so does the capture.
#pre-capture-commands = [{check}]

# Seconds that each of them may take.
#pre-capture-time-limit = 600

# Environment variables whose values are captured.
#environment-variables = ["HOME", "OMP_NUM_THREADS"]

# Git repositories to capture, by name. Left out: {repository}; an empty table: none.
#git.repositories = {{ project = "." }}

# How much of the source is kept, in bytes; what is beyond is listed.
#source.file-limit = 52428800
#source.total-limit = 209715200

# Globs of further files that are never kept, and of files that are, although they look like secrets.
#source.withhold = ["private/**"]
#source.keep = ["tests/data/*.key"]

# Settings of a facet that a plugin provides; it runs only if they are here.
#facets.my-facet = {{ level = 1 }}

[capture.files]
# Files, directories or globs to capture. hash: "md5", "sha1", "sha256" or "sha3";
# copy or move (one of them): put the file into the capsule.
{files}

[monitor]
# Whether to capture the context before each run.
#capture = true

# What is captured anew at each call of a decorated function: "changing" (all but the CPU, the platform, the
# system and the packages, which are captured once a process) or "all".
#recapture = "changing"

# Whether to give each run a freshly drawn, recorded PYTHONHASHSEED where none is set.
#known-hash-seed = true

# Whether to keep what the command writes to its streams; false leaves them alone, as --no-output does.
#keep-output = true

# Bytes of each output stream that the record repeats; the log files hold all of it.
#output-in-record = 1048576

# Whether to look for files below the root that the command has written, and record their hashes.
#find-outputs = true

# Bytes of them that are kept in the capsule, so that a later run can be compared with this one.
#output-limit = 67108864

# What to keep after a run: here of "capsula monitor -i train ...".
#item.train.files."results.csv" = {{ hash = "sha256", move = true }}

# How much its numbers may differ, for a reproduction to be close.
#item.train.relative-tolerance = 1e-9
#item.train.absolute-tolerance = 0.0

[discretion]
# Names of variables, arguments and options whose values are no secrets, whatever the names look like.
#allow = ["MY_TOKEN_COUNT"]

# Rules by which secrets are told; all are followed that are not turned off.
#rules.jwt = false

# Bytes at the beginning of each output stream that are searched for secrets, and of the files written.
#scan-limit = 16777216
"""


def write_starter(root: Path) -> Result[Path, Fault]:
    """Create ``capsula.toml`` in a directory and return its path; a configuration that is there is never touched.

    The fault is of kind ``exists``, whether what is there is sound or not, or says why the file cannot be written.
    """
    return (
        find((root,), root)
        .alt(lambda mistake: _exists(f"there is a configuration already, with a mistake: {mistake}"))
        .bind(lambda found: Failure(_taken(found.file)) if found else _written(root / "capsula.toml", starter(root)))
    )


def starter(root: Path) -> str:
    """Return the text of a ``capsula.toml`` for a directory, which is looked at and not changed."""
    in_git = any(os.path.lexists(top / ".git") for top in (root, *root.parents))
    checks = (command for lock, command in _LOCK_CHECKS.items() if (root / lock).is_file())
    files = (f'{_quoted(name)} = {{ hash = "sha256", copy = true }}' for name in _project_files(root))
    return _STARTER.format(
        check=_quoted(next(checks, "pip freeze > requirements.txt")),
        repository="the one that this directory is in" if in_git else "the one that this directory is in, if any",
        files="\n".join(files) or '#"data.csv" = { hash = "sha256" }',
    )


def _project_files(root: Path) -> Iterator[str]:
    """Yield the names of files; one that cannot be printed is left for its owner to write."""
    for pattern in _PROJECT_FILES:
        yield from sorted(file.name for file in root.glob(pattern) if file.is_file() and file.name.isprintable())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # of printable text, the same as a TOML string


def _written(file: Path, text: str) -> Result[Path, Fault]:
    return (
        _create(file, text)
        .map(lambda _: file)
        .alt(lambda error: _taken(file) if isinstance(error, FileExistsError) else fault_of(error, str(file)))
    )


@safe(exceptions=(OSError,))
def _create(file: Path, text: str) -> None:
    with file.open("x", encoding="utf-8") as stream:
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            file.unlink()  # half a configuration would stand in the way of the next attempt
            raise


def _taken(file: Path) -> Fault:
    return _exists(f"{file} configures Capsula already")


def _exists(message: str) -> Fault:
    return Fault("exists", message, "edit that file")
