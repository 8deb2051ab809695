"""What a planner does on its own: all that waits, once, whatever breaks meanwhile; and nothing while it is passive."""

import time
from typing import Any

import pytest
from linac.received import Plans
from phantoms.objects import encode
from planner.archive import Waiting
from planner.machine import Machine
from planner.trouble import Trouble
from pydicom import Dataset
from pynetdicom import AE, evt

from tests.environments.treatment_platform.hospital import Hospital, Parts, ask, assembled, at, eventually, working


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


@pytest.mark.parametrize("refusal", [(500, "tired"), (408, "bad-request")])
def test_an_engine_that_is_out_of_order_or_was_asked_too_slowly_is_asked_again(
    parts: Parts, hospital: Hospital, refusal: tuple[int, str]
) -> None:
    hospital.waiting, hospital.refusal = ["1.2.1"], refusal
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

    hospital.waiting = ["1.2.1"]
    with working(assembled(hospital, at(linac[1], Off))) as parts:
        parts.worker.activate()
        assert eventually(lambda: len(linac[0].all()) == 1)
        assert len(hospital.asked) == 1


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
        tried = 0

        def send(self, plan: bytes) -> str:
            self.tried += 1
            if self.tried == 1:
                raise ZeroDivisionError
            return super().send(plan)

    hospital.waiting = ["1.2.1", "1.2.2"]
    machine = at(linac[1], Odd)
    with working(assembled(hospital, machine)) as parts:
        parts.worker.activate()
        assert eventually(lambda: all(map(parts.courses.find, hospital.waiting)))
        assert machine.tried == 3, "the first, the other one, and the first again"  # type: ignore[attr-defined]


def test_the_worker_outlives_an_archive_that_answers_oddly(
    parts: Parts, hospital: Hospital, linac: tuple[Plans, int]
) -> None:
    hospital.waiting, hospital.objects = ["1.2.1"], "many"
    parts.worker.activate()
    time.sleep(0.2)
    hospital.objects = 33
    assert eventually(lambda: len(linac[0].all()) == 1)


@pytest.mark.parametrize("nameless", [{}, {"plan": None}, {"plan": ""}])
def test_an_engine_that_does_not_say_which_plan_it_made_is_asked_again(
    parts: Parts, hospital: Hospital, linac: tuple[Plans, int], nameless: dict[str, Any]
) -> None:
    hospital.waiting, hospital.nameless = ["1.2.1"], nameless
    parts.worker.activate()
    assert eventually(lambda: len(hospital.asked) >= 2)
    hospital.nameless = None
    assert eventually(lambda: len(linac[0].all()) == 1)


def test_a_machine_that_breaks_the_association_off_is_trouble_that_passes(
    plan: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had accepted it, and is gone when the plan is to be sent: the library raises an error of its own kind."""
    aborts = evt.EVT_ACCEPTED, lambda event: event.assoc.abort()
    ae = AE(ae_title="LINAC")
    ae.add_supported_context("1.2.840.10008.5.1.4.1.1.481.5")
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[aborts])
    monkeypatch.setattr("planner.machine.hold", lambda held: eventually(lambda: not held.is_established))
    try:
        with pytest.raises(Trouble, match="broke the association off") as trouble:
            at(server.socket.getsockname()[1]).send(encode(plan))
    finally:
        server.shutdown()
    assert (trouble.value.code, trouble.value.lasting) == ("linac", False)


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
