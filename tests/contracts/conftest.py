"""The bench of the steward's contract; its tests fill more than one module."""

from collections.abc import Iterator

import docker
import pytest

from otagate.core.cloud import Colour
from tests.contracts.steward_bench import Bench, fake
from tests.e2e.edge import Edge

REAL = pytest.param("real", marks=[pytest.mark.docker, pytest.mark.e2e])


@pytest.fixture(scope="session")
def real(engine: docker.DockerClient) -> Iterator[Bench]:
    edge = Edge(engine)
    try:
        edge.raise_()
        edge.genesis()
        edge.run_colour(Colour.GREEN)
        edge.await_up(Colour.GREEN)
        nowhere = Edge(engine)
        nowhere.images = edge.images
        yield Bench(edge.steward(), nowhere.steward(), edge.stopped, edge.doze)
    finally:
        edge.remove()


@pytest.fixture(params=["fake", REAL])
def steward_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made: Bench = fake() if request.param == "fake" else request.getfixturevalue("real")
    made.settled()
    yield made
    made.settled()
