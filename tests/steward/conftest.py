"""The steward's world in memory, over a real folder."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from otagate.steward import journal
from tests.steward.world import TOPOLOGY, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Without waiting for the disk: what is durable when is shown by the tests of journal and map file."""
    monkeypatch.setattr(journal, "DURABLE", "OFF")
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same with two switches."""
    monkeypatch.setattr(journal, "DURABLE", "OFF")
    made = World(tmp_path, replace(TOPOLOGY, second="switch-second"))
    yield made
    made.close()
