"""An object that ends too soon, as a power cut leaves it, costs what it is needed for, and nobody waits for it."""

from pathlib import Path

import pytest

from tests.repositories import git, repository, write
from tests.running import PLAIN, capsula, document, faults, only_capsule

GIT, SOURCE = (("git", "root"), "unreadable"), (("source", "root"), "unreadable")
OBJECTS = ("source", "root", "objects"), "failed"


@pytest.mark.parametrize(
    ("name", "costs"),
    [
        ("HEAD", [GIT, SOURCE]),
        ("HEAD^{tree}", [GIT, SOURCE]),
        ("HEAD:folder", [GIT, SOURCE]),
        ("HEAD:changed", [GIT, OBJECTS]),
        ("HEAD:folder/clean", [SOURCE]),
    ],
)
@pytest.mark.parametrize("length", [1, 2, 10])
def test_an_object_that_is_cut_short_costs_what_needs_it(
    name: str, costs: list[object], length: int, tmp_path: Path
) -> None:
    configuration = PLAIN.replace("include-source = false\n", "").encode()
    root = repository(tmp_path / "root", {"changed": b"1\n", "folder/clean": b"2\n", "capsula.toml": configuration})
    write(root, {"changed": b"edited\n"})
    identity = git(root, "rev-parse", name).decode().strip()
    file = root / ".git/objects" / identity[:2] / identity[2:]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:length])

    done = capsula("capture", cwd=root)

    context = document(only_capsule(root), "context.json")
    assert (done.returncode, faults(context)) == (0, costs)
    assert all(identity in it["message"] for it in context["capsula"]["faults"])
    assert context["root_directory"] == str(root)
