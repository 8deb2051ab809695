"""The short form of the kills with everything real: one of each part, in the middle of a promotion."""

import docker
import pytest

from tests.sweep.real import PARTS, real

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


def test_a_part_killed_inside_a_promotion_leaves_one_colour(engine: docker.DockerClient) -> None:
    kills = real(engine, 1)
    assert kills.wrong == []
    assert {part: len(gaps) for part, gaps in kills.outages.items()} == dict.fromkeys(PARTS, 1)
