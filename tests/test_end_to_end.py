"""From a run to its replay, with everything between them changed: what can be had comes back, the rest is named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repositories import commit, git, repository, write
from tests.running import capsula, capsules, document
from tests.sources import untouched

GOOD = {"identical", "equivalent", "close"}

ANALYSIS = b"""
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

import factors

matplotlib.use("Agg")
table = pd.read_csv("data/measured.csv")
matrix = np.random.default_rng(int(sys.argv[1])).normal(size=(150, 150))
table["solved"] = np.linalg.solve(matrix @ matrix.T + np.eye(150), np.resize(table["value"], 150))[: len(table)]
table["scaled"] = table["solved"] * factors.SCALE
Path("results").mkdir(exist_ok=True)
table.to_csv("results/table.csv", index=False)
figure = table.plot(x="value", y="scaled").figure
figure.savefig("results/plot.png")
figure.savefig("results/plot.svg")
print(*{"a", "b", "c", "d", "e", "f"}, f"{table['scaled'].sum():.6f}")
"""

MEASURED = "value\n" + "".join(f"{number * number / 7}\n" for number in range(40))

SETTINGS = """
[capture]
include-cpu = false
[capture.files]
"data/measured.csv" = { hash = "sha256" }
"""


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was run, and then edited, committed, and bereft of its virtual environment and its results."""
    folder = tmp_path_factory.mktemp("end")
    root = repository(
        folder / "project",
        {
            "capsula.toml": SETTINGS.encode(),
            "analyse.py": ANALYSIS,
            ".gitignore": b"data/\nresults/\nvenv/\n__pycache__/\n",
        },
    )
    write(root, {"factors.py": b"SCALE = 2.5\n", "data/measured.csv": MEASURED.encode()})
    python = scientific(root / "venv")
    kernel = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}
    done = capsula("monitor", python, "analyse.py", "7", cwd=root, **changes(root, **kernel))
    assert (done.returncode, done.stderr) == (0, "")
    write(root, {"analyse.py": b"raise SystemExit(9)\n", "factors.py": b"SCALE = 0\n"})
    commit(root)
    shutil.rmtree(root / "venv")
    shutil.rmtree(root / "results")
    return root


@pytest.fixture
def project(analysed: Path) -> Path:
    """The same, with its input as it was."""
    write(analysed, {"data/measured.csv": MEASURED.encode()})
    return analysed


def scientific(directory: Path) -> str:
    """Make a virtual environment with uv, fill it from the package index, and return its interpreter."""
    python = str(directory / "bin" / "python")
    uv("venv", "--quiet", "--python", sys.executable, str(directory))
    try:
        uv("pip", "install", "--quiet", "--python", python, "numpy", "pandas", "matplotlib")
    except subprocess.CalledProcessError:
        pytest.skip("needs: package index")
    return python


def uv(*words: str) -> str:
    program = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout.strip()


def changes(root: Path, **more: str | None) -> dict[str, str | None]:
    """Return the variables of all runs in a root: a cache of its own, but for wheels, and a hash seed that is drawn."""
    caches = {"XDG_CACHE_HOME": str(root.parent / "cache"), "UV_CACHE_DIR": uv("cache", "dir")}
    return {**caches, "PYTHONHASHSEED": None, "MY_ENV": None, **more}


def reproduced(root: Path, *words: str, **more: str | None) -> tuple[int, dict[str, Any]]:
    """Return the exit status of a reproduction, and its account."""
    done = capsula("reproduce", "--json", "--discard", *words, cwd=root, **changes(root, **more))
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def told(account: dict[str, Any]) -> dict[str, str]:
    """Return the suspects of an account: facet to reason."""
    return {suspect["facet"]: suspect["reason"] for suspect in account["context"]["suspects"]}


def edited(capsule: Path, name: str, change: dict[str, Any]) -> Path:
    """Return a copy of a capsule, with other values in tables of one of its documents."""
    copy = Path(shutil.copytree(capsule, capsule.with_name("edited"), dirs_exist_ok=True))
    whole = document(copy, name)
    for key, values in change.items():
        table = whole
        for part in key.split("/"):
            table = table[part]
        table |= values
    (copy / name).write_text(json.dumps(whole))
    return copy


@pytest.mark.slow
def test_an_analysis_comes_back_after_its_code_and_environment_are_gone(project: Path) -> None:
    capsule = capsules(project)[0]
    before = untouched(project)

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"], account["complete"]) == (0, "equivalent", True)
    assert account["context"] == {"state": "exact", "suspects": []}
    assert {name: output["grade"] for name, output in account["outputs"].items()} == {
        "results/table.csv": "identical",
        "results/plot.png": "identical",
        "results/plot.svg": "equivalent",
    }
    assert untouched(project) == before
    assert (project / "factors.py").read_text() == "SCALE = 0\n"
    assert not (project / "results").exists()


@pytest.mark.slow
def test_another_kernel_of_linear_algebra_changes_digits_at_most(project: Path) -> None:
    capsule = capsules(project)[0]
    other = edited(capsule, "context.json", {"environment/values": {"OPENBLAS_CORETYPE": "Prescott"}})

    status, account = reproduced(project, "--trust", other.name)

    assert (status, account["verdict"] in GOOD, account["stdout"]["grade"]) == (0, True, "identical")
    assert account["outputs"]["results/table.csv"]["grade"] in {"identical", "close"}
    values = document(Path(account["replays"][0]), "context.json")["environment"]["values"]
    assert values["OPENBLAS_CORETYPE"] == "Prescott"


@pytest.mark.slow
def test_another_hash_seed_is_different_and_named(project: Path) -> None:
    capsule = capsules(project)[0]
    other = edited(capsule, "pre-run-info.json", {"environment_changes": {"PYTHONHASHSEED": "1"}})

    status, account = reproduced(project, "--trust", other.name)
    compared = capsula("diff", capsule.name, Path(account["replays"][0]).name, cwd=project, **changes(project))

    assert (status, account["verdict"], account["stdout"]["grade"]) == (1, "different", "different")
    assert (compared.returncode, "PYTHONHASHSEED" in compared.stdout) == (1, True)


@pytest.mark.slow
def test_a_changed_input_is_different_and_named(project: Path) -> None:
    capsule = capsules(project)[0]
    write(project, {"data/measured.csv": MEASURED.replace("0.0", "1.0", 1).encode()})

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"]) == (1, "different")
    assert account["outputs"]["results/table.csv"]["grade"] == "different"
    assert told(account) == {"inputs": "data/measured.csv has other content than then"}


@pytest.mark.slow
def test_a_missing_input_blocks(project: Path) -> None:
    capsule = capsules(project)[0]
    (project / "data/measured.csv").unlink()

    status, account = reproduced(project, capsule.name)

    assert (status, account["verdict"], account["outputs"]) == (4, "blocked", {})
    assert "data/measured.csv" in account["blockers"][0]


TOY = b"""
import os, sys
from pathlib import Path

names = ["unstaged.txt", "staged.txt", "untracked.txt", "image.bin", "../outside/input.txt"]
for name in names:
    print(name, Path(name).read_bytes().hex())
print("MY_ENV", os.environ.get("MY_ENV"))
print("arguments", *sys.argv[1:])
"""

THEN = {
    "unstaged.txt": b"edited\n",
    "staged.txt": b"staged\n",
    "untracked.txt": b"untracked\n",
    "image.bin": bytes(range(256)),
    "../outside/input.txt": b"outside\n",
}
"""What is read, as it is when it is run."""

SEEN = "".join(f"{name} {content.hex()}\n" for name, content in THEN.items())

LISTED = """
[capture]
include-cpu = false
environment-variables = ["MY_ENV"]
[capture.files]
"../outside/input.txt" = { hash = "sha256", copy = true }
"""


def toy(folder: Path, settings: str) -> Path:
    """Return a repository that is in eight states at once, of which the run sees all."""
    committed = dict.fromkeys(("unstaged.txt", "staged.txt", "image.bin"), b"\x00committed\n")
    root = repository(folder / "project", {**committed, "toy.py": TOY, "capsula.toml": settings.encode()})
    write(root, THEN)
    git(root, "add", "staged.txt")
    return root


def run_and_overwritten(root: Path) -> Path:
    """Run the toy, commit other content for all that it reads, and return the capsule."""
    done = capsula(
        "monitor", sys.executable, "toy.py", "--lr", "0.3 ", "*", cwd=root, **changes(root, MY_ENV="a value")
    )
    assert done.stdout == f"{SEEN}MY_ENV a value\narguments --lr 0.3  *\n"
    write(root, dict.fromkeys(THEN, b"overwritten\n"))
    commit(root)
    (capsule,) = capsules(root)
    return capsule


def test_eight_states_at_once_are_kept_and_put_back(tmp_path: Path) -> None:
    root = toy(tmp_path, LISTED)
    capsule = run_and_overwritten(root)
    before = untouched(root)

    status, account = reproduced(root, "--no-rebuild", capsule.name)

    assert (status, account["verdict"], account["judged"]) == (0, "identical", ["exit status", "stdout"])
    assert account["context"] == {"state": "exact", "suspects": []}
    (replay,) = map(Path, account["replays"])
    assert (replay / "stdout.log").read_text() == f"{SEEN}MY_ENV a value\narguments --lr 0.3  *\n"
    assert untouched(root) == before
    assert (root / "../outside/input.txt").read_bytes() == b"overwritten\n"


def test_a_run_leaves_refs_index_and_objects_as_they_were(tmp_path: Path) -> None:
    root = toy(tmp_path, LISTED)
    before = untouched(root)

    done = capsula("monitor", sys.executable, "toy.py", cwd=root, **changes(root))

    assert (done.returncode, len(capsules(root))) == (0, 1)
    assert untouched(root) == before


@pytest.mark.parametrize("now", [None, "another value"])
def test_a_variable_that_is_not_listed_is_named_in_plan_and_verdict(tmp_path: Path, now: str | None) -> None:
    root = toy(tmp_path, LISTED.replace('"MY_ENV"', ""))
    capsule = run_and_overwritten(root)

    plan = capsula("reproduce", "--plan", capsule.name, cwd=root, **changes(root, MY_ENV=now))
    status, account = reproduced(root, "--no-rebuild", capsule.name, MY_ENV=now)

    assert any(line.startswith("approximate") and "MY_ENV" in line for line in plan.stdout.splitlines())
    assert (status, account["verdict"], account["stdout"]["grade"]) == (1, "different", "different")
    assert "MY_ENV" in told(account)["environment"]


@pytest.mark.parametrize("folder", ["results", "ignored"])
def test_a_difference_in_an_undeclared_file_alone_does_not_read_like_success(tmp_path: Path, folder: str) -> None:
    script = f"import os; os.mkdir('{folder}'); open('{folder}/drawn', 'wb').write(os.urandom(16)); print('done')"
    root = repository(tmp_path / "project", {"script.py": script.encode(), ".gitignore": b"ignored/\n"})
    capsula("monitor", sys.executable, "script.py", cwd=root, **changes(root))

    done = capsula("reproduce", "--no-rebuild", "--discard", cwd=root, **changes(root))

    assert (done.returncode, done.stdout.splitlines()[0]) == (1, f"different: {folder}/drawn")
    assert not {*GOOD, "success", "exact"} & set(done.stdout.splitlines()[0].split())
