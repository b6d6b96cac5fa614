"""Which interpreter is meant: a pure rule that looks at the command, the environment and the disk."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from capsula.core.config import Surroundings
from capsula.reading.interpreter import How, Interpreter, interpreter


def test_a_python_in_front_is_the_one_that_the_path_of_the_command_finds(tmp_path: Path) -> None:
    second = program(tmp_path / "second" / "python3.12")
    program(tmp_path / "third" / "python3.12")
    (tmp_path / "first" / "python3.12").mkdir(parents=True)
    environ = {"PATH": f"{tmp_path}/none:{tmp_path}/first:second:{tmp_path}/third"}

    chosen = interpreter(surroundings(tmp_path, "python3.12", "run.py", environ=environ))

    assert chosen == Interpreter(str(second), "command")


def test_the_link_of_a_virtual_environment_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / ".venv" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(sys.executable)

    chosen = interpreter(surroundings(tmp_path, ".venv/bin/python", "run.py"))

    assert chosen == Interpreter(str(link), "command")


@pytest.mark.parametrize(
    ("words", "environ", "chosen"),
    [
        (("uv", "run", "train.py"), {}, ".venv"),
        (("/opt/uv", "run", "--frozen", "python", "train.py"), {"VIRTUAL_ENV": "active"}, ".venv"),
        (("uv", "run", "--active", "train.py"), {"VIRTUAL_ENV": "active"}, "active"),
        (("uv", "run", "train.py"), {"UV_PROJECT_ENVIRONMENT": "other"}, "other"),
        (("uv", "run", "train.py"), {"UV_PROJECT_ENVIRONMENT": "none"}, None),
        (("uv", "sync"), {}, None),
    ],
)
def test_uv_runs_in_the_environment_of_the_project(
    words: tuple[str, ...], environ: dict[str, str], chosen: str | None, tmp_path: Path
) -> None:
    for name in (".venv", "active", "other"):
        program(tmp_path / name / "bin" / "python")
    inner = tmp_path / "inner"
    inner.mkdir()
    there = {key: f"{tmp_path}/{value}" if key == "VIRTUAL_ENV" else value for key, value in environ.items()}

    answer = interpreter(surroundings(inner, *words, environ={"PATH": str(inner), **there}))

    expected = str(tmp_path / chosen / "bin" / "python") if chosen else None
    assert (answer.program if answer.how in ("project", "virtual environment") else None) == expected


def test_a_python_that_is_not_there_is_asked_all_the_same(tmp_path: Path) -> None:
    chosen = interpreter(surroundings(tmp_path, "python3.99", "run.py"))

    assert chosen == Interpreter("python3.99", "command")


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (["run.py", "-I"], ()),
        (["-I", "-s", "run.py"], ("-I", "-s")),
        (["-bEs", "-Wignore", "-W", "-I", "-X", "utf8", "-S", "run.py"], ("-E", "-s", "-S")),
        (["-Isc", "import sys", "-E"], ("-I", "-s")),
        (["-P", "-m", "module", "-E"], ("-P",)),
        (["--check-hash-based-pycs", "always", "-E", "-", "-S"], ("-E",)),
    ],
)
def test_options_that_change_the_path_are_passed_on(
    arguments: list[str], flags: tuple[str, ...], tmp_path: Path
) -> None:
    python = program(tmp_path / "python")

    chosen = interpreter(surroundings(tmp_path, str(python), *arguments))

    assert chosen == Interpreter(str(python), "command", flags)


@pytest.mark.parametrize(
    ("head", "name", "flags"),
    [
        ("#!{bin}/python3.11\n", "python3.11", ()),
        ("#! {bin}/pypy3 -sE\n", "pypy3", ("-s", "-E")),
        ("#!/usr/bin/env python3\n", "python3", ()),
        ("#!/usr/bin/env -S A=1 python3 -I -u\n", "python3", ("-I",)),
        ("#!/bin/sh\n'''exec' \"{bin}/python3\" \"$0\" \"$@\"\n' '''\n", "python3", ()),
        ("#!/bin/sh\n'''exec' {bin}/python3 -E \"$0\" \"$@\"\n' '''\n", "python3", ("-E",)),
        (
            "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\n",
            "python",
            (),
        ),
    ],
)
def test_a_script_tells_its_python(head: str, name: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    for python in ("python", "python3", "python3.11", "pypy3"):
        program(tmp_path / python)
    program(tmp_path / "tool", head.format(bin=tmp_path))

    chosen = interpreter(surroundings(tmp_path, "tool", environ={"PATH": str(tmp_path)}))

    assert chosen == Interpreter(str(tmp_path / name), "shebang", flags)


@pytest.mark.parametrize("command", [("bash", "run.sh"), ("make",), ("./run.sh",), ("python3-config",), ()])
def test_other_commands_will_find_the_first_python_on_the_path(command: tuple[str, ...], tmp_path: Path) -> None:
    program(tmp_path / "run.sh", "#!/bin/sh\n")
    program(tmp_path / "bin" / "python3-config", "#!/bin/sh\n")
    python3 = program(tmp_path / "bin" / "python3")
    program(tmp_path / "later" / "python")
    environ = {"PATH": f"{tmp_path}/bin:{tmp_path}/later"}

    chosen = interpreter(surroundings(tmp_path, *command, environ=environ))

    assert chosen == Interpreter(str(python3), "path")


@pytest.mark.parametrize(
    ("command", "how", "place"), [((), "virtual environment", "venv/bin/python"), (("make",), "path", "bin/python")]
)
def test_an_active_environment_counts_while_there_is_no_command(
    command: tuple[str, ...], how: How, place: str, tmp_path: Path
) -> None:
    program(tmp_path / "venv" / "bin" / "python")
    program(tmp_path / "bin" / "python")
    environ = {"PATH": f"{tmp_path}/bin", "VIRTUAL_ENV": f"{tmp_path}/venv"}

    chosen = interpreter(surroundings(tmp_path, *command, environ=environ))

    assert chosen == Interpreter(str(tmp_path / place), how)


@pytest.mark.parametrize("command", [("make",), (), (sys.executable,)])
def test_the_own_interpreter_is_the_last_resort_or_named_alone(command: tuple[str, ...], tmp_path: Path) -> None:
    chosen = interpreter(surroundings(tmp_path, *command))

    assert chosen == Interpreter(sys.executable, "own")


@pytest.mark.parametrize(
    ("environ", "files", "chosen"),
    [
        ({}, {"pyenv/version": "3.12.1\n"}, "3.12.1"),
        ({"PYENV_VERSION": "3.11.7"}, {"pyenv/version": "3.12.1", "here/.python-version": "3.12.1"}, "3.11.7"),
        ({}, {"pyenv/version": "3.12.1", ".python-version": "3.11.7\n"}, "3.11.7"),
        ({}, {"here/.python-version": "3.11.7", ".python-version": "3.12.1"}, "3.11.7"),
        ({"PYENV_DIR": "there"}, {"there/.python-version": "3.12.1", "here/.python-version": "3.11.7"}, "3.12.1"),
        ({}, {"pyenv/version": "3.12.1\n3.11.7\n"}, None),
        ({}, {"pyenv/version": "3.12"}, None),
        ({}, {"pyenv/version": "system"}, None),
        ({}, {"pyenv/version": "../versions/3.12.1"}, None),
        ({"PYENV_VERSION": ".."}, {}, None),
        ({}, {}, None),
    ],
)
def test_a_shim_of_pyenv_stands_for_the_version_that_is_chosen_by_its_whole_name(
    environ: dict[str, str], files: dict[str, str], chosen: str | None, tmp_path: Path
) -> None:
    shim = program(tmp_path / "pyenv" / "shims" / "python")
    for version in ("3.11.7", "3.12.1"):
        program(tmp_path / "pyenv" / "versions" / version / "bin" / "python")
    program(tmp_path / "pyenv" / "bin" / "python")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "here").mkdir(exist_ok=True)
    there = {key: f"{tmp_path}/{value}" if key == "PYENV_DIR" else value for key, value in environ.items()}

    found = interpreter(surroundings(tmp_path / "here", environ={"PATH": str(shim.parent), **there}))

    versions = tmp_path / "pyenv" / "versions"
    assert found.program == str(versions / chosen / "bin" / "python" if chosen else shim)


def surroundings(cwd: Path, *argv: str, environ: Mapping[str, str] | None = None) -> Surroundings:
    return Surroundings(cwd, {"PATH": str(cwd / "nothing"), **(environ or {})}, argv, sys.executable)


def program(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file
