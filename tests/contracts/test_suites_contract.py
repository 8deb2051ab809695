"""What every runner of suites keeps to: the fake, the one with local processes, the one with containers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.adapters.pytest_child import PytestSuites
from otagate.core.canonical import digest_of_bytes
from otagate.core.errors import Refused, UsageError
from otagate.core.metric import Metric
from otagate.core.picture import Picture
from otagate.core.policy import Direction
from otagate.core.suite import Case, Outcome, SuiteReport
from otagate.ports import Progress, SuiteResult, SuiteRun, Suites
from tests.adapters.local_suites import LocalSuites
from tests.fakes.suites import FakeSuites
from tests.pngs import png
from tests.suite_folders import suite_run, write

TEXT = f"""
import pytest
@pytest.mark.requirement("dose")
def test_good(metric, picture, otagate):
    metric("latency", unit="ms", direction="lower").add(candidate=1.0, baseline=2.0)
    picture("dose", "Dose", {png()!r})
    assert otagate.logs("web") == "log of web"
    with pytest.raises(RuntimeError): otagate.kill("web")
def test_bad(): assert False
"""
GOOD, BAD = "technical/test_a.py::test_good", "technical/test_a.py::test_bad"
PICTURE = Picture("dose", "Dose", GOOD, digest_of_bytes(png()), 2, 1, len(png()))


@dataclass
class World:
    suites: Suites
    run: SuiteRun
    empty: str


@pytest.fixture(params=["fake", "process", pytest.param("container", marks=pytest.mark.docker)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    folder = write(tmp_path / "suites" / "technical", {"test_a.py": TEXT})
    empty = write(tmp_path / "empty", {"README.md": ""})
    made: Suites
    if request.param == "fake":
        made = fake(str(folder))
    elif request.param == "process":
        made = LocalSuites()
    else:
        engine: docker.DockerClient = request.getfixturevalue("engine")
        made = PytestSuites(lambda _: engine)
    return World(made, suite_run(folder, tmp_path / "output.txt"), str(empty))


def fake(folder: str) -> FakeSuites:
    cases = (Case(GOOD, Outcome.PASSED, 1.0, 2.0, ("dose",)), Case(BAD, Outcome.FAILED, 2.0, 3.0, message="no"))
    report = SuiteReport("technical", "", (GOOD, BAD), cases, 1, True, pictures=(PICTURE,))
    metrics = {"latency": Metric("latency", "ms", Direction.LOWER, (1.0,), (2.0,))}
    result = SuiteResult(report, metrics, {PICTURE.digest: png()})
    asks = {"technical": [("logs", {"service": "web"}), ("kill", {"service": "web"})]}
    return FakeSuites({folder: "sha256:" + 64 * "0"}, {"technical": result}, asks)


def answer(what: str, args: Mapping[str, Any]) -> Any:
    if what != "logs":
        raise Refused(f"no {what} here")
    return f"log of {args['service']}"


def test_a_run_gives_cases_metrics_and_pictures_and_a_failure_is_no_exception(world: World) -> None:
    told: list[Progress] = []
    result = world.suites.run(world.run, answer, told.append)

    assert result.report.name == "technical"
    assert result.report.flaws == ()
    assert (result.report.exit_status, result.report.ended) == (1, True)
    assert result.report.collected == (GOOD, BAD)
    assert [(case.id, case.outcome) for case in result.report.cases] == [(GOOD, Outcome.PASSED), (BAD, Outcome.FAILED)]
    assert result.report.cases[0].requirements == ("dose",)
    assert result.report.cases[1].message
    assert result.metrics == {"latency": Metric("latency", "ms", Direction.LOWER, (1.0,), (2.0,))}
    assert result.report.pictures == (PICTURE,)
    assert result.contents == {PICTURE.digest: png()}
    assert told == [
        Progress("suite", "technical", "2 cases collected", 0, 2),
        Progress("suite", "technical", f"passed: {GOOD}", 1, 2),
        Progress("suite", "technical", f"failed: {BAD}", 2, 2),
    ]


def test_what_was_asked_reaches_the_gate_with_its_service(world: World) -> None:
    asked: list[tuple[str, str]] = []

    def listen(what: str, args: Mapping[str, Any]) -> Any:
        asked.append((what, args["service"]))
        return answer(what, args)

    world.suites.run(world.run, listen, lambda _: None)

    assert asked == [("logs", "web"), ("kill", "web")]


def test_a_report_bears_the_digest_of_the_tree_that_ran(world: World) -> None:
    digest = world.suites.digest(world.run.folder)

    assert digest.startswith("sha256:")
    assert len(digest) == 71
    assert world.suites.run(world.run, answer, lambda _: None).report.tree_digest == digest


def test_an_empty_folder_is_refused_before_anything_runs(world: World) -> None:
    with pytest.raises(UsageError) as error:
        world.suites.digest(world.empty)
    assert error.value.code == "empty-suite"

    with pytest.raises(UsageError):
        world.suites.run(replace(world.run, folder=world.empty), answer, lambda _: None)
