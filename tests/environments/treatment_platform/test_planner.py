"""The chain: a scan arrives, is archived, the engine asked, the plan sent to the machine; alone only while active."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from linac.received import Plans
from phantoms.objects import encode
from pydicom import Dataset

from tests.environments.treatment_platform.hospital import ENGINE_BUILD, IDENTITY, USUAL, Hospital, Parts, ask

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
    assert ask(parts, "GET", "/plans/1.2.1").status_code == 404
    assert "0xA900): the plan is for a patient who is not treated here" in answer.json()["error"]["message"]
    assert "x-engine-status" not in answer.headers  # it was not the engine that refused
    asked = len(hospital.asked)
    hospital.plan = encode(plan)
    assert ask(parts, "POST", "/plans", json=WANTED).status_code == 200
    assert len(hospital.asked) == asked + 1, "a plan that the machine will never take is not sent again"


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
