"""The three documents have the keys, the nesting and the formats that are promised; ours stand beside them."""

import os
import re
import sys
from pathlib import Path
from typing import TypeAlias

from capsula.core.fault import Json
from tests.repositories import git, repository
from tests.running import capsula, document, faults, files, only_capsule

CONFIGURATION = """
# The directory where the captured context is stored.
vault-directory = 'vault'

# The template for the capsule directory name.
capsule-template = '%Y%m%d_%H%M%S'

[capture]
include-cpu = true
pre-capture-commands = [
    'test -e poetry.lock',
    'pip freeze --exclude-editable > requirements.txt',
]
environment-variables = [
    'HOME',
]

[capture.files]
"pyproject.toml" = { hash = "sha256", copy = true }
"poetry.lock" = { hash = "sha256", copy = true }
"requirements.txt" = { hash = "sha256", move = true }

[capture.git.repositories]
"some/git/repository" = '.'

[monitor]
capture = true

[monitor.item.calculate-pi-cli.files]
"examples/pi_cli.png" = { hash = "sha256", move = true }

[monitor.item.calculate-pi-dec.files]
"examples/pi_dec.png" = { hash = "sha256", move = true }
"""

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""The pre-capture commands call pip."""

Shape: TypeAlias = "type | tuple[type, ...] | list[Shape] | dict[str, Shape]"

FILE: Shape = {"hash_algorithm": str, "file_hash": str}

CONTEXT: Shape = {
    "root_directory": str,
    "cwd": str,
    "platform": {
        "machine": str,
        "node": str,
        "platform": str,
        "release": str,
        "version": str,
        "system": str,
        "processor": str,
        "python": {
            "executable_architecture": {"bits": str, "linkage": str},
            "build_no": str,
            "build_date": str,
            "compiler": str,
            "branch": str,
            "implementation": str,
            "version": str,
        },
    },
    "environment_variables": {"HOME": str},
    "git": {
        "some/git/repository": {
            "path": str,
            "sha": str,
            "branch": str,
            "remotes": [{"name": str, "url": str}],
        }
    },
    "files": {"pyproject.toml": FILE, "poetry.lock": FILE, "requirements.txt": FILE},
    "cpu": {
        "python_version": str,
        "cpuinfo_version": [int],
        "cpuinfo_version_string": str,
        "arch": str,
        "bits": int,
        "count": int,
        "arch_string_raw": str,
    },
}

CPU_KEYS: dict[str, Shape] = {
    "vendor_id_raw": str,
    "brand_raw": str,
    "hz_advertised_friendly": str,
    "hz_actual_friendly": str,
    "hz_advertised": [int],
    "hz_actual": [int],
    "stepping": int,
    "model": int,
    "family": int,
    "flags": [str],
    "l3_cache_size": (int, str),
    "l2_cache_size": (int, str),
    "l1_data_cache_size": (int, str),
    "l1_instruction_cache_size": (int, str),
    "l2_cache_line_size": int,
    "l2_cache_associativity": int,
}

BEFORE_COMMAND: Shape = {"root_directory": str, "cwd": str, "timestamp": str, "args": [str]}

AFTER_COMMAND: Shape = {
    "root_directory": str,
    "timestamp": str,
    "run_time": str,
    "files": {"examples/pi_cli.png": FILE},
    "stdout": str,
    "stderr": str,
    "exit_code": int,
}

BEFORE_CALL: Shape = {
    "root_directory": str,
    "cwd": str,
    "timestamp": str,
    "source_file": str,
    "source_line": int,
    "function_name": str,
    "args": [int],
    "kwargs": {},
}

AFTER_CALL: Shape = {
    "root_directory": str,
    "timestamp": str,
    "run_time": str,
    "files": {"examples/pi_dec.png": FILE},
    "return_value": float,
    "exception_info": type(None),
}

CALL = """
from pathlib import Path

import capsula

@capsula.monitor(
    directory=Path(__file__).parents[1], # Root directory
    include_return_value=True,
    items=("calculate-pi-dec",), # The name of the item to be monitored
)
def main(n: int, seed: int | None = None) -> float:
    (Path(__file__).parent / "pi_dec.png").write_bytes(b"picture")
    return 3.143432

main(1000000)
"""

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d")
DURATION = re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")


def test_a_capture_has_the_promised_files_and_keys(tmp_path: Path) -> None:
    root = project(tmp_path)

    done = capsula("capture", cwd=root, PATH=PATH)

    capsule = only_capsule(root)
    context = document(capsule, "context.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert lacking(CONTEXT, context) == []
    assert lacking({key: shape for key, shape in CPU_KEYS.items() if key in context["cpu"]}, context["cpu"]) == []
    assert not (root / "requirements.txt").exists()
    assert {
        "context.json",
        "some/git/repository.diff",
        "pyproject.toml",
        "poetry.lock",
        "requirements.txt",
    } <= files(capsule)


def test_the_context_says_what_is_the_case(tmp_path: Path) -> None:
    root = project(tmp_path)
    head = git(root, "rev-parse", "HEAD").decode().strip()

    capsula("capture", cwd=root, HOME="/home/user", PATH=PATH)

    context = document(only_capsule(root), "context.json")
    repository = context["git"]["some/git/repository"]
    assert context["environment_variables"] == {"HOME": "/home/user"}
    assert {key: repository[key] for key in ("path", "sha", "branch", "remotes")} == {
        "path": ".",
        "sha": head,
        "branch": "main",
        "remotes": [{"name": "origin", "url": "git@example.org:user/project.git"}],
    }
    assert context["platform"]["python"]["version"] == sys.version.split()[0]


def test_a_monitored_command_has_the_promised_keys(tmp_path: Path) -> None:
    root = project(tmp_path)
    words = ("sh", "-c", "mkdir -p examples; printf picture > examples/pi_cli.png; echo 3.140888")

    done = capsula("monitor", "-i", "calculate-pi-cli", *words, cwd=root, PATH=PATH)

    capsule = only_capsule(root)
    before, after = (document(capsule, f"{name}-run-info.json") for name in ("pre", "post"))
    assert (done.returncode, done.stdout, faults(after)) == (0, "3.140888\n", [])
    assert (lacking(BEFORE_COMMAND, before), lacking(AFTER_COMMAND, after)) == ([], [])
    assert lacking(CONTEXT, document(capsule, "context.json")) == []
    assert (before["args"], after["stdout"], after["stderr"], after["exit_code"]) == ([*words], "3.140888\n", "", 0)
    assert all(TIMESTAMP.fullmatch(document["timestamp"]) for document in (before, after))
    assert DURATION.fullmatch(after["run_time"])
    assert (capsule / "examples/pi_cli.png").read_bytes() == b"picture"
    assert not (root / "examples/pi_cli.png").exists()


def test_a_monitored_call_has_the_promised_keys(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "examples").mkdir()
    script = root / "examples" / "calculate_pi_dec.py"
    script.write_text(CALL)

    done = capsula("monitor", "--", sys.executable, str(script), cwd=tmp_path)

    capsule = only_capsule(root)
    before, after = (document(capsule, f"{name}-run-info.json") for name in ("pre", "post"))
    assert (done.returncode, done.stderr, faults(after)) == (0, "", [])
    assert (lacking(BEFORE_CALL, before), lacking(AFTER_CALL, after)) == ([], [])
    assert (before["source_file"], before["source_line"], before["function_name"]) == (str(script), 6, "main")
    assert (before["args"], before["kwargs"]) == ([1000000], {})
    assert (after["return_value"], after["exception_info"]) == (3.143432, None)
    assert all(TIMESTAMP.fullmatch(document["timestamp"]) for document in (before, after))
    assert (capsule / "examples/pi_dec.png").read_bytes() == b"picture"


def project(folder: Path) -> Path:
    """Return a repository with the example configuration, and the files that it names."""
    root = repository(
        folder / "project", {"capsula.toml": CONFIGURATION.encode(), "pyproject.toml": b"", "poetry.lock": b"lock"}
    )
    git(root, "remote", "add", "origin", "git@example.org:user/project.git")
    return root


def lacking(shape: Shape, value: Json, place: str = "") -> list[str]:
    """Return each place at which the value has not got the shape; it may have further keys."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [place]
        missing = [f"{place}/{key}" for key in shape if key not in value]
        wrong = [lacking(below, value[key], f"{place}/{key}") for key, below in shape.items() if key in value]
        return [*missing, *(each for places in wrong for each in places)]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [place]
        return [each for index, part in enumerate(value) for each in lacking(shape[0], part, f"{place}/{index}")]
    return [] if isinstance(value, shape) and (shape is not int or not isinstance(value, bool)) else [place]
