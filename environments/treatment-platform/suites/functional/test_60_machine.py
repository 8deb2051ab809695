"""The machine gets the plan that was made, byte for byte, and takes nobody else's."""

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from bench import Bench
from conftest import SUCCESS, Phantom, Side, data_set
from pydicom import Dataset
from variants import encoded, renewed

pytest_plugins = ["bench"]
pytestmark = [pytest.mark.requirement("machine"), pytest.mark.risk("another patient's plan is delivered")]

REFUSED = 0xA900


@pytest.fixture
def known(phantoms: Callable[[str], Phantom], otagate: object) -> Dataset:
    """A plan that the machine takes: a frozen one under a UID of this run."""
    plan = pydicom.dcmread(phantoms("synthetic-1").plan)
    plan.SOPInstanceUID = renewed(str(plan.SOPInstanceUID), otagate.nonce)  # type: ignore[attr-defined]
    return plan


def sent(candidate: Side, plan: Dataset, folder: Path) -> int | None:
    file = folder / f"{plan.SOPInstanceUID}.dcm"
    file.write_bytes(encoded(plan))
    return candidate.machine.store([file], "PLANNER")[0]


def taken(candidate: Side, uid: object) -> bool:
    return candidate.linac.get(f"/plans/{uid}").status_code == 200


def test_the_machine_has_the_plan_that_the_archive_has(bench: Bench, candidate: Side) -> None:
    """Same SOP instance UID, same SHA-256 of the encoded data set."""
    own = bench.own()
    answer = candidate.linac.get(f"/plans/{own.answer['plan']}")
    assert answer.status_code == 200, f"plan {own.answer['plan']} is not at the machine"
    machine, wanted = answer.json()["plan"], hashlib.sha256(data_set(own.plan)).hexdigest()
    assert machine["uid"] == str(pydicom.dcmread(BytesIO(own.plan)).SOPInstanceUID)
    assert machine["sha256"] == wanted == own.answer["linac"]["sha256"]


def test_the_machine_reads_in_the_plan_what_was_asked_for(bench: Bench, candidate: Side) -> None:
    own = bench.own()
    machine = candidate.linac.get(f"/plans/{own.answer['plan']}").json()["plan"]
    head = pydicom.dcmread(own.study.structures, stop_before_pixels=True)
    assert (machine["patient"], machine["study"]) == (head.PatientID, own.study.study)
    assert machine["structure_set"] == own.study.structure_set, (
        f"the machine reads structure set {machine['structure_set']}, planned on {own.study.structure_set}"
    )
    assert (machine["fractions"], len(machine["metersets"]), machine["caller"]) == (25, 5, "PLANNER")


def test_a_plan_of_somebody_not_treated_here_is_refused(candidate: Side, known: Dataset, tmp_path: Path) -> None:
    known.PatientID = "ELSEWHERE-1"
    assert sent(candidate, known, tmp_path) == REFUSED
    assert not taken(candidate, known.SOPInstanceUID)


def test_a_plan_on_another_patients_study_is_refused(candidate: Side, known: Dataset, tmp_path: Path) -> None:
    """Control first: under its own patient the same plan is taken."""
    assert sent(candidate, known, tmp_path) == SUCCESS
    known.PatientID, known.SOPInstanceUID = "OTA-000002", renewed(str(known.SOPInstanceUID), "foreign")
    assert sent(candidate, known, tmp_path) == REFUSED
    assert not taken(candidate, known.SOPInstanceUID)


def test_another_plan_under_a_known_uid_is_refused(candidate: Side, known: Dataset, tmp_path: Path) -> None:
    known.SOPInstanceUID = renewed(str(known.SOPInstanceUID), "changed")
    assert sent(candidate, known, tmp_path) == SUCCESS
    before = candidate.linac.get(f"/plans/{known.SOPInstanceUID}").json()["plan"]
    known.FractionGroupSequence[0].NumberOfFractionsPlanned = 20
    assert sent(candidate, known, tmp_path) == REFUSED
    assert candidate.linac.get(f"/plans/{known.SOPInstanceUID}").json()["plan"] == before


def test_a_plan_for_another_machine_is_refused(candidate: Side, known: Dataset, tmp_path: Path) -> None:
    known.SOPInstanceUID = renewed(str(known.SOPInstanceUID), "elsewhere")
    for beam in known.BeamSequence:
        beam.TreatmentMachineName = "OTHER-10MV"
    assert sent(candidate, known, tmp_path) == REFUSED
    assert not taken(candidate, known.SOPInstanceUID)
