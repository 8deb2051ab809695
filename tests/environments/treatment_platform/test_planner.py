"""The chain: a scan arrives, is archived, the engine asked, the plan sent to the machine; alone only while active."""

import asyncio
import copy
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest
from dose_engine.multipart import pack, unpack
from linac.checks import Machine as Linac
from linac.dicom import DicomServer as LinacServer
from linac.received import Plans
from phantoms.frozen import frozen_plan
from phantoms.objects import ct_slices, encode
from phantoms.study import Study
from planner.archive import Archive, Waiting
from planner.courses import Courses
from planner.dicom import DicomServer
from planner.engine import Engine
from planner.machine import Machine
from planner.settings import Identity, Protocol, Settings, parse_protocol, read_settings
from planner.trouble import Trouble
from planner.web import Web
from planner.worker import Worker
from planner.written import Written
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt

IDENTITY = Identity("sha256:" + "cd" * 32, "blue")
ENGINE_BUILD = "sha256:" + "ab" * 32
USUAL = {"prescription": {"roi": "PTV", "dose": 50, "fractions": 25}}
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
SOON = 30.0  # seconds; nothing here takes one on a quiet machine


@dataclass
class Hospital:
    """An archive and an engine that live in memory; the engine makes the same plan each time."""

    plan: bytes
    plan_uid: str
    stored: list[bytes] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    objects: int = 33
    looked: int = 0  # how often a study's plans were asked for
    refusal: tuple[int, str] | None = None
    down: bool = False
    named: bool = True  # whether the engine's answer says which plan it made

    def archive(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down", request=request)
        path, query = request.url.path.removeprefix("/dicom-web"), request.url.params
        if request.method == "POST":
            self.stored += unpack(request.content, request.headers["content-type"])
            return httpx.Response(200, json={})
        if query.get("Modality") == "RTSTRUCT":
            found = [{"0020000D": {"Value": ["1.2"]}, "00080018": {"Value": [uid]}} for uid in self.waiting]
            begin = int(query["offset"])
            return httpx.Response(200, json=found[begin : begin + int(query["limit"])])
        if query.get("Modality") == "RTPLAN":
            self.looked += 1
            return httpx.Response(200, json=[{}] * len(self.asked) if not self.refusal else [])
        if path == "/studies":
            return httpx.Response(200, json=[{"00201208": {"Value": [self.objects]}}])
        if "SOPInstanceUID" in query:
            known = query["SOPInstanceUID"] == self.plan_uid
            return httpx.Response(200, json=[{"0020000E": {"Value": ["1.3"]}}] if known else [])
        body, kind = pack([self.plan])
        return httpx.Response(200, content=body, headers={"Content-Type": kind})

    def engine(self, request: httpx.Request) -> httpx.Response:
        named = {"X-Otagate-Build": ENGINE_BUILD, "X-Otagate-Colour": "blue"}
        if request.url.path == "/forward":
            return httpx.Response(200, content=b"dose", headers={**named, "Content-Type": "application/dicom"})
        self.asked.append(json.loads(request.content))
        if self.refusal:
            error = {"code": self.refusal[1], "message": "said so"}
            return httpx.Response(self.refusal[0], json={"error": error}, headers=named)
        made = {"plan": self.plan_uid, "dose": "1.9", "timings": {"all": 1.0}}
        return httpx.Response(200, json=made if self.named else {}, headers=named)


def written() -> Written:
    return Written(IDENTITY, lambda: datetime.now(UTC))


@pytest.fixture(scope="module")
def plan(study: Study) -> Dataset:
    return frozen_plan(study, 1, pixel=20.0)


@pytest.fixture
def hospital(plan: Dataset) -> Hospital:
    return Hospital(encode(plan), str(plan.SOPInstanceUID))


@pytest.fixture
def linac() -> Iterator[tuple[Plans, int]]:
    plans = Plans()
    server = LinacServer("LINAC", ("PLANNER",), Linac("OTA-6MV", ("OTA-*",)), plans)
    port = server.start(("127.0.0.1", 0))
    yield plans, port
    server.close()


@dataclass
class Parts:
    archive: Archive
    engine: Engine
    courses: Courses
    worker: Worker


@pytest.fixture
def parts(hospital: Hospital, linac: tuple[Plans, int]) -> Iterator[Parts]:
    archive = Archive("http://vna/dicom-web", ("clinic", "secret"), httpx.MockTransport(hospital.archive))
    engine = Engine("http://engine", httpx.MockTransport(hospital.engine))
    machine = Machine(("127.0.0.1", linac[1]), "LINAC", "PLANNER", IDENTITY.implementation)
    courses = Courses(archive, engine, machine, USUAL, written())
    worker = Worker(archive, courses, period=0.05)
    worker.start()
    yield Parts(archive, engine, courses, worker)
    worker.close()


def ask(parts: Parts, method: str, path: str, **more: Any) -> httpx.Response:
    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    app = Web(IDENTITY, parts.courses, parts.engine, parts.worker, lambda: True).app(nothing)

    async def asking() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://planner") as client:
            return await client.request(method, path, **more)

    return asyncio.run(asking())


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.01)
    return False


WANTED = {"study": "1.2", "structure_set": "1.2.1"}


def test_a_plan_reaches_the_machine_and_the_answer_names_both_builds(
    parts: Parts, hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    answer = ask(parts, "POST", "/plans", json=WANTED)
    assert answer.status_code == 200
    assert answer.headers["x-otagate-build"] == IDENTITY.build
    assert answer.headers["x-engine-build"] == answer.json()["engine"] == ENGINE_BUILD
    assert answer.headers["x-engine-colour"] == answer.json()["engine_colour"] == "blue"
    (plan,) = linac[0].all()
    assert answer.json()["linac"]["sha256"] == plan.sha256
    assert (plan.uid, plan.implementation) == (hospital.plan_uid, "b-cdcdcdcdcdcd")
    assert hospital.asked == [{**USUAL, **WANTED}]


def test_asking_twice_is_one_plan_unless_it_shall_be_another(parts: Parts, hospital: Hospital) -> None:
    first, second = (ask(parts, "POST", "/plans", json=WANTED).json() for _ in range(2))
    assert first == second
    assert ask(parts, "GET", "/plans/1.2.1").json() == first
    ask(parts, "POST", "/plans", json={**WANTED, "gantry": [0]})
    assert [one.get("gantry") for one in hospital.asked] == [None, [0]]


def test_what_was_never_planned_is_not_found(parts: Parts) -> None:
    assert ask(parts, "GET", "/plans/1.2.1").status_code == 404


def test_the_engines_refusal_is_passed_on_as_it_is(parts: Parts, hospital: Hospital) -> None:
    hospital.refusal = (422, "missing-slice")
    answer = ask(parts, "POST", "/plans", json=WANTED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "missing-slice")
    hospital.refusal = (500, "tired")
    answer = ask(parts, "POST", "/plans", json=WANTED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "engine")
    assert (answer.headers["x-engine-build"], answer.headers["x-engine-status"]) == (ENGINE_BUILD, "500")
    hospital.refusal = None
    assert ask(parts, "POST", "/plans", json=WANTED).status_code == 200


def test_the_machines_refusal_is_no_success(parts: Parts, hospital: Hospital, plan: Dataset) -> None:
    stranger = copy.deepcopy(plan)
    stranger.PatientID = "STRANGER"
    hospital.plan = encode(stranger)
    answer = ask(parts, "POST", "/plans", json=WANTED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "linac-refused")
    assert "0xA900): the plan is for a patient who is not treated here" in answer.json()["error"]["message"]
    assert "x-engine-status" not in answer.headers  # it was not the engine that refused
    assert ask(parts, "GET", "/plans/1.2.1").status_code == 404


def test_a_forward_dose_passes_through_with_the_engines_name(parts: Parts) -> None:
    answer = ask(parts, "POST", "/forward", json={"plan": "1.2.3"})
    assert (answer.content, answer.headers["x-engine-build"]) == (b"dose", ENGINE_BUILD)
    assert answer.headers["x-engine-colour"] == "blue"


def test_it_tells_what_it_sent_to_the_machine_since_a_time(parts: Parts, plan: Dataset) -> None:
    hour = timedelta(hours=1)
    me = {"build": IDENTITY.build, "colour": IDENTITY.colour}
    begun = datetime.now(UTC)
    assert ask(parts, "POST", "/plans", json={"study": "1.2", "structure_set": "1.2.1"}).status_code == 200
    told = ask(parts, "POST", "/hooks/written-since", json={**me, "since": begun.isoformat()}).json()
    assert (told["count"], told["items"]) == (1, [str(plan.SOPInstanceUID)])
    later = ask(parts, "POST", "/hooks/written-since", json={**me, "since": (begun + hour).isoformat()}).json()
    assert (later["count"], later["items"]) == (0, [])
    for odd in ({"since": (begun - hour).isoformat()}, {"build": "sha256:other"}, {"colour": "other"}):
        asked = {**me, "since": begun.isoformat(), **odd}
        assert ask(parts, "POST", "/hooks/written-since", json=asked).status_code == 409, "it cannot know"
    for since in ("yesterday", "2026-01-01T00:00:00", 3):
        assert ask(parts, "POST", "/hooks/written-since", json={**me, "since": since}).status_code == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"study": "1.2"}', b'{"study": 1, "structure_set": "1"}'])
def test_a_request_that_is_none_is_refused(body: bytes, parts: Parts) -> None:
    assert ask(parts, "POST", "/plans", content=body).status_code == 400


def test_a_passive_planner_plans_nothing_on_its_own(parts: Parts, hospital: Hospital) -> None:
    hospital.waiting = ["1.2.1"]
    parts.worker.arrived()
    time.sleep(0.3)
    assert hospital.asked == []
    assert ask(parts, "GET", "/healthz").json()["active"] is False


def test_an_active_planner_plans_what_waits_and_a_passive_one_no_more(
    parts: Parts, hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    hospital.waiting = ["1.2.1"]
    assert ask(parts, "POST", "/hooks/activate").json()["active"] is True
    assert eventually(lambda: len(linac[0].all()) == 1)
    assert ask(parts, "POST", "/hooks/passive").json()["active"] is False
    hospital.waiting = ["1.2.2"]
    hospital.asked.clear()
    time.sleep(0.3)
    assert hospital.asked == []


def test_a_refused_scan_is_tried_again_once_more_of_it_arrived(parts: Parts, hospital: Hospital) -> None:
    hospital.waiting, hospital.refusal = ["1.2.1"], (422, "missing-slice")
    parts.worker.activate()
    assert eventually(lambda: len(hospital.asked) == 1)
    time.sleep(0.3)
    assert len(hospital.asked) == 1
    hospital.objects += 1
    assert eventually(lambda: len(hospital.asked) == 2)


def test_an_engine_that_is_out_of_order_is_asked_again(parts: Parts, hospital: Hospital) -> None:
    hospital.waiting, hospital.refusal = ["1.2.1"], (500, "tired")
    parts.worker.activate()
    assert eventually(lambda: len(hospital.asked) >= 3)


def test_a_plan_that_the_machine_missed_is_sent_later_and_computed_once(
    hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    class Off(Machine):
        off = 2

        def send(self, plan: bytes) -> str:
            if self.off:
                self.off -= 1
                raise Trouble("linac", "the machine takes no association", 502)
            return super().send(plan)

    archive = Archive("http://vna/dicom-web", ("clinic", "secret"), httpx.MockTransport(hospital.archive))
    engine = Engine("http://engine", httpx.MockTransport(hospital.engine))
    machine = Off(("127.0.0.1", linac[1]), "LINAC", "PLANNER", IDENTITY.implementation)
    worker = Worker(archive, Courses(archive, engine, machine, USUAL, written()), period=0.05)
    hospital.waiting = ["1.2.1"]
    worker.start()
    worker.activate()
    assert eventually(lambda: len(linac[0].all()) == 1)
    assert len(hospital.asked) == 1
    worker.close()


def test_the_worker_outlives_an_archive_that_is_down(
    parts: Parts, hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    hospital.waiting, hospital.down = ["1.2.1"], True
    parts.worker.activate()
    time.sleep(0.2)
    hospital.down = False
    assert eventually(lambda: len(linac[0].all()) == 1)


def test_the_worker_outlives_what_nobody_foresaw_and_plans_the_others(
    hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    class Odd(Machine):
        broke = False

        def send(self, plan: bytes) -> str:
            if not self.broke:
                self.broke = True
                raise ZeroDivisionError
            return super().send(plan)

    archive = Archive("http://vna/dicom-web", ("clinic", "secret"), httpx.MockTransport(hospital.archive))
    engine = Engine("http://engine", httpx.MockTransport(hospital.engine))
    machine = Odd(("127.0.0.1", linac[1]), "LINAC", "PLANNER", IDENTITY.implementation)
    worker = Worker(archive, Courses(archive, engine, machine, USUAL, written()), period=0.05)
    hospital.waiting = ["1.2.1"]
    worker.start()
    worker.activate()
    assert eventually(lambda: len(linac[0].all()) == 1)
    assert machine.broke
    assert worker.works
    worker.close()


def test_an_engine_that_does_not_say_which_plan_it_made_is_asked_again(
    parts: Parts, hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    hospital.waiting, hospital.named = ["1.2.1"], False
    parts.worker.activate()
    assert eventually(lambda: len(hospital.asked) >= 2)
    hospital.named = True
    assert eventually(lambda: len(linac[0].all()) == 1)


def test_a_machine_that_breaks_the_association_off_is_trouble_that_passes(plan: Dataset) -> None:
    aborted = evt.EVT_ACCEPTED, lambda event: event.assoc.abort()
    ae = AE(ae_title="LINAC")
    ae.add_supported_context("1.2.840.10008.5.1.4.1.1.481.5")
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[aborted])
    machine = Machine(("127.0.0.1", server.socket.getsockname()[1]), "LINAC", "PLANNER", IDENTITY.implementation)
    try:
        for _ in range(5):  # it may notice before or after it begins to send
            with pytest.raises(Trouble) as trouble:
                machine.send(encode(plan))
            assert (trouble.value.code, trouble.value.lasting) == ("linac", False)
    finally:
        server.shutdown()


def test_a_planner_whose_worker_is_gone_is_not_well(parts: Parts) -> None:
    assert ask(parts, "GET", "/healthz").status_code == 200
    parts.worker.close()
    assert eventually(lambda: not parts.worker.works)
    assert ask(parts, "GET", "/healthz").status_code == 503


def test_what_waits_on_a_later_page_is_found(parts: Parts, hospital: Hospital) -> None:
    hospital.waiting = [f"1.2.{number}" for number in range(1, 1202)]
    assert [one.structure_set for one in parts.archive.waiting()] == hospital.waiting


def test_what_waits_is_named_with_its_study(parts: Parts, hospital: Hospital) -> None:
    hospital.waiting = ["1.2.1"]
    assert parts.archive.waiting() == [Waiting("1.2", "1.2.1", 33)]


def test_a_study_that_has_a_plan_is_not_looked_into_again(parts: Parts, hospital: Hospital) -> None:
    hospital.waiting = ["1.2.1"]
    assert len(parts.archive.waiting()) == len(parts.archive.waiting()) == 1
    assert hospital.looked == 2, "control: without a plan it is"
    hospital.asked.append({})
    assert parts.archive.waiting() == parts.archive.waiting() == []
    assert hospital.looked == 3


def test_an_object_that_is_not_there_is_trouble(parts: Parts) -> None:
    with pytest.raises(Trouble) as trouble:
        parts.archive.fetch("1.2", "9.9")
    assert trouble.value.code == "not-found"


@pytest.fixture
def receiver(parts: Parts) -> Iterator[int]:
    settings = Settings(
        identity=IDENTITY,
        archive="",
        credentials=("", ""),
        engine="",
        linac=("", 0),
        title="PLANNER",
        machine="LINAC",
        protocol=Protocol(("SCANNER",), USUAL),
    )
    server = DicomServer(settings, parts.archive, parts.worker.arrived)
    yield server.start(("127.0.0.1", 0))
    server.close(1.0)


def scanner(title: str = "SCANNER") -> AE:
    ae = AE(ae_title=title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = SOON
    ae.add_requested_context(CT_IMAGE, "1.2.840.10008.1.2.1")
    return ae


def scanned(study: Study, plane: int) -> Dataset:
    return dcmread(BytesIO(encode(ct_slices(study)[plane])))


def test_a_scan_is_acknowledged_once_the_archive_has_it(receiver: int, hospital: Hospital, study: Study) -> None:
    association = scanner().associate("127.0.0.1", receiver, ae_title="PLANNER")
    slices = [scanned(study, plane) for plane in range(3)]
    statuses = [association.send_c_store(one).Status for one in slices]
    assert association.acceptor.implementation_version_name == "b-cdcdcdcdcdcd"
    association.release()
    assert statuses == [0, 0, 0]
    assert len(hospital.stored) == 3


def test_a_scan_that_the_archive_does_not_take_is_not_acknowledged(
    receiver: int, hospital: Hospital, study: Study
) -> None:
    hospital.down = True
    association = scanner().associate("127.0.0.1", receiver, ae_title="PLANNER")
    status = association.send_c_store(scanned(study, 0)).Status
    association.release()
    assert status == 0xA700


def test_a_stranger_gets_no_association(receiver: int) -> None:
    association = scanner("STRANGER").associate("127.0.0.1", receiver, ae_title="PLANNER")
    assert association.is_rejected


@pytest.mark.parametrize(
    "text", ["", "callers: []\nplan: {}", "callers: [A]\nplan: {}", "callers: ['A\\B']\nplan: {prescription: {}}", "[]"]
)
def test_a_configuration_that_leaves_something_open_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each with its own words
        parse_protocol(text)


def test_settings_that_are_not_there_are_missed(tmp_path: Any) -> None:
    secret, config = tmp_path / "secret", tmp_path / "planner.yaml"
    secret.write_text("word\n")
    config.write_text("callers: [SCANNER]\nplan: {prescription: {roi: PTV, dose: 50, fractions: 25}}\n")
    environ = {"VNA_PASSWORD_FILE": str(secret), "PLANNER_CONFIG": str(config), "VNA_URL": "http://vna"}
    with pytest.raises(KeyError):
        read_settings(environ)
    found = read_settings({**environ, "ENGINE_URL": "http://engine", "LINAC_HOST": "linac"})
    assert found.credentials == ("clinic", "word")
    assert found.linac == ("linac", 11112)
