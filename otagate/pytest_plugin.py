"""What a suite may use (fixtures, markers) and the line on which its run is told to the gate.

One file on the standard library and pytest alone: the gate puts it into the suite's container and loads it with
`-p otagate_plugin`; installed, it is found by its entry point and then works against addresses set by hand.

The line is JSON, one message each, on the standard output as it was before pytest captured it. Whatever else writes to
descriptor 1 lands on the error stream. Each message bears the token that the gate sent first on standard input (so no
environment shows it) and a running number.
"""

import base64
import json
import os
import select
import statistics
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest

PREFIX = '{"otagate":1,'  # how every line begins; nothing else may print it
MESSAGE_CHARS = 500
DETAIL_CHARS = 20_000
PICTURE_BYTES = 2 * 1024 * 1024
MEDIA = ("image/svg+xml", "image/png")
ASK_SECONDS = 120.0
# Who implements one of these outside pytest itself can change what is run or counted: the gate is told.
WATCHED = frozenset(
    {
        "pytest_pyfunc_call",
        "pytest_runtest_call",
        "pytest_runtest_logfinish",
        "pytest_runtest_logreport",
        "pytest_runtest_logstart",
        "pytest_runtest_makereport",
        "pytest_runtest_protocol",
        "pytest_runtestloop",
    }
)


class GateError(RuntimeError):
    """The gate answered an ask with no."""


class _Line:
    """The way to the gate. Only the process that opened it speaks: a forked child has no say."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._out, self._in = os.dup(1), os.dup(0)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._held = b""
        self._writing, self._asking = threading.Lock(), threading.Lock()
        self._number = 0
        self._asks = 0
        self._token = str(self._hear(ASK_SECONDS)["token"])

    def tell(self, kind: str, **fields: Any) -> None:
        if os.getpid() != self._process:
            return
        with self._writing:
            message = {"otagate": 1, "token": self._token, "number": self._number, "kind": kind, **fields}
            self._number += 1
            left = memoryview(json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n")
            while left:
                left = left[os.write(self._out, left) :]

    def ask(self, what: str, args: Mapping[str, Any], seconds: float) -> Any:
        with self._asking:
            self._asks += 1
            self.tell("ask", id=self._asks, what=what, args=dict(args))
            answer = self._hear(seconds)
            if answer.get("id") != self._asks:
                raise GateError(f"{what}: the answer is to another question")
            if not answer["ok"]:
                raise GateError(f"{what}: {answer['error']}")
            return answer["value"]

    def _hear(self, seconds: float) -> dict[str, Any]:
        end = monotonic() + seconds
        while b"\n" not in self._held:
            if not select.select([self._in], [], [], max(0.0, end - monotonic()))[0]:
                raise GateError(f"the gate did not answer within {seconds:g} s")
            more = os.read(self._in, 1 << 16)
            if not more:
                raise GateError("the gate is gone")
            self._held += more
        line, self._held = self._held.split(b"\n", 1)
        heard: dict[str, Any] = json.loads(line)
        return heard


@dataclass
class _Case:
    """What pytest said of one case so far."""

    started: float
    reports: list[pytest.TestReport] = field(default_factory=list)


class _Run:
    """The state of this session, in the order in which pytest tells it."""

    def __init__(self, line: _Line | None) -> None:
        self.line = line
        self.gathered: list[str] = []
        self.skipped: dict[str, str] = {}
        self.meddling: list[str] = []
        self.collected = 0
        self.counts: Counter[str] = Counter()
        self.open: dict[str, _Case] = {}
        self.current = ""
        self.metrics: dict[str, Metric] = {}

    def tell(self, kind: str, **fields: Any) -> None:
        if self.line is not None:
            self.line.tell(kind, **fields)

    def finish(self, id: str, case: _Case) -> None:
        outcome, message, detail = _merge(case.reports)
        if any(PREFIX in text for report in case.reports for _, text in report.sections):
            self.meddling.append(f"{id} printed a line of the gate's own form")
        self.counts[outcome] += 1
        self.tell(
            "case",
            id=id,
            outcome=outcome,
            started=case.started,
            ended=time(),
            message=_short(message),
            detail=_middle_out(detail),
        )


def _open_line() -> _Line | None:
    # Taken out of the environment: a pytest started inside a case must not speak for this one.
    return _Line() if os.environ.pop("OTAGATE_STREAM", "") == "1" else None


_run = _Run(_open_line())


# ---------------------------------------------------------------------------------------------------- for suites


class Side:
    """The candidate's or the baseline's services."""

    def __init__(self, name: str) -> None:
        self._name = name.upper()

    def host(self, service: str) -> str:
        """Name or address of a service; fails the case if the environment does not give it."""
        return _variable(f"OTAGATE_{self._name}_{_upper(service)}")

    def build(self, service: str) -> str:
        """The digest ("sha256:…") of the build that should run there."""
        return _variable(f"OTAGATE_{self._name}_{_upper(service)}_BUILD")


class Environment:
    """Where everything is, and what only the gate may do for a case."""

    def __init__(self) -> None:
        self.candidate = Side("candidate")
        self.baseline = Side("baseline")

    @property
    def run(self) -> str:
        return _variable("OTAGATE_RUN")

    @property
    def nonce(self) -> str:
        """A word that no other run has: for marks in test data."""
        return _variable("OTAGATE_NONCE")

    @property
    def production(self) -> dict[str, list[str]]:
        """Production's containers and their addresses, none of which a mirror may reach."""
        try:
            named = json.loads(_variable("OTAGATE_PRODUCTION"))
            return {str(name): [str(address) for address in addresses] for name, addresses in named.items()}
        except (ValueError, AttributeError, TypeError):
            pytest.fail("OTAGATE_PRODUCTION is not a JSON object of lists", pytrace=False)

    def door(self, listener: str) -> tuple[str, int]:
        """(host, port) of a listener of the mirror's own switch."""
        name = f"OTAGATE_DOOR_{_upper(listener)}"
        host, _, port = _variable(name).rpartition(":")
        if not host or not port.isascii() or not port.isdigit():
            pytest.fail(f"{name} is not host:port", pytrace=False)
        return host, int(port)

    def secret(self, name: str) -> str:
        """The content of a secret of this suite."""
        path = Path(os.environ.get("OTAGATE_SECRETS") or "/run/secrets") / name
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            pytest.fail(f"secret {name}: {path} cannot be read ({error.strerror})", pytrace=False)

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
        _run.tell(
            "sample",
            metric=self.name,
            unit=self.unit,
            direction=self.direction,
            candidate=repr(float(candidate)),
            baseline=None if baseline is None else repr(float(baseline)),
            case=_run.current,
        )


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
    """`picture(title, media, content)`: a picture for the report, SVG or PNG, 2 MiB at most."""

    def attach(title: str, media: str, content: bytes) -> None:
        if media not in MEDIA:
            raise ValueError(f"a picture is one of {', '.join(MEDIA)}, not {media}")
        if len(content) > PICTURE_BYTES:
            raise ValueError(f"picture {title!r} has {len(content)} bytes, more than {PICTURE_BYTES}")
        _run.tell("picture", title=_short(title), media=media, content=base64.b64encode(content).decode())

    return attach


def _ask(what: str, args: Mapping[str, Any], seconds: float) -> Any:
    if _run.line is None:
        pytest.fail(f"otagate.{what} needs the gate: run this suite with `otagate test`", pytrace=False)
    return _run.line.ask(what, args, seconds)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: it says where this suite finds what it tests", pytrace=False)
    return value


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


# ---------------------------------------------------------------------------------------------- what pytest tells


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
        _run.tell("broken", where=str(getattr(error, "path", "conftest.py")), message=_cause(error), detail="")
        raise


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    _run.tell(
        "session",
        pytest=pytest.__version__,
        python=".".join(map(str, sys.version_info[:3])),
        plugins=sorted({f"{d.project_name} {d.version}" for _, d in config.pluginmanager.list_plugin_distinfo()}),
        args=[str(arg) for arg in config.invocation_params.args],
        optimized=sys.flags.optimize,
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
    cases = [
        {"id": item.nodeid, "requirements": _named(item, "requirement"), "risks": _named(item, "risk")}
        for item in session.items
    ]
    # A module that skips itself whole counts as one skipped case: it must not vanish.
    cases += [{"id": id, "requirements": [], "risks": []} for id in _run.skipped]
    _run.collected = len(cases)
    kept = {item.nodeid for item in session.items}
    _run.tell("collected", cases=cases, dropped=[id for id in _run.gathered if id not in kept])
    for id, reason in _run.skipped.items():
        now = time()
        _run.tell("start", id=id, at=now)
        _run.counts["skipped"] += 1
        _run.tell("case", id=id, outcome="skipped", started=now, ended=now, message=_short(reason), detail="")


def pytest_runtest_logstart(nodeid: str) -> None:
    _run.current = nodeid
    _run.open[nodeid] = _Case(time())
    _run.tell("start", id=nodeid, at=_run.open[nodeid].started)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    raised = call.excinfo is not None
    report = yield
    if raised and report.passed:
        _run.meddling.append(f"{item.nodeid} is reported as passed though it raised")
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.nodeid in _run.open:
        _run.open[report.nodeid].reports.append(report)


def pytest_runtest_logfinish(nodeid: str) -> None:
    _run.current = ""
    case = _run.open.pop(nodeid, None)
    if case is not None and case.reports:
        _run.finish(nodeid, case)


def pytest_internalerror(excrepr: object) -> None:
    _run.tell("broken", where="pytest", message=_last_line(str(excrepr)), detail=_middle_out(str(excrepr)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    _run.tell(
        "end",
        collected=_run.collected,
        counts=dict(_run.counts),
        status=int(exitstatus),
        meddling=[_short(text) for text in _run.meddling],
    )


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    if not _run.metrics:
        return
    terminalreporter.section("otagate metrics")
    for known in _run.metrics.values():
        sides = [("candidate", known.candidate), ("baseline", known.baseline)]
        numbers = ", ".join(f"{side} {len(taken)} × p50 {statistics.median(taken):g}" for side, taken in sides if taken)
        terminalreporter.line(f"{known.name} [{known.unit}, {known.direction} is better]: {numbers or 'no sample'}")


# --------------------------------------------------------------------------------------------------------- words


def _merge(reports: Iterable[pytest.TestReport]) -> tuple[str, str, str]:
    """Outcome, short and long message of one case from its set-up, call and tear-down: the worst counts."""
    order = ("passed", "xpassed", "xfailed", "skipped", "failed", "error")
    outcome, message, detail = "passed", "", ""
    for report in reports:
        word = _word(report)
        if order.index(word) > order.index(outcome):
            outcome, message, detail = word, _message(report), "" if report.skipped else str(report.longrepr or "")
    return outcome, message, detail


def _word(report: pytest.TestReport) -> str:
    expected = hasattr(report, "wasxfail")
    if report.skipped:
        return "xfailed" if expected else "skipped"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "xpassed" if expected and report.when == "call" else "passed"


def _message(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.skipped:
        return _reason(report.longrepr)
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else _last_line(str(report.longrepr))


def _reason(longrepr: object) -> str:
    text = longrepr[2] if isinstance(longrepr, tuple) and len(longrepr) == 3 else longrepr
    return str(text).removeprefix("Skipped: ")


def _cause(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {cause}"


def _named(item: pytest.Item, marker: str) -> list[str]:
    return list(dict.fromkeys(str(name) for mark in item.iter_markers(marker) for name in mark.args))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("E").strip() if lines else ""


def _short(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 1] + "…"


def _middle_out(text: str) -> str:
    if len(text) <= DETAIL_CHARS:
        return text
    half = DETAIL_CHARS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
