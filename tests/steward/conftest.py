"""The steward's world in memory, over a real folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from otagate.steward import journal
from tests.steward.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Without waiting for the disk: what is durable when is shown by the tests of journal and map file."""
    monkeypatch.setattr(journal, "DURABLE", "OFF")
    made = World(tmp_path)
    yield made
    made.close()
