"""Cleaning: what bears a name of demo or tests goes, everything else stays."""

from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError, NotFound

from otagate.core.cloud import LABEL_PLATFORM
from scripts.clean import Leftover, is_ours, leftovers, remove_all

NAMES = {"t-clean-ours": "t-clean", "demo-clean-ours": "demo-clean", "t-clean-users": "clinic", "t-clean-nobodys": ""}


@pytest.mark.parametrize(
    ("labels", "ours"),
    [
        ({LABEL_PLATFORM: "demo-hello"}, True),
        ({LABEL_PLATFORM: "t-steward"}, True),
        ({LABEL_PLATFORM: "hello"}, False),
        ({LABEL_PLATFORM: "theatre"}, False),
        ({LABEL_PLATFORM: ""}, False),
        ({"com.example": "t-"}, False),
        ({}, False),
    ],
)
def test_only_names_of_demo_and_tests_are_ours(labels: dict[str, str], ours: bool) -> None:
    assert is_ours(labels) is ours


def test_what_cannot_be_removed_is_named_and_the_rest_goes() -> None:
    def gone() -> None:
        raise NotFound("gone")

    def busy() -> None:
        raise APIError("volume is in use")

    kinds = [Leftover("container a", gone), Leftover("volume b", busy), Leftover("network c", lambda: None)]
    removed, kept = remove_all(kinds)
    assert removed == ["network c"]
    assert kept == ["volume b: volume is in use"]


@pytest.fixture
def volumes(engine: docker.DockerClient) -> Iterator[None]:
    made = [engine.volumes.create(name, labels={LABEL_PLATFORM: it} if it else {}) for name, it in NAMES.items()]
    yield
    for volume in made:
        volume.remove(force=True)


@pytest.fixture
def networks(engine: docker.DockerClient) -> Iterator[None]:
    made = [engine.networks.create(name, labels={LABEL_PLATFORM: it} if it else {}) for name, it in NAMES.items()]
    yield
    for network in made:
        network.remove()


@pytest.mark.docker
@pytest.mark.usefixtures("volumes", "networks")
def test_a_users_platform_is_never_found(engine: docker.DockerClient) -> None:
    """The user's volume bears a name like ours: the label alone decides."""
    found = {it.name for it in leftovers(engine)}
    assert {f"{kind} {name}" for kind in ("volume", "network") for name in NAMES} & found == {
        "volume t-clean-ours",
        "volume demo-clean-ours",
        "network t-clean-ours",
        "network demo-clean-ours",
    }
