"""What every test may use, and what none may get away with: a skip; and in CI a container left behind."""

import os
from collections.abc import Generator, Iterator

import docker
import pytest
from docker.errors import DockerException

from otagate.core.cloud import LABEL_PLATFORM

OURS = "t-"  # every platform a test raises is named so: `make clean` knows them by it
NEEDS_ENGINE = ("docker", "e2e")
# On a developer's machine several test runs may share the engine, and what another's test raised is no fault of ours.
STRICT = bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The engine's client. Without an engine the test fails: a missing component is not a reason to skip."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        pytest.fail(f"no engine answers ({error}); scripts/engine.sh starts one", pytrace=False)
    yield client
    client.close()


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a module whose tests leave containers of a test's platform behind, its own fixtures done."""
    mine = [item for item in request.session.items if item.getparent(pytest.Module) is request.node]
    if not STRICT or not any(item.get_closest_marker(name) for item in mine for name in NEEDS_ENGINE):
        yield
        return
    client: docker.DockerClient = request.getfixturevalue("engine")
    before = standing(client)
    yield
    left = {name for identity, name in standing(client).items() if identity not in before}
    if left:
        pytest.fail(f"left behind: {', '.join(sorted(left))}; make clean removes them", pytrace=False)


def standing(client: docker.DockerClient) -> dict[str, str]:
    """ID → name of the containers of all tests' platforms, running or not."""
    marked = client.containers.list(all=True, filters={"label": LABEL_PLATFORM}, ignore_removed=True)
    return {str(it.id): str(it.name) for it in marked if it.labels.get(LABEL_PLATFORM, "").startswith(OURS)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that was skipped, or expected to fail, has failed."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"nothing is skipped here: {report.nodeid}: {reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself as a whole."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"nothing is skipped here: {report.nodeid}: {reason(report)}"
    return report


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why it was skipped, in its own words."""
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        del report.wasxfail  # the terminal would count it as expected
        return f"expected to fail: {expected}"
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
