"""What runs commands, for all that is tested of them."""

from pathlib import Path

import pytest

from tests.effects.wrapping import Wrapper


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    logs = tmp_path / "logs"
    logs.mkdir()
    return Wrapper(logs)
