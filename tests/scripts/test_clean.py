"""Cleaning: what bears a name of demo or tests goes, everything else stays."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, DockerException, NotFound

from otagate.core.cloud import LABEL_PLATFORM
from scripts import clean
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
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of its own, so that this one's caches stay, and no engine."""
    monkeypatch.setattr(clean, "ROOT", tmp_path)
    monkeypatch.setattr(clean, "SOCKET", tmp_path / "docker.sock")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path


def test_where_no_engine_is_nothing_was_there_to_clean(apart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (apart / ".cache").mkdir()
    assert clean.main() == 0
    assert capsys.readouterr().out == "no engine is here, so nothing was there to clean; caches: .cache\n"
    assert not (apart / ".cache").exists()


@pytest.mark.parametrize("named", ["", "unix:///nowhere/docker.sock"])
def test_an_engine_that_is_expected_and_does_not_answer_fails_the_cleaning(
    named: str, apart: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent(**_: object) -> None:
        raise DockerException("connection refused")

    monkeypatch.setattr("docker.from_env", silent)
    if named:
        monkeypatch.setenv("DOCKER_HOST", named)
    else:
        (apart / "docker.sock").touch()
    assert clean.main() == 4
    said = capsys.readouterr().err
    assert f"the engine at {named or apart / 'docker.sock'} does not answer" in said
    assert "next: start it" in said


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
