"""The steward's world in memory, over a real folder."""

from pathlib import Path

import pytest

from tests.steward.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
