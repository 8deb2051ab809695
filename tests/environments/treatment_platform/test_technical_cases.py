"""What the technical suite's cases of the passive planner, of findable scans, of whole objects and of clean logs let
pass and what not, by a planner that plans when it should not, an archive that is late, objects that lack something and
services that log too much.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
from phantoms.objects import ct_slices, encode
from phantoms.study import Study
from planner.worker import PERIOD
from pydicom import Dataset, dcmread

from tests.environments.treatment_platform.cases import modules, said

NONCE = "c0ffee0123456789"


@pytest.fixture(scope="module")
def suite() -> Iterator[dict[str, ModuleType]]:
    cases = ("test_15_passive", "test_20_archive", "test_35_iod", "test_50_log")
    with modules("technical", "conftest", "studies", "peer", "iod", *cases) as found:
        yield found


# --- passive ----------------------------------------------------------------------------------------------------


@dataclass
class Planner:
    """Looks every PERIOD seconds of a clock that only sleep moves, and has planned `takes` seconds later what waited;
    `fault` is what it does wrongly. It is the suite's clock and all of its candidate."""

    fault: str = ""
    active: bool = False
    takes: float = 0.0
    now: float = 0.0
    looked: float = 0.0
    at_work: list[tuple[float, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.looked + PERIOD <= self.now:
            self.looked += PERIOD
            self._look()
        while self.at_work and self.at_work[0][0] <= self.now:
            self._plan(self.at_work.pop(0)[1])

    def _look(self) -> None:
        if not self.active and self.fault != "never rests" and not (self.fault == "goes on" and self.planned):
            return
        if self.fault != "plans nothing":
            self.at_work += [(self.looked + self.takes, study) for study in self.waiting]
            self.waiting.clear()

    def _plan(self, study: str) -> None:
        if self.fault != "sends unarchived":
            self.planned.append(study)
        if self.fault != "sends nothing":
            self.sent.append(study)

    def get(self, path: str) -> httpx.Response:
        if path == "/healthz":
            return httpx.Response(200, json={"active": self.active or self.fault == "says active"})
        return httpx.Response(200, json={"plans": [{"uid": f"{one}.1", "study": one} for one in self.sent]})

    def post(self, path: str) -> httpx.Response:
        if path == "/hooks/passive" and self.fault == "will not":
            return httpx.Response(503, json={"active": True})
        self.active = path == "/hooks/activate"
        return httpx.Response(200, json={"active": self.active or self.fault == "says still active"})

    def find(self, _: str, **asked: str) -> list[Any]:
        return [
            SimpleNamespace(SeriesInstanceUID=f"{one}.2") for one in self.planned if one == asked["StudyInstanceUID"]
        ]

    def load(self, study: Any, _: object) -> None:
        self.waiting.append(study.study)


def rest(suite: dict[str, ModuleType], patch: pytest.MonkeyPatch, planner: Planner) -> str:
    """What the case says of a planner."""
    number, cases = count(1), suite["test_15_passive"]
    patch.setattr(cases, "time", planner)
    patch.setattr(cases, "fresh", lambda *_: SimpleNamespace(study=f"1.2.{next(number)}", slices=(), structures=""))
    side = SimpleNamespace(planner=planner, archive=planner, linac=planner, load=planner.load)
    gate = SimpleNamespace(nonce=NONCE)
    return said(lambda: cases.test_a_passive_planner_plans_nothing_on_its_own(side, gate, Path()))


def test_a_planner_that_rests_while_it_is_passive_passes(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    planner = Planner()
    assert rest(suite, monkeypatch, planner) == ""
    assert (planner.planned, planner.waiting, planner.active) == (["1.2.1"], ["1.2.2"], False)


@pytest.mark.parametrize(
    ("fault", "must"),
    [
        ("never rests", "it planned while passive"),
        ("goes on", "it planned after it said that it is passive"),
        ("says active", "assert True is False"),
        ("says still active", "(200, True)"),
        ("will not", "(503, True)"),
        ("plans nothing", "control: active, it plans"),
        ("sends nothing", "control: active, it sends"),
        ("sends unarchived", "control: active, it plans"),
    ],
)
def test_a_planner_that_does_not_rest_is_caught(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, fault: str, must: str
) -> None:
    planner = Planner(fault)
    assert must in rest(suite, monkeypatch, planner)
    assert planner.active is (fault == "will not")  # a case that fails asks for rest as well


@pytest.mark.parametrize("takes", [1.0, 2.0, 10.0, 60.0])
def test_one_that_never_rests_is_caught_however_slow_it_is(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, takes: float
) -> None:
    assert "it planned " in rest(suite, monkeypatch, Planner("never rests", takes=takes))


@pytest.mark.parametrize("only", ["planned", "sent"])
def test_either_trace_of_a_plan_is_enough(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, only: str
) -> None:
    planner = Planner(**{only: ["1.2.1"]})  # type: ignore[arg-type]
    assert rest(suite, monkeypatch, planner).startswith("it planned while passive")


# --- findable ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "takes", "must"),
    [
        (0.5, 0.1, ""),
        (2.5, 0.1, "2 of 2 objects were not found within 2 s"),
        (0.0, 10.0, "the objects were found after 10.0 s, not within 2 s"),
    ],
    ids=["in time", "too late", "by one slow answer"],
)
def test_a_scan_must_have_been_found_in_time(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, there: float, takes: float, must: str
) -> None:
    """`there`: seconds after which the archive has it; `takes`: those of one answer. The clock is the archive's."""
    conftest, cases, now = suite["conftest"], suite["test_20_archive"], [0.0]

    def passes(seconds: float) -> None:
        now[0] += seconds

    def instances(_: str) -> set[str]:
        passes(takes)
        return {"1.2", "1.3"} if now[0] >= there else set()

    archive = conftest.Dicom("vna", "VNA")
    monkeypatch.setattr(archive, "instances", instances)
    monkeypatch.setattr(conftest, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=passes))
    monkeypatch.setattr(cases, "fresh", lambda *_: SimpleNamespace(files=("one", "two"), study="1"))
    monkeypatch.setattr(cases, "_sent", lambda _: {"1.2": b"", "1.3": b""})
    side = SimpleNamespace(scans=SimpleNamespace(store=lambda files: [0 for _ in files]), archive=archive)
    ask = cases.test_a_scan_is_findable_within_two_seconds
    told = said(lambda: ask(side, SimpleNamespace(nonce=NONCE), Path()))
    assert told.partition("\n")[0] == must


# --- iod --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["", "Modality", "Laterality"])
def test_no_error_that_the_tool_names_is_passed_over(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, study: Study, tmp_path: Path, lost: str
) -> None:
    sent = ct_slices(study)[0]
    demanded, scan = [name for name in dir(sent) if name[0].isupper()], tmp_path / "ct.dcm"
    scan.write_bytes(encode(sent))
    if lost:
        delattr(sent, lost)
    archive = SimpleNamespace(fetch=lambda *_: encode(sent))

    def dciodvfy(file: Path) -> Any:
        held = dcmread(file)
        return suite["iod"].Checked(tuple(f"Error - Missing <{name}>" for name in demanded if name not in held))

    cases, planned = suite["test_35_iod"], SimpleNamespace(study="", slices=(scan,), structure_set="")
    monkeypatch.setattr(cases, "dciodvfy", dciodvfy)
    told = said(
        lambda: cases.test_an_object_is_what_the_standard_says(archive, (planned, {"plan": ""}), tmp_path, "ct")
    )
    assert (f"Missing <{lost}>" in told) if lost else told == ""


# --- clean-log --------------------------------------------------------------------------------------------------


Leak = Callable[[Dataset], str]


class Services:
    """Each logs what it was given by its UID; the one that leaks, with `leak` of what it was given."""

    def __init__(self, leaking: str = "", leak: Leak = lambda _: "") -> None:
        self.logs = dict.fromkeys(("planner", "dose-engine", "linac", "vna", "vna-index"), "started\n")
        self.planner = self.machine = self.archive = self
        self._leaking, self._leak = leaking, leak

    def load(self, _: object, files: tuple[Path, ...]) -> None:
        for service in ("vna", "vna-index", "planner", "dose-engine"):
            self._given(service, dcmread(files[0], stop_before_pixels=True))

    def asked(self, _: str, wanted: dict[str, Any]) -> httpx.Response:
        assert {"study", "structure_set"} < set(wanted)
        self._log("dose-engine", "plan 1.2.3 computed")
        self._log("linac", "took 1.2.3")
        return httpx.Response(200, json={"plan": "1.2.3"})

    def post(self, _: str, wanted: dict[str, Any]) -> httpx.Response:
        odd = Dataset()
        odd.PatientName = wanted["prescription"]["roi"]
        for service, word in (("dose-engine", "refused"), ("planner", "trouble")):
            self._given(service, odd)
            self._log(service, f"{word}: unknown-structure")
        return httpx.Response(422)

    def store(self, files: list[Path], _: str) -> list[int]:
        self._given("linac", dcmread(files[0]))
        return [0xA900]

    def knocked(self, *_: object) -> tuple[int, ...]:
        self._log("vna", "KNOCKING is not known")
        return 3, 1, 1, 3

    def _given(self, service: str, what: Dataset) -> None:
        self._log(service, f"given {what.get('SOPInstanceUID', '')}")
        if service == self._leaking:
            self._log(service, self._leak(what))

    def _log(self, service: str, line: str) -> None:
        self.logs[service] += f"{line}\n"


class Log:
    """The suite's own fixtures, as pytest would join them; what each service's case says."""

    def __init__(self, cases: ModuleType, services: Services, folder: Path) -> None:
        gate = SimpleNamespace(nonce=NONCE, logs=lambda service: services.logs[service])
        self._cases, self._mark = cases, cases.mark.__wrapped__(gate)
        factory = SimpleNamespace(mktemp=lambda name: folder / name)
        treated = cases.treated.__wrapped__(services, gate, self._mark, factory)
        self._read = cases.log.__wrapped__(gate, treated)

    def said(self, service: str) -> str:
        return said(lambda: self._cases.test_no_person_and_no_traceback_is_in_the_log(self._read, self._mark, service))

    def caught(self) -> set[str]:
        return {service for service in self._cases.SERVICES if self.said(service)}


@pytest.fixture
def logs(suite: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Services], Log]:
    cases, clock = suite["test_50_log"], Planner()
    monkeypatch.setattr(cases, "time", clock)

    def made(services: Services) -> Log:
        monkeypatch.setattr(cases, "answer", services.knocked)
        return Log(cases, services, tmp_path)

    return made


def test_services_that_name_nobody_pass(logs: Callable[[Services], Log]) -> None:
    assert logs(Services()).caught() == set()


LEAKS: dict[str, tuple[str, Leak]] = {
    "patient": ("planner", lambda of: str(of.PatientName)),
    "small letters": ("vna", lambda of: str(of.PatientName).lower()),
    "given name": ("vna-index", lambda of: str(of.PatientName).partition("^")[2]),
    "doctor": ("dose-engine", lambda of: str(of.get("ReferringPhysicianName", ""))),
    "patient's ID": ("planner", lambda of: str(of.get("PatientID", ""))),
    "of what was refused": ("linac", lambda of: f"not treated here: {of.PatientID}"),
    "name of a structure": ("dose-engine", lambda of: f"no {of.PatientName}" if "SOPInstanceUID" not in of else ""),
    "traceback": ("vna", lambda _: "Traceback (most recent call last):"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_service_that_tells_of_whom_is_caught_alone(logs: Callable[[Services], Log], leak: str) -> None:
    assert logs(Services(*LEAKS[leak])).caught() == {LEAKS[leak][0]}


@pytest.mark.parametrize("instead", ["", "another service's\n"], ids=["empty", "another's"])
def test_a_log_that_is_not_the_services_own_is_no_clean_one(logs: Callable[[Services], Log], instead: str) -> None:
    services = Services()
    log = logs(services)
    services.logs = dict.fromkeys(services.logs, instead)
    told = {service: log.said(service).startswith("control: ") for service in services.logs}
    assert told == dict.fromkeys(services.logs, True) | {"vna-index": not instead}  # of it no line is known to come
