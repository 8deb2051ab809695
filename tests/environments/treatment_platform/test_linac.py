"""The machine's stand-in: what it takes, what it refuses, and how it says what it has."""

import gc
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from linac.__main__ import parse_config
from linac.checks import Machine, Received, Refused, check
from linac.dicom import DicomServer
from linac.received import Plans
from phantoms.frozen import frozen_plan
from phantoms.objects import encode
from phantoms.study import Study
from planner.machine import Machine as Sender
from planner.machine import data_set
from planner.trouble import Trouble
from pydicom import Dataset

MACHINE = Machine("OTA-6MV", ("OTA-*",))
Change = Callable[[Dataset], object]


def made(study: Study, change: Change | None = None) -> bytes:
    """A plan as a file."""
    plan = frozen_plan(study, 1, pixel=20.0)
    if change:
        change(plan)
    return encode(plan)


def taken(file: bytes) -> Received:
    return check(data_set(file), MACHINE, "PLANNER", "g-abababababab")


def test_a_plan_of_its_own_patient_is_taken_with_its_hash(study: Study) -> None:
    file = made(study)
    plan = taken(file)
    assert plan.uid == study.uid("frozen-1")
    assert plan.patient == study.patient
    assert plan.structure_set == study.uid("structures")
    assert (plan.fractions, plan.metersets) == (25, (90.0, 90.0, 90.0))
    assert plan.sha256 == hashlib.sha256(data_set(file)).hexdigest()
    assert data_set(file) == file[-len(data_set(file)) :]


def _referred(plan: Dataset) -> Dataset:
    found: Dataset = plan.FractionGroupSequence[0].ReferencedBeamSequence[0]
    return found


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda plan: setattr(plan, "PatientID", "STRANGER"), "patient"),
        (lambda plan: setattr(plan.BeamSequence[1], "TreatmentMachineName", "OTHER"), "machine"),
        (lambda plan: setattr(_referred(plan), "BeamMeterset", 20000), "meterset"),
        (lambda plan: setattr(_referred(plan), "BeamMeterset", 0), "meterset"),
        (lambda plan: setattr(_referred(plan), "ReferencedBeamNumber", 7), "inconsistent"),
        (lambda plan: setattr(plan.FractionGroupSequence[0], "NumberOfFractionsPlanned", 0), "inconsistent"),
        (lambda plan: delattr(plan, "ReferencedStructureSetSequence"), "unreadable"),
        (lambda plan: delattr(plan, "FrameOfReferenceUID"), "unreadable"),
    ],
)
def test_what_the_machine_cannot_or_may_not_deliver_is_refused(change: Change, code: str, study: Study) -> None:
    with pytest.raises(Refused) as refused:
        taken(made(study, change))
    assert refused.value.code == code


@pytest.mark.parametrize("encoded", [b"", b"\0" * 50, b"noise" * 100])
def test_noise_is_refused(encoded: bytes) -> None:
    with pytest.raises(Refused) as refused:
        check(encoded, MACHINE, "PLANNER", "")
    assert refused.value.code == "unreadable"


@pytest.fixture
def plans(tmp_path: Path) -> Plans:
    return Plans(tmp_path)


def test_the_same_plan_twice_is_one_plan(study: Study, plans: Plans) -> None:
    assert plans.take(taken(made(study)))
    assert plans.times(taken(made(study)).uid) == 1
    assert not plans.take(taken(made(study)))
    assert plans.times(taken(made(study)).uid) == 2
    assert len(plans.all()) == 1


def test_another_plan_under_the_same_uid_is_refused(study: Study, plans: Plans) -> None:
    plans.take(taken(made(study)))
    with pytest.raises(Refused) as refused:
        plans.take(taken(made(study, lambda plan: setattr(_referred(plan), "BeamMeterset", 91))))
    assert refused.value.code == "changed"


def test_a_plan_of_another_patient_in_the_same_study_is_refused(study: Study, plans: Plans) -> None:
    def swapped(plan: Dataset) -> None:
        plan.PatientID, plan.SOPInstanceUID = "OTA-999999", "1.2.3"

    plans.take(taken(made(study)))
    with pytest.raises(Refused) as refused:
        plans.take(taken(made(study, swapped)))
    assert refused.value.code == "patient"


def test_a_machine_that_was_off_has_its_plans_still(study: Study, plans: Plans, tmp_path: Path) -> None:
    plan = taken(made(study))
    assert (plans.take(plan), plans.take(plan)) == (True, False)
    again = Plans(tmp_path)
    assert (again.all(), again.times(plan.uid)) == ([plan], 2)
    with pytest.raises(Refused):
        again.take(taken(made(study, lambda plan: setattr(_referred(plan), "BeamMeterset", 91))))


def test_what_was_cut_off_while_it_was_written_is_no_plan(study: Study, tmp_path: Path) -> None:
    """It was not acknowledged either; the next one takes its place, and not the rest of its line."""
    plan = taken(made(study))
    with (tmp_path / "plans.jsonl").open("w") as file:
        file.write('{"uid": "1.2", "pat')
    again = Plans(tmp_path)
    assert again.all() == []
    again.take(plan)
    assert Plans(tmp_path).all() == [plan]


@pytest.mark.parametrize("kept", ["{", "[]", '{"uid": "1.2"}'])
def test_a_machine_that_cannot_read_what_it_took_does_not_start(kept: str, tmp_path: Path) -> None:
    (tmp_path / "plans.jsonl").write_text(kept + "\n")
    with pytest.raises(ValueError, match=r"."):
        Plans(tmp_path)


@pytest.fixture
def machine(plans: Plans) -> Iterator[tuple[Plans, int]]:
    server = DicomServer("LINAC", ("PLANNER",), MACHINE, plans)
    port = server.start(("127.0.0.1", 0))
    yield plans, port
    server.close()


def sender(port: int, own: str = "PLANNER", called: str = "LINAC") -> Sender:
    return Sender(("127.0.0.1", port), called, own, "g-abababababab")


def test_a_plan_arrives_byte_by_byte_with_its_senders_name(machine: tuple[Plans, int], study: Study) -> None:
    plans, port = machine
    file = made(study)
    acknowledged = sender(port).send(file)
    (plan,) = plans.all()
    assert plan.sha256 == acknowledged == hashlib.sha256(data_set(file)).hexdigest()
    assert (plan.caller, plan.implementation) == ("PLANNER", "g-abababababab")


def test_a_refused_plan_is_told_to_the_sender_and_noted(machine: tuple[Plans, int], study: Study) -> None:
    plans, port = machine
    with pytest.raises(Trouble) as trouble:
        sender(port).send(made(study, lambda plan: setattr(plan, "PatientID", "STRANGER")))
    assert (trouble.value.code, trouble.value.lasting) == ("linac-refused", True)
    assert plans.all() == []
    assert plans.refused() == [{"uid": study.uid("frozen-1"), "code": "patient"}]


def test_a_plan_that_cannot_be_kept_is_not_acknowledged(
    machine: tuple[Plans, int], study: Study, tmp_path: Path
) -> None:
    plans, port = machine
    (tmp_path / "plans.jsonl").unlink()
    with pytest.raises(Trouble, match="0xA700") as trouble:
        sender(port).send(made(study))
    assert plans.all() == []
    assert not trouble.value.lasting
    (tmp_path / "plans.jsonl").touch()
    sender(port).send(made(study))
    assert len(plans.all()) == 1


@pytest.mark.parametrize("names", [{"own": "STRANGER"}, {"called": "OTHER"}])
def test_strangers_get_no_association(names: dict[str, Any], machine: tuple[Plans, int], study: Study) -> None:
    plans, port = machine
    with pytest.raises(Trouble) as trouble:
        sender(port, **names).send(made(study))
    assert trouble.value.code == "linac"
    assert plans.all() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library forgets its socket
def test_a_machine_that_is_off_is_said_to_be(study: Study) -> None:
    with pytest.raises(Trouble) as trouble:
        sender(1).send(made(study))
    gc.collect()
    assert (trouble.value.code, trouble.value.lasting) == ("linac", False)


def test_the_configuration_names_machine_patients_and_callers() -> None:
    text = 'machine: OTA-6MV\npatients: ["OTA-*"]\ncallers: [PLANNER]\n'
    assert parse_config(text) == (MACHINE, ("PLANNER",))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "machine: A\npatients: []\ncallers: [P]",
        "machine: A\npatients: [x]",
        "machine: ''\npatients: [x]\ncallers: [P]",
        "machine: A\npatients: [1]\ncallers: [P]",
        "machine: A\npatients: [x]\ncallers: [P]\nmore: 1",
    ],
)
def test_a_configuration_that_leaves_something_open_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_config(text)
