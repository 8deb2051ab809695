"""Promotions cut short, overtaken and gone back from, by the commands a user types on real components.

What suites find is not asked here, so the gate's are the three cases that take seconds. The tests of this module share
one production and the run that approves the second release, and run in the order of the file: what was once gone back
from must be proven anew, so that comes last.
"""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from otagate.adapters.images import source_digest
from otagate.adapters.steward_client import StewardClient
from tests.e2e.live import Live, asked, clear, status
from tests.e2e.quick import raised

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Production with its first release live; a watch that is long enough to be met in it."""
    with raised(tmp_path_factory.mktemp("swift"), watch="10s") as live:
        yield live


@pytest.fixture(scope="module")
def run(swift: Live) -> str:
    """The run that approves the second release beside the first."""
    return str(swift.otagate("test", "web=hello/web:1.1")["data"]["run"])


def steward(engine: docker.DockerClient, live: Live) -> StewardClient:
    return StewardClient(lambda: engine, live.name, source_digest())


def wait_for_phase(engine: docker.DockerClient, live: Live, *phases: str) -> None:
    """Asked as the command asks, but without a program's start in between: some phases are short."""
    until = time.monotonic() + 90
    seen = ""
    while seen not in phases:
        assert time.monotonic() < until, f"the promotion never came to {phases}, it is {seen}"
        view = steward(engine, live).status().promotion
        seen = view.phase if view else ""
        time.sleep(0.1)


def promoting(engine: docker.DockerClient, live: Live, run: str, *phases: str) -> "subprocess.Popen[str]":
    """The command that promotes this run, once the promotion is in one of these phases."""
    process = live.start("promote", run)
    wait_for_phase(engine, live, *phases)
    return process


def test_a_promotion_whose_command_is_killed_while_it_is_watched_ends_by_itself(
    engine: docker.DockerClient, swift: Live, run: str
) -> None:
    process = promoting(engine, swift, run, "watching")
    process.kill()
    process.communicate(timeout=30)
    wait_for_phase(engine, swift, "promoted")
    assert asked(swift)[0] == "green"
    page = Path(swift.otagate("report", "--format", "markdown")["data"]["path"]).read_text()
    assert "green was made live on every listener" in page, "the steward tells what no command line stored"


def test_a_second_promotion_at_the_same_time_is_told_who_holds_the_lease(
    engine: docker.DockerClient, swift: Live
) -> None:
    run = swift.otagate("test", "web=hello/web:1.0")["data"]["run"]
    first = swift.start("promote", run, "--by", "ada")
    until = time.monotonic() + 60
    while not steward(engine, swift).status().holders:
        assert time.monotonic() < until, "the first never took the lease"
        time.sleep(0.1)
    errors = swift.otagate("promote", run, exit=7)["errors"]
    assert errors[0]["code"] == "busy"
    assert "ada" in errors[0]["message"]
    out, err = first.communicate(timeout=120)
    assert first.returncode == 0, out + err


def test_a_killed_deployment_is_undone_by_recover(engine: docker.DockerClient, swift: Live, run: str) -> None:
    live = status(swift)["live"]
    process = promoting(engine, swift, run, "deploying", "smoking")
    process.kill()
    process.communicate(timeout=30)
    if status(swift)["promotion"]["phase"] in ("deploying", "smoking", "discarding"):
        swift.otagate("recover", exit=5)
    assert status(swift)["promotion"]["phase"] in ("abandoned", "promoted")
    assert asked(swift)[0] == status(swift)["live"]
    if status(swift)["promotion"]["phase"] == "abandoned":
        assert status(swift)["live"] == live


def test_a_promotion_that_is_watched_is_gone_back_from_by_rollback_alone(
    engine: docker.DockerClient, swift: Live, run: str
) -> None:
    process = promoting(engine, swift, run, "watching")
    back = swift.otagate("rollback", "--by", "tests")["data"]
    assert back["promotion"]["phase"] == "rolled-back"
    assert back["live"] == "blue"
    assert asked(swift)[0] == "blue"
    process.communicate(timeout=60)
    assert process.returncode == 5
    clear(swift)
