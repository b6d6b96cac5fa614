"""Every example is run as its first lines say, in a copy of the folder that holds it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import PATIENCE, PLAIN, capsula, document, environment, faults, files, only_capsule

EXAMPLES = Path(__file__).parents[1] / "examples"

ITEMS = """
[monitor.item.calculate-pi-cli.files]
"examples/pi_cli.png" = { hash = "sha256", move = true }
[monitor.item.calculate-pi-dec.files]
"examples/pi_dec.png" = { hash = "sha256", move = true }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that holds the examples, without what earlier runs of them left."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("*.png", "vault", "__pycache__"))
    (tmp_path / "capsula.toml").write_text(PLAIN + ITEMS)
    return tmp_path


def python(*words: str, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_command_that_calculates_pi(root: Path) -> None:
    words = (sys.executable, "examples/calculate_pi_cli.py", "--seed", "1")

    done = capsula("monitor", "-i", "calculate-pi-cli", *words, cwd=root)

    capsule = only_capsule(root)
    after = document(capsule, "post-run-info.json")
    assert (done.returncode, done.stderr, faults(after)) == (0, "", [])
    assert done.stdout == after["stdout"]
    assert abs(float(done.stdout) - 3.14159) < 0.1
    assert (capsule / "examples/pi_cli.png").read_bytes().startswith(b"\x89PNG")
    assert not (root / "examples/pi_cli.png").exists()


def test_the_function_that_calculates_pi(root: Path) -> None:
    done = python("examples/calculate_pi_dec.py", cwd=root)

    capsule = only_capsule(root)
    after = document(capsule, "post-run-info.json")
    assert (done.returncode, done.stderr, faults(after)) == (0, "", [])
    assert float(done.stdout) == after["return_value"]
    assert after["records"] == {"points inside": round(after["return_value"] * 10_000 / 4)}
    assert (capsule / "examples/pi_dec.png").read_bytes().startswith(b"\x89PNG")


def test_the_function_that_raises(root: Path) -> None:
    done = python("examples/raise_exception.py", cwd=root)

    information = document(only_capsule(root), "post-run-info.json")["exception_info"]
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert (information["error_type"], information["error_message"]) == ("ZeroDivisionError", "division by zero")
    assert information["error_details"].endswith("ZeroDivisionError: division by zero\n")
    assert "return dividend / divisor" in information["error_details"]


def test_looking_at_the_context(root: Path) -> None:
    done = python("examples/collect_context.py", cwd=root)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("facets: root_directory cwd platform environment_variables git files")
    assert not (root / "vault").exists()


def test_the_facet_of_a_third_party(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("installed")
    facet = root / "examples" / "time_zone_facet"
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", place, facet],
        env=environment(),
        timeout=PATIENCE,
        check=True,
    )
    (wheel,) = place.glob("*.whl")
    shutil.unpack_archive(wheel, place / "packages", "zip")
    (root / "capsula.toml").write_text(f"{PLAIN}[capture.facets.time_zone]\n")

    done = capsula("capture", cwd=root, PYTHONPATH=str(place / "packages"), TZ="Asia/Tokyo")

    context = document(only_capsule(root), "context.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert context["time_zone"] == {"name": "Asia/Tokyo", "from": "TZ"}


def test_every_example_is_run_here() -> None:
    told = Path(__file__).read_text()

    programs = {name for name in files(EXAMPLES) if name.endswith(".py") and "/" not in name}

    assert [name for name in sorted(programs) if f"examples/{name}" not in told] == []
