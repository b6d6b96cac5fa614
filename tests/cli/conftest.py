"""Where the command line is run, if a test has no place of its own."""

from pathlib import Path

import pytest

from tests.running import configure


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a configuration that captures little."""
    root = tmp_path / "project"
    root.mkdir()
    configure(root)
    return root
