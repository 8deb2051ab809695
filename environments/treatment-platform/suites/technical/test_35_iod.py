"""What comes out of the archive is what the standard says it is. A tool that breaks has shown nothing: inconclusive."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from conftest import DicomWeb, Phantom, Side, uid_of
from iod import Checked, dciodvfy, dose_faults
from studies import COARSE, fresh

pytestmark = [pytest.mark.requirement("iod"), pytest.mark.risk("another system misreads an object")]


@pytest.fixture(scope="session")
def planned(candidate: Side, otagate: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Phantom, dict[str, Any]]:
    """A study and what the planner answered about its plan."""
    made = fresh(tmp_path_factory.mktemp("iod"), otagate.nonce)
    candidate.load(made, (*made.slices, made.structures))
    wanted = {"study": made.study, "structure_set": made.structure_set, **COARSE}
    return made, candidate.planner.asked("/plans", wanted).json()


def _errors(checked: Checked) -> tuple[str, ...]:
    if checked.broke:
        pytest.skip(f"inconclusive: dciodvfy broke ({checked.broke})")
    return checked.errors


@pytest.mark.parametrize("what", ["ct", "structures", "plan"])
def test_an_object_is_what_the_standard_says(
    archive: DicomWeb, planned: tuple[Phantom, dict[str, Any]], tmp_path: Path, what: str
) -> None:
    """CT and structures as the scanner sent them, the plan as the engine wrote it; each as the archive has it."""
    study, answer = planned
    uids = {
        "ct": uid_of(study.slices[0].read_bytes()), "structures": study.structure_set, "plan": str(answer["plan"])
    }  # fmt: skip
    file = tmp_path / "object.dcm"
    file.write_bytes(archive.fetch(study.study, uids[what]))
    assert _errors(dciodvfy(file)) == ()
    broken = pydicom.dcmread(file)
    del broken.StudyInstanceUID
    broken.save_as(file)
    assert _errors(dciodvfy(file)), "control: an object without its study is found out"


def test_a_dose_is_what_the_standard_says(archive: DicomWeb, planned: tuple[Phantom, dict[str, Any]]) -> None:
    study, answer = planned
    dose = pydicom.dcmread(BytesIO(archive.fetch(study.study, str(answer["dose"]))))
    assert dose_faults(dose) == []
    plan = pydicom.dcmread(BytesIO(archive.fetch(study.study, str(answer["plan"]))))
    same = ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID")
    assert {name: str(dose[name].value) for name in same} == {name: str(plan[name].value) for name in same}
    assert str(dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID) == answer["plan"]
    dose.NumberOfFrames = int(dose.NumberOfFrames) - 1
    assert dose_faults(dose), "control: a dose with a frame too few is found out"
