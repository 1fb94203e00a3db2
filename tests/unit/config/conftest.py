"""A desk with an empty working folder for each test of the settings."""

from pathlib import Path

import pytest

from tests.unit.config.reading import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
