"""Laws of forgeries: whatever stands in a capsule's documents, a command ends in order, and says no more than is so."""

import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsula.cli.main import run
from tests.old_capsules import captured as old_capture
from tests.old_capsules import run as old_run
from tests.repositories import repository, write
from tests.running import PLAIN, capsula, only_capsule

CONFIGURATION = PLAIN.replace("include-source = false", "include-source = true") + (
    '[capture.files]\n"in.csv" = { hash = "sha256", copy = true }\n'
    '[monitor.item.it.files]\n"out.csv" = { hash = "md5", copy = true }\n'
)
COMMANDS = (
    ("list",),
    ("list", "--json"),
    ("show", "forged"),
    ("show", "--json", "forged"),
    ("verify", "forged"),
    ("verify", "--json", "forged"),
    ("diff", "whole", "forged"),
    ("diff", "--json", "forged", "whole"),
    ("checkout", "forged", "../again"),
    ("reproduce", "--plan", "--no-rebuild", "forged"),
    ("reproduce", "--plan", "--no-rebuild", "--json", "forged"),
)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, "", "text", "../..", "/etc/passwd", "a\0b", "\ud800", "\udcff", "2026-13-99"),
    *([], ["text"], [None], [[]], [{"path": "x"}], [{"path": 1}], {}, {"x": 1}, {"": None}, {"../\0": {"a": {}}}),
)
DOCUMENTS = ("context.json", "pre-run-info.json", "post-run-info.json")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a capsule of today, ``whole``, and one of version 0.0.21, ``old``."""
    files = {"capsula.toml": CONFIGURATION.encode(), "in.csv": b"1\n", ".gitignore": b"vault/\n"}
    root = repository(tmp_path_factory.mktemp("forgeries") / "project", files)
    write(root, {"in.csv": b"2\n", "new": b"x", ".env": b"KEY=1\n", "out.csv": b"1"})
    program = "open('out.csv', 'w').write('1'); open('more.csv', 'w').write('2')"
    assert capsula("monitor", "-i", "it", sys.executable, "-c", program, cwd=root).returncode == 0
    only_capsule(root).rename(root / "vault/whole")
    old_run(old_capture(root, "old", ("in.csv",)), root, (sys.executable, "-c", program), "", ("out.csv",))
    return root


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.tuples(st.sampled_from(["whole", "old"]), st.sampled_from(DOCUMENTS)),
    st.integers(0, 10**6),
    st.sampled_from(ODD) | st.just(...),
    st.sampled_from(COMMANDS),
)
def test_no_forged_document_is_more_than_a_mistake(
    project: Path, chosen: tuple[str, str], number: int, value: Any, words: tuple[str, ...]
) -> None:
    origin, name = chosen
    forged = project / "vault" / "forged"
    shutil.rmtree(forged, ignore_errors=True)
    shutil.rmtree(project.parent / "again", ignore_errors=True)
    shutil.copytree(project / "vault" / origin, forged)
    document = json.loads((forged / name).read_text())
    places = list(below(document))
    (forged / name).write_text(json.dumps(changed(document, places[number % len(places)], value)))

    with chdir(project), redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
        status = run(words)

    assert status in {0, 1, 2, 4, 5}
    assert "\0" not in printed.getvalue()
    assert not {path.name for path in project.parent.iterdir()} - {"project", "again"}


def below(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield all places in a document."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*place, key)
        yield from below(value[key], (*place, key))


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return the document with another value at a place, or, for ``...``, with none."""
    whole = part = deepcopy(document)
    for key in place[:-1]:
        part = part[key]
    if value is ...:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return whole
