"""The short form of the kills with everything real: HAProxy in one flip, the steward in the next, then the commands."""

from pathlib import Path

import docker
import pytest

from tests.e2e.quick import raised
from tests.sweep.real import Kills, real

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


def test_a_part_killed_inside_a_move_leaves_one_colour(engine: docker.DockerClient, tmp_path: Path) -> None:
    with raised(tmp_path) as live:
        real(live, engine, 1, ("switch", "steward"), kills := Kills())
    assert kills.wrong == []
    assert {part: len(times) for part, times in kills.settled.items()} == {"switch": 1, "steward": 1}
