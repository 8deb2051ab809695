"""What every test may use, and what none may get away with: a skip; and in CI a container left behind."""

import os
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress

import docker
import hypothesis
import pytest
from docker.errors import DockerException

from otagate.core.cloud import LABEL_PLATFORM

OURS = "t-"  # every platform a test raises is named so: `make clean` knows them by it
BEFORE, LEFT = pytest.StashKey[frozenset[str]](), pytest.StashKey[list[str]]()
# On a developer's machine several test runs may share the engine, and what another's test raised is no fault of ours.
STRICT = bool(os.environ.get("CI"))

hypothesis.settings.register_profile("unhurried", deadline=None)  # a busy machine is no fault of what is tested
hypothesis.settings.load_profile("unhurried")


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first: with two workers, each taking whole modules, none is left to run alone at the end."""
    items.sort(key=lambda item: 0 if item.get_closest_marker("e2e") else 1)


def pytest_configure(config: pytest.Config) -> None:
    """A run that was started with signals ignored (by nohup, or behind `&`) would pass that on to all that its tests
    start, and a program that cannot hear an interrupt cannot take the way out."""
    if not hasattr(config, "workerinput") or threading.current_thread() is not threading.main_thread():
        return
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_sessionstart(session: pytest.Session) -> None:
    if STRICT and not hasattr(session.config, "workerinput"):
        with suppress(DockerException):  # without an engine no test can raise any, and those that need one fail
            session.config.stash[BEFORE] = frozenset(standing())


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Fails a run that left a container of a test's platform behind; workers do not see each other's."""
    yield
    before = session.config.stash.get(BEFORE, None)
    if before is None:
        return
    try:
        left = sorted(name for identity, name in standing().items() if identity not in before)
    except DockerException as error:
        left = [f"nobody knows what ({error})"]
    if left:
        session.config.stash[LEFT] = left
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left := config.stash.get(LEFT, []):
        terminalreporter.section("left behind", red=True)
        terminalreporter.line(f"{', '.join(left)}; make clean removes them")


def standing() -> dict[str, str]:
    """ID → name of the containers of all tests' platforms, running or not."""
    with closing(docker.from_env(timeout=60)) as client:
        them = client.containers.list(all=True, filters={"label": LABEL_PLATFORM}, ignore_removed=True)
    return {str(it.id): str(it.name) for it in them if it.labels.get(LABEL_PLATFORM, "").startswith(OURS)}


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
