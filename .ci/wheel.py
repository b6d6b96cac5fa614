"""Build the wheel, install it into fresh environments, and run the tests against what was installed.

    .venv/bin/python .ci/wheel.py [INTERPRETER]...

Without interpreters: this one. The tests are copied away from the sources, so that nothing but the wheel is imported.
The slow ones and the laws are left to ``make test``: they say the same on every Python.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests", "property_tests", "examples", "pyproject.toml", "README.md", "CHANGELOG.md")

BRIEFLY = ("-q", "-n", "auto", "--dist", "worksteal", "-m", "not slow")


def main(interpreters: list[str]) -> None:
    """Test the wheel on each of the interpreters."""
    with tempfile.TemporaryDirectory() as scratch:
        run(sys.executable, "-m", "build", "--wheel", "--outdir", scratch, ROOT)
        (wheel,) = Path(scratch).glob("*.whl")
        for number, interpreter in enumerate(interpreters):
            place = Path(scratch, str(number))
            place.mkdir()
            for name in TESTS:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, place / name)
            environment = place / "environment"
            run(interpreter, "-m", "venv", environment)
            python = environment / "bin" / "python"
            run(python, "-m", "pip", "install", "--quiet", "pip>=25.1")
            run(python, "-m", "pip", "install", "--quiet", f"{wheel}[examples]", "--group", "test", cwd=place)
            print(f"== the wheel on {interpreter}", flush=True)
            run(python, "-P", "-m", "pytest", *BRIEFLY, "tests", cwd=place)


def run(*words: str | Path, cwd: Path = ROOT) -> None:
    """Run a program, and end if it fails."""
    subprocess.run([*map(str, words)], cwd=cwd, check=True)


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
