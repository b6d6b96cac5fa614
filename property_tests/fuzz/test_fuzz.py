"""Laws of readers: whatever stands in a file, a result comes out or a fault; no end, no wait, and no growth."""

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from property_tests.fuzz.fuzzing import fuzzed
from property_tests.fuzz.mutations import mutated
from property_tests.fuzz.projects import project as made
from property_tests.fuzz.readers import GROUPS, READERS

MOST = 768 << 20
"""Bytes of addresses that a reader may take."""
RUNS = {"texts": 1500, "outputs": 2000, "documents": 200, "repositories": 150}
"""Contents that the fuzzer tries of each group: as many as take some seconds."""
FOUND: tuple[tuple[str, bytes], ...] = (
    ("record", b"a\0b.pth,sha256=x,1\n"),
    ("record", b'"' + b"a" * 200_000 + b'",sha256=x,1\n'),
    ("record", b"a\rb\n"),
    ("direct-url", b"[" * 5000),
    ("index", b"DIRC\0\0\0\2\xff\xff\xff\xff" + bytes(500)),
    ("index-sound", b"DIRC\0\0\0\4\x7f\xff\xff\xff" + bytes(500)),
    ("context", b"[" * 5000),
    ("output-json", b"[" * 5000),
    ("direct-url", b'{"url": "https://[", "dir_info": {"editable": true}}'),
    ("pip.conf", b"[global]\nfind-links = file://[\n"),
    ("terminal", b"P" + b"9" * 5000 + b"D"),
    ("context-planned", b"[" * 5000),
    ("uv.toml", b"a = " + b"[" * 5000),
    ("capsula.toml", b"a = " + b"[" * 5000),
)
"""Contents that readers once failed at, or that are made to be failed at."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("original"))


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return shutil.copytree(original, tmp_path / "own" / "project", symlinks=True)


@pytest.mark.parametrize("name", READERS)
def test_no_file_is_more_than_a_mistake(name: str, root: Path) -> None:
    reader = READERS[name]
    seeds = reader.seeds(root)

    @settings(max_examples=12)
    @given(st.integers(0, 2**32 - 1))
    def tried(seed: int) -> None:
        random = Random(seed)
        reader.tried(root, mutated(random.choice(seeds), random))

    with bounded():
        for content in (*seeds, b""):
            reader.tried(root, content)
        tried()


@pytest.mark.parametrize(("name", "content"), FOUND)
def test_what_was_found_is_found_no_more(name: str, content: bytes, root: Path) -> None:
    with bounded():
        READERS[name].tried(root, content)


@pytest.mark.skipif(find_spec("atheris") is None, reason="needs: atheris")
@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_a_fuzzer_that_sees_where_it_gets_finds_nothing(group: str, original: Path, tmp_path: Path) -> None:
    outcome = fuzzed(original, tmp_path, [*GROUPS[group]], f"-runs={RUNS[group]}", "-seed=1")

    assert outcome.failed is None, str(outcome)
    assert " cov: " in outcome.told


@contextmanager
def bounded() -> Iterator[None]:
    """Let this process grow so far and no further."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
