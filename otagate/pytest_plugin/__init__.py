"""What a suite may use (fixtures, markers) and the line on which its run is told to the gate.

On the standard library and pytest alone: the gate puts this package into the suite's container under the name
otagate_plugin; installed, it is found by its entry point and then works against addresses set by hand.

The line is JSON, one message each, on the standard output as it was before pytest captured it. Whatever else writes to
descriptor 1 lands on the error stream. Each message bears the token that the gate sent first on standard input (so no
environment shows it) and a running number.
"""

import base64
import json
import os
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

import pytest

from .line import ASK_SECONDS, PREFIX, Line

MESSAGE_CHARS = 500
DETAIL_CHARS = 20_000
PICTURE_BYTES = 2 * 1024 * 1024
# Who implements one of these outside pytest itself can change what is run or counted: the gate is told.
_EVENTS = ("call", "logfinish", "logreport", "logstart", "makereport", "protocol")
WATCHED = {"pytest_pyfunc_call", "pytest_runtestloop", *(f"pytest_runtest_{event}" for event in _EVENTS)}


class _Run:
    """The state of this session, in the order in which pytest tells it."""

    def __init__(self, line: Line | None) -> None:
        self.line = line
        self.gathered: list[str] = []
        self.skipped: dict[str, str] = {}
        self.meddling: list[str] = []
        self.collected = 0
        self.counts: Counter[str] = Counter()
        self.current, self.started = "", 0.0
        self.reports: list[pytest.TestReport] = []
        self.metrics: dict[str, Metric] = {}
        self.since: tuple[float, float] | None = None
        self._broke: list[tuple[BaseException, float, float]] = []

    def broke(self, error: BaseException, begun: float) -> tuple[float, float] | None:
        """When this very error was met before, if it was: as a session fixture's, or in a thread that was ahead."""
        for known, begin, end in self._broke:
            if known is error:
                return begin, end
        self._broke.append((error, begun, time()))
        return None

    def tell(self, kind: str, **fields: Any) -> None:
        if self.line is not None:
            self.line.tell(kind, **fields)

    def report(self, id: str, outcome: str, started: float, message: str, detail: str = "") -> None:
        self.counts[outcome] += 1
        text = {"message": _short(message), "detail": _middle_out(detail)}
        self.tell("case", id=id, outcome=outcome, started=started, ended=time(), since=self.since, **text)


# Taken out of the environment: a pytest started inside a case must not speak for this one.
_run = _Run(Line() if os.environ.pop("OTAGATE_STREAM", "") == "1" else None)


class Side:
    """The candidate's or the baseline's services."""

    def __init__(self, name: str) -> None:
        self._name = name

    def host(self, service: str) -> str:
        """Name or address of a service; fails the case if the environment does not give it."""
        return _variable(self._name, service)

    def build(self, service: str) -> str:
        """The digest ("sha256:…") of the build that should run there."""
        return _variable(self._name, service, "build")


class Environment:
    """Where everything is, and what only the gate may do for a case."""

    candidate = Side("candidate")
    baseline = Side("baseline")

    @property
    def nonce(self) -> str:
        """A word that no other run has: for marks in test data."""
        return _variable("nonce")

    @property
    def production(self) -> dict[str, list[str]]:
        """Production's containers and their addresses, none of which a mirror may reach."""
        try:
            named = json.loads(_variable("production"))
            return {str(name): [str(address) for address in addresses] for name, addresses in named.items()}
        except (ValueError, AttributeError, TypeError):
            pytest.fail("OTAGATE_PRODUCTION is not a JSON object of lists", pytrace=False)

    def door(self, listener: str) -> tuple[str, int]:
        """(host, port) of a listener of the mirror's own switch."""
        host, _, port = _variable("door", listener).rpartition(":")
        if not host or not port.isascii() or not port.isdigit():
            pytest.fail(f"the address of door {listener} is not host:port", pytrace=False)
        return host, int(port)

    def secret(self, name: str) -> str:
        """The content of a secret of this suite."""
        path = Path(os.environ.get("OTAGATE_SECRETS") or "/run/secrets") / name
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            pytest.fail(f"secret {name}: {path} cannot be read ({error.strerror})", pytrace=False)

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Around work that is done ahead of the cases that need it, in a thread: its error, raised again in a case, is
        then held against a crash of this time and not of the case's."""
        begun = time()
        try:
            yield
        except BaseException as error:
            _run.broke(error, begun)
            raise

    def restart(self, service: str, deadline: float = 30) -> None:
        """Stop and start the candidate's service, and wait at most `deadline` seconds for it."""
        _ask("restart", {"service": service, "deadline": deadline}, deadline + ASK_SECONDS)

    def kill(self, service: str) -> None:
        """Kill the candidate's service without warning, then start it again."""
        _ask("kill", {"service": service}, ASK_SECONDS)

    def logs(self, service: str) -> str:
        """All that the candidate's service has logged since it was started."""
        return str(_ask("logs", {"service": service}, ASK_SECONDS))


class Metric:
    """A named quantity; samples in `unit`, the candidate's and, taken beside it, the baseline's."""

    def __init__(self, name: str, unit: str, direction: str) -> None:
        if direction not in ("lower", "higher"):
            raise ValueError(f"metric {name}: direction is lower or higher, not {direction!r}")
        self.name, self.unit, self.direction = name, unit, direction
        self.candidate: list[float] = []
        self.baseline: list[float] = []

    def add(self, candidate: float, baseline: float | None = None) -> None:
        """One sample, or one pair. Not-finite values are told as they are: the gate decides what they mean."""
        self.candidate.append(float(candidate))
        if baseline is not None:
            self.baseline.append(float(baseline))
        sample = {"candidate": repr(float(candidate)), "baseline": None if baseline is None else repr(float(baseline))}
        _run.tell("sample", case=_run.current, metric=self.name, unit=self.unit, direction=self.direction, **sample)


@pytest.fixture(scope="session")
def otagate() -> Environment:
    """The environment under test."""
    return Environment()


@pytest.fixture(scope="session")
def metric() -> Callable[..., Metric]:
    """`metric(name, unit=…, direction="lower"|"higher")`; the same name gives the same metric again."""

    def named(name: str, *, unit: str, direction: str) -> Metric:
        known = _run.metrics.setdefault(name, Metric(name, unit, direction))
        if (known.unit, known.direction) != (unit, direction):
            raise ValueError(f"metric {name} is already in {known.unit}, {known.direction} is better")
        return known

    return named


@pytest.fixture(scope="session")
def picture() -> Callable[[str, str, bytes], None]:
    """`picture(name, title, png)`: a PNG for the report. By hand it goes to the folder $OTAGATE_PICTURES, if set."""

    def attach(name: str, title: str, png: bytes) -> None:
        if not re.fullmatch("[a-z0-9][a-z0-9-]{0,59}", name):
            raise ValueError(f"picture {name!r}: a name is of small letters, digits and hyphens, 60 at most")
        # The gate looks at the content; of one too large the size is enough for it to say so.
        content = base64.b64encode(png if len(png) <= PICTURE_BYTES else b"").decode()
        _run.tell("picture", name=name, title=_short(title), size=len(png), content=content)
        if _run.line is None and (folder := os.environ.get("OTAGATE_PICTURES")):
            (file := Path(folder, f"{name}.png")).parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png)

    return attach


def _ask(what: str, args: Mapping[str, Any], seconds: float) -> Any:
    if _run.line is None:
        pytest.fail(f"otagate.{what} needs the gate: run this suite with `otagate test`", pytrace=False)
    return _run.line.ask(what, args, seconds)


def _variable(*parts: str) -> str:
    name = "_".join(("otagate", *parts)).upper().replace("-", "_")
    if not (value := os.environ.get(name)):
        pytest.fail(f"{name} is not set: it says where this suite finds what it tests", pytrace=False)
    return value


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(name, …): what this case is evidence for")
    config.addinivalue_line("markers", "risk(name, …): the risk whose control this case proves")


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    name = getattr(plugin, "__name__", None) or f"{type(plugin).__module__}.{type(plugin).__name__}"
    if plugin is sys.modules[__name__] or name.startswith("_pytest."):
        return
    hooks = sorted({caller.name for caller in manager.get_hookcallers(plugin) or ()} & WATCHED)
    where = getattr(plugin, "__file__", None) or name
    _run.meddling.extend(f"{where} implements {hook}" for hook in hooks)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, Any, Any]:
    try:
        return (yield)
    except Exception as error:
        why, where = getattr(error, "cause", error), str(getattr(error, "path", "conftest.py"))
        _run.tell("broken", where=where, message=f"{type(why).__name__}: {why}", detail="")
        raise


def pytest_sessionstart(session: pytest.Session) -> None:
    distributions = session.config.pluginmanager.list_plugin_distinfo()
    plugins = sorted({f"{known.project_name} {known.version}" for _, known in distributions})
    args = [str(arg) for arg in session.config.invocation_params.args]
    python = ".".join(map(str, sys.version_info[:3]))
    _run.tell(
        "session", pytest=pytest.__version__, python=python, plugins=plugins, args=args, optimized=sys.flags.optimize
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    _run.gathered.append(item.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        detail = str(report.longrepr)
        _run.tell("broken", where=report.nodeid, message=_last_line(detail), detail=_middle_out(detail))
    elif report.skipped:
        _run.skipped[report.nodeid] = _reason(report.longrepr)


def pytest_collection_finish(session: pytest.Session) -> None:
    marks = [(item.nodeid, _named(item, "requirement"), _named(item, "risk")) for item in session.items]
    # A module that skips itself whole counts as one skipped case: it must not vanish.
    marks += [(id, [], []) for id in _run.skipped]
    kept = {id for id, _, _ in marks}
    cases = [{"id": id, "requirements": requirements, "risks": risks} for id, requirements, risks in marks]
    _run.collected = len(cases)
    _run.tell("collected", cases=cases, dropped=[id for id in _run.gathered if id not in kept])
    for id, reason in _run.skipped.items():
        now = time()
        _run.tell("start", id=id, at=now)
        _run.report(id, "skipped", now, reason)


def pytest_runtest_logstart(nodeid: str) -> None:
    _run.current, _run.started, _run.reports, _run.since = nodeid, time(), [], None
    _run.tell("start", id=nodeid, at=_run.started)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    raised = call.excinfo is not None
    report = yield
    if call.excinfo is not None and (before := _run.broke(call.excinfo.value, _run.started)):
        _run.since = before
    if raised and report.passed:
        _run.meddling.append(f"{item.nodeid} is reported as passed though it raised")
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.nodeid == _run.current:
        _run.reports.append(report)


def pytest_runtest_logfinish(nodeid: str) -> None:
    if nodeid != _run.current or not _run.reports:
        return
    if any(PREFIX in text for report in _run.reports for _, text in report.sections):
        _run.meddling.append(f"{nodeid} printed a line of the gate's own form")
    outcome, message, detail = _merge(_run.reports)
    _run.report(nodeid, outcome, _run.started, message, detail)
    _run.current = ""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    meddling = [_short(text) for text in _run.meddling]
    _run.tell("end", collected=_run.collected, counts=dict(_run.counts), status=int(exitstatus), meddling=meddling)


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    if not _run.metrics:
        return
    terminalreporter.section("otagate metrics")
    for known in _run.metrics.values():
        sides = [("candidate", known.candidate), ("baseline", known.baseline)]
        numbers = ", ".join(f"{side} {len(taken)} × p50 {statistics.median(taken):g}" for side, taken in sides if taken)
        terminalreporter.line(f"{known.name} [{known.unit}, {known.direction} is better]: {numbers or 'no sample'}")


def _merge(reports: Iterable[pytest.TestReport]) -> tuple[str, str, str]:
    """Outcome, short and long message of one case from its set-up, call and tear-down: the worst counts."""
    order = ("passed", "xpassed", "xfailed", "skipped", "error", "failed")
    said = [report for report in reports if report.when == "call" or not report.passed]
    if not said:
        return "error", "it was set up and never called", ""
    worst = max(said, key=lambda report: order.index(_word(report)))
    return _word(worst), _message(worst), str(worst.longrepr) if worst.failed else ""


def _word(report: pytest.TestReport) -> str:
    if report.skipped:
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "xpassed" if hasattr(report, "wasxfail") else "passed"


def _message(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.skipped:
        return _reason(report.longrepr)
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else _last_line(str(report.longrepr or ""))


def _reason(longrepr: object) -> str:
    return str(longrepr[-1] if isinstance(longrepr, tuple) else longrepr).removeprefix("Skipped: ")


def _named(item: pytest.Item, marker: str) -> list[str]:
    return list(dict.fromkeys(str(name) for mark in item.iter_markers(marker) for name in mark.args))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else ""


def _short(text: str) -> str:
    return " ".join(text[:MESSAGE_CHARS].split()) + ("…" if len(text) > MESSAGE_CHARS else "")


def _middle_out(text: str) -> str:
    half = DETAIL_CHARS // 2
    left_out = len(text) - 2 * half
    return text if left_out <= 0 else f"{text[:half]}\n… {left_out} characters left out …\n{text[-half:]}"
