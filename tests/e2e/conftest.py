"""Production of the hello platform and a bare switch with its steward, each for a module's tests and removed at the end
whatever happened."""

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from tests.e2e.edge import Edge
from tests.e2e.live import Live
from tests.e2e.quick import remove

collect_ignore = ["platforms"]  # suites of platforms that are raised here, not tests of otagate


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Production with its first release live; a watch of a few seconds so that promotions are short."""
    yield from _production(tmp_path_factory, "hello", {"otagate.yaml": {"lasts: 60s": "lasts: 10s"}})


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Production of the treatment platform; how long things take is not tested on a busy machine."""
    changed = {
        "otagate.yaml": {"ratio: 1.25": "ratio: 4", "ratio: 1.5": "ratio: 4"},
        "suites/technical/test_20_archive.py": {"FINDABLE = 2.0": "FINDABLE = 20.0"},
        "suites/technical/test_40_chain.py": {"FOUND = 2.0": "FOUND = 20.0"},
    }
    yield from _production(tmp_path_factory, "treatment-platform", changed)


def _production(factory: pytest.TempPathFactory, like: str, changed: Mapping[str, Mapping[str, str]]) -> Iterator[Live]:
    """`changed`: file of the platform → what stands there → what is to stand there."""
    live = produced(factory)
    live.otagate("init", str(live.folder), "--like", like)
    for file, edits in changed.items():
        for old, new in edits.items():
            live.edit(file, old, new)
    try:
        live.otagate("up", "--by", "tests")
        yield live
    finally:
        remove(live.name)


def produced(factory: pytest.TempPathFactory) -> Live:
    """A platform's name, and where its files and otagate's records of it are to be."""
    name = f"t-{secrets.token_hex(3)}"
    root: Path = factory.mktemp(name)
    return Live(name, root / name, {"OTAGATE_HOME": str(root / "home"), "OTAGATE_RESERVED_NAMES": "1"})


@pytest.fixture(scope="module")
def edge(engine: docker.DockerClient) -> Iterator[Edge]:
    """Switch and steward with a first release live; whichever colour a test leaves live is the next one's."""
    made = Edge(engine)
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        yield made
    finally:
        made.remove()


@pytest.fixture
def to(edge: Edge) -> Colour:
    """The idle colour of `edge`, raised afresh."""
    live = edge.steward().status().live
    assert live is not None
    edge.renew(live.other)
    return live.other
