"""A project for decorated functions."""

from pathlib import Path

import pytest

from tests.calls import configured


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return configured(tmp_path / "project")
