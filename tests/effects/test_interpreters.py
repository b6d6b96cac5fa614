"""Interpreters: found where people keep them, asked what they are, and never mistaken for another."""

import sys
from pathlib import Path

import pytest
from attrs import evolve
from returns.result import Failure

from capsula.core.config import Surroundings
from capsula.effects.interpreters import found
from capsula.restorers.building import Found
from capsula.restorers.python_packages import Python

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = Python(sys.version.split()[0], sys.implementation.name)
REAL = Path(sys.base_prefix) / "bin" / f"python{MINOR}"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("bin", "PATH"),
        ("pyenv/versions/any/bin", "PYENV_ROOT"),
        ("pythons/cpython-any/bin", "UV_PYTHON_INSTALL_DIR"),
        ("home/.pyenv/versions/any/bin", ""),
        ("home/.local/share/uv/python/any/bin", ""),
        ("home/miniforge3/bin", ""),
        ("home/miniconda3/envs/any/bin", ""),
        ("conda/envs/any/bin", "CONDA_PREFIX"),
        ("conda/bin", "MAMBA_ROOT_PREFIX"),
    ],
)
def test_an_interpreter_is_found_where_people_keep_them(place: str, name: str, tmp_path: Path) -> None:
    python = linked(tmp_path / place)
    environ = {name: str(tmp_path / place.split("/", maxsplit=1)[0])} if name else {}

    answer = found(HERE, surroundings(tmp_path, **environ)).unwrap()

    assert (answer.program, answer.python.version, answer.why) == (str(python), HERE.version, ())


def test_a_virtual_environment_leads_to_the_python_it_was_made_of(tmp_path: Path) -> None:
    if sys.prefix == sys.base_prefix:
        pytest.skip("needs: a virtual environment around the tests")

    answer = found(HERE, surroundings(tmp_path)._replace(executable=sys.executable)).unwrap()

    assert Path(answer.program).resolve() == REAL.resolve()


def test_what_does_not_answer_as_a_python_is_passed_over(tmp_path: Path) -> None:
    for number, text in enumerate(("exit 1", "echo nonsense", 'echo "[1, 2]"', "echo '[1, 2, 3, 4, 5, 6, 7]'", "true")):
        liar = tmp_path / "pyenv" / "versions" / f"{number}" / "bin" / f"python{MINOR}"
        liar.parent.mkdir(parents=True)
        liar.write_text(f"#!/bin/sh\n{text}\n")
        liar.chmod(0o755)
    python = linked(tmp_path / "pyenv" / "versions" / "real" / "bin")

    answer = found(HERE, surroundings(tmp_path, PYENV_ROOT=str(tmp_path / "pyenv"))).unwrap()

    assert answer.program == str(python)


def test_the_nearest_stands_in_and_is_told(tmp_path: Path) -> None:
    python = linked(tmp_path / "bin")
    wanted = evolve(HERE, version=f"{HERE.version}9", platform="other-platform")

    answer = found(wanted, surroundings(tmp_path, PATH=str(tmp_path / "bin"))).unwrap()

    assert answer == Found(
        str(python),
        answer.python,
        (
            f"Python {HERE.version} stands in for {wanted.version}, which is not on this machine",
            f"this machine is {answer.python.platform}, and it ran on other-platform",
        ),
    )


@pytest.mark.parametrize(
    "wanted", [evolve(HERE, implementation="pypy"), evolve(HERE, abi_flags="t"), evolve(HERE, version="3.99.0")]
)
def test_one_of_another_kind_never_stands_in(wanted: Python, tmp_path: Path) -> None:
    linked(tmp_path / "bin")

    answer = found(wanted, surroundings(tmp_path, PATH=str(tmp_path / "bin")))

    assert isinstance(answer, Failure)
    assert answer.failure().kind == "unavailable"


def linked(folder: Path) -> Path:
    """Put the Python that runs the tests, outside of any virtual environment, into a folder."""
    folder.mkdir(parents=True)
    python = folder / f"python{MINOR}"
    python.symlink_to(REAL)
    return python


def surroundings(tmp_path: Path, **environ: str) -> Surroundings:
    return Surroundings(tmp_path, {"HOME": str(tmp_path / "home"), **environ}, (), str(tmp_path / "none" / "python"))
