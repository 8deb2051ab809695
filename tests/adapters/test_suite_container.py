"""Suites in real containers: how they are held, what becomes of hostile ones, and that nothing is left."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.adapters.pytest_child import PytestSuites
from otagate.core.errors import SuiteFault, UsageError
from otagate.core.suite import Outcome
from otagate.ports import SuiteResult
from tests.adapters.hostile_suites import HOSTILE
from tests.suite_folders import IMAGE, suite_run, write

pytestmark = pytest.mark.docker

NAME = "t-suite-blue-candidate-suite-technical"
ASKS = {"test_a.py": "def test_a(otagate): otagate.logs('web')\n"}
Try = Callable[..., SuiteResult]


@pytest.fixture
def attempt(engine: docker.DockerClient, tmp_path: Path) -> Try:
    def run(files: Mapping[str, str], answer: Any = lambda *_: None, **changes: Any) -> SuiteResult:
        folder = write(tmp_path / "suites" / "technical", files)
        made = replace(suite_run(folder, tmp_path / "output.txt"), **changes)
        return PytestSuites(lambda _: engine).run(made, answer, lambda _: None)

    return run


@pytest.fixture(autouse=True)
def gone(engine: docker.DockerClient) -> Iterator[None]:
    """Whatever happened: neither container nor volume is left."""
    yield
    mine: dict[str, str | list[str] | bool] = {"label": "otagate.platform=t-suite"}
    assert engine.containers.list(all=True, filters=mine) == []
    assert engine.volumes.list(filters=mine) == []


@pytest.fixture
def networks(engine: docker.DockerClient) -> Iterator[tuple[str, ...]]:
    labels = {"otagate.platform": "t-suite"}
    made = [engine.networks.create(f"t-suite-{side}", internal=True, labels=labels) for side in ("one", "two")]
    yield tuple(str(network.name) for network in made)
    for network in made:
        network.remove()


def test_the_container_is_held_as_agreed(engine: docker.DockerClient, attempt: Try, networks: tuple[str, ...]) -> None:
    seen: dict[str, Any] = {}

    def look(*_: object) -> None:
        seen.update(engine.containers.get(NAME).attrs)

    result = attempt(ASKS, answer=look, networks=networks, secrets={"pw": b"s3cret"})

    host, config = seen["HostConfig"], seen["Config"]
    assert result.report.flaws == ()
    assert (config["User"], host["ReadonlyRootfs"], host["CapDrop"]) == ("65534:65534", True, ["ALL"])
    assert (host["Privileged"], host["CapAdd"], host["Binds"]) == (
        False,
        None,
        [f"{NAME}-files:/suite:rw", f"{NAME}-secrets:/run/secrets:rw"],
    )
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert set(seen["NetworkSettings"]["Networks"]) == set(networks)
    assert (
        config["Labels"].items()
        >= {
            "otagate.platform": "t-suite",
            "otagate.run": "run-1",
            "otagate.service": "suite",
            "otagate.cloud": "blue",
            "otagate.binding": "candidate",
        }.items()
    )
    assert not any("s3cret" in text for text in config["Env"])


def test_a_case_can_write_to_tmp_alone_and_read_its_secret(attempt: Try) -> None:
    text = """
import os, pathlib, socket
import pytest
def test_who(): assert (os.getuid(), os.getgid()) == (65534, 65534)
def test_tmp(tmp_path): (tmp_path / "a").write_text("a")
@pytest.mark.parametrize("place", ["/suite/a", "/suite/technical/a", "/run/secrets/a", "/a", "/etc/a", "/usr/a"])
def test_elsewhere(place):
    with pytest.raises(OSError): pathlib.Path(place).write_text("a")
def test_secret(otagate): assert otagate.secret("pw") == "s3cret"
def test_no_socket(): assert not pathlib.Path("/var/run/docker.sock").exists()
def test_no_network():
    with pytest.raises(OSError): socket.create_connection(("192.0.2.1", 80), timeout=1)
"""
    report = attempt({"test_a.py": text}, secrets={"pw": b"s3cret"}).report

    assert report.flaws == ()
    assert [case.id for case in report.cases if case.outcome is not Outcome.PASSED] == []
    assert report.count(Outcome.PASSED) == 11


@pytest.mark.parametrize(
    "name",
    [
        "it leaves with status 0 in the middle",
        "it forges a line without the token",
        "it writes a line of our own form to descriptor 1",
        "it prints without end",
        "its line has no end",
        "it does not end",
        "a part of it cannot be imported",
        "its conftest leaves with status 0",
        "it changes the exit status",
    ],
)
def test_a_hostile_suite_is_given_away_in_a_container_too(name: str, attempt: Try) -> None:
    (hostile,) = (it for it in HOSTILE if it.name == name)

    report = attempt(hostile.files, deadline=hostile.deadline).report

    assert any(re.search(hostile.flaw, flaw) for flaw in report.flaws), report.flaws


def test_the_first_process_of_a_container_cannot_kill_itself_out_of_its_account(attempt: Try) -> None:
    text = "import os, signal\ndef test_kill(): os.kill(os.getpid(), signal.SIGKILL)\ndef test_bad(): assert False\n"

    report = attempt({"test_a.py": text}).report

    assert report.flaws == ()
    assert [case.outcome for case in report.cases] == [Outcome.PASSED, Outcome.FAILED]


def test_an_image_without_pytest_is_a_flaw_that_says_so(attempt: Try) -> None:
    report = attempt(ASKS, image="otagate/python:13").report

    assert report.flaws == ("pytest ended with 1 before its session began: /usr/bin/python3: No module named pytest",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "t-suite/nowhere:1"}, "no image t-suite/nowhere:1"),
        ({"image": "otagate/base:13"}, "could not be started"),
        ({"networks": ("t-suite-nowhere",)}, "could not be started"),
    ],
    ids=["no image", "no Python", "no network"],
)
def test_what_keeps_the_container_from_starting_is_a_fault(changes: dict[str, Any], message: str, attempt: Try) -> None:
    with pytest.raises(SuiteFault, match=message) as error:
        attempt(ASKS, **changes)

    assert error.value.hint


def test_an_interrupted_run_leaves_nothing(attempt: Try) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(ASKS, answer=interrupt)


def test_a_container_that_is_killed_from_outside_is_a_flaw(engine: docker.DockerClient, attempt: Try) -> None:
    def kill(*_: object) -> None:
        engine.containers.get(NAME).kill()

    report = attempt(ASKS, answer=kill).report

    assert report.flaws[-2:] == (
        "no end marker: the run ended with 137 in the middle, in technical/test_a.py::test_a",
        "1 collected case(s) were never reported, technical/test_a.py::test_a first",
    )


def test_what_a_killed_run_left_is_replaced(engine: docker.DockerClient, attempt: Try) -> None:
    labels = {"otagate.platform": "t-suite", "otagate.service": "suite"}
    engine.containers.create(IMAGE, name=NAME, labels=labels)

    assert attempt(ASKS).report.flaws == ()


def test_a_container_of_another_kind_under_the_name_is_left_alone(engine: docker.DockerClient, attempt: Try) -> None:
    other = engine.containers.create(IMAGE, name=NAME, labels={"otagate.platform": "t-suite"})
    try:
        with pytest.raises(SuiteFault, match="no suite's container"):
            attempt(ASKS)
        other.reload()
    finally:
        other.remove()


def test_an_empty_folder_starts_no_container(attempt: Try) -> None:
    with pytest.raises(UsageError):
        attempt({"README.md": ""})
