"""A real clinical set after a trip through the archive: one CT slice, structures, plan, dose, referring to each other.

No dose is computed on it: one slice is no volume. The planning system's figures are those it wrote into its own dose
object, confirmed by two independent calculations (dicompyler-core, and the one below).
"""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from acceptance.volumes import Dose, covered, names, read_dose, region
from bench import held
from conftest import SUCCESS, DicomWeb, Side, data_set, uid_of
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

pytestmark = pytest.mark.risk("what comes back from the archive is not what went in")

FILES = {"ct": "ct.0.dcm", "structures": "rtss.dcm", "plan": "rtplan.dcm", "dose": "rtdose.dcm"}


@dataclass(frozen=True)
class Stated:
    """By the planning system: cm³, and Gy for the rest."""

    volume: float
    mean: float
    maximum: float
    d95: float


STATED = {
    "Tumor Bed Block": Stated(62.9, 14.26, 14.68, 13.83),
    "Tumor Bed": Stated(12.8, 14.29, 14.58, 14.14),
    "Breast": Stated(396.2, 5.61, 14.70, 0.07),
    "Heart": Stated(437.5, 0.64, 3.11, 0.03),
}


@pytest.fixture(scope="module")
def linked(candidate: Side, archive: DicomWeb) -> dict[str, tuple[bytes, bytes]]:
    """Each object as it was sent through the planner, and as the archive gives it back."""
    folder = Path(os.environ.get("LINKED", "/data/linked"))
    files = {name: folder / file for name, file in FILES.items()}
    codes = candidate.scans.store(list(files.values()), syntax=ImplicitVRLittleEndian)
    assert codes == [SUCCESS] * len(files), f"the planner's receiver answered {codes}"
    found = {}
    for name, file in files.items():
        head = pydicom.dcmread(file, stop_before_pixels=True)
        found[name] = file.read_bytes(), archive.fetch(str(head.StudyInstanceUID), uid_of(file.read_bytes()))
    return found


@pytest.fixture(scope="module")
def back(linked: dict[str, tuple[bytes, bytes]]) -> dict[str, Dataset]:
    return {name: pydicom.dcmread(BytesIO(returned)) for name, (_, returned) in linked.items()}


@pytest.fixture(scope="module")
def dose(linked: dict[str, tuple[bytes, bytes]]) -> Dose:
    return read_dose(linked["dose"][1])


@pytest.mark.requirement("archive")
@pytest.mark.parametrize("name", FILES)
def test_an_object_comes_back_with_all_that_it_held(linked: dict[str, tuple[bytes, bytes]], name: str) -> None:
    """Each element in any depth; the encoding may differ, the values may not."""
    sent, returned = linked[name]
    if data_set(sent) != data_set(returned):
        assert pydicom.dcmread(BytesIO(sent)) == pydicom.dcmread(BytesIO(returned))


@pytest.mark.requirement("references")
def test_the_set_still_refers_to_itself(back: dict[str, Dataset]) -> None:
    uids = {name: str(one.SOPInstanceUID) for name, one in back.items()}
    assert str(back["dose"].ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID) == uids["plan"]
    assert str(back["plan"].ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID) == uids["structures"]
    (frame,) = back["structures"].ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    images = {
        str(image.ReferencedSOPInstanceUID)
        for series in study.RTReferencedSeriesSequence
        for image in series.ContourImageSequence
    }
    assert uids["ct"] in images
    assert {str(frame.FrameOfReferenceUID)} == {str(back[name].FrameOfReferenceUID) for name in ("ct", "dose")}
    for keyword in ("PatientID", "StudyInstanceUID"):
        assert len({str(one[keyword].value) for one in back.values()}) == 1


@pytest.mark.requirement("dose-volume")
@pytest.mark.parametrize("name", STATED)
def test_dose_and_contours_give_the_planning_systems_figures(back: dict[str, Dataset], dose: Dose, name: str) -> None:
    """Calculated here from voxels and contours. Voxel centres against the system's finer sampling, so: volume within
    3 % or 0.5 cm³ (a voxel is 0.019 cm³), mean and D95 within 0.05 Gy, maximum within 0.1 Gy. Structures below 1 cm³
    and the body (other voxels were counted there) cannot be compared; a lung's maximum lies on a contour.
    """
    mask, stated = region(back["structures"], name, dose.axes), STATED[name]
    doses = dose.gray[mask]
    held(f"{name}, volume", doses.size * dose.voxel - stated.volume, max(0.03 * stated.volume, 0.5), "cm³")
    held(f"{name}, mean", float(doses.mean()) - stated.mean, 0.05, "Gy")
    held(f"{name}, D95", covered(doses, 95) - stated.d95, 0.05, "Gy")
    held(f"{name}, maximum", float(doses.max()) - stated.maximum, 0.1, "Gy")


@pytest.mark.requirement("dose-volume")
def test_the_curves_that_the_planning_system_wrote_come_back(linked: dict[str, tuple[bytes, bytes]]) -> None:
    sent, returned = (pydicom.dcmread(BytesIO(one), stop_before_pixels=True) for one in linked["dose"])
    assert len(returned.DVHSequence) == 9
    for one, other in zip(sent.DVHSequence, returned.DVHSequence, strict=True):
        assert np.array_equal(np.array(one.DVHData, dtype=float), np.array(other.DVHData, dtype=float))


@pytest.mark.requirement("dose-volume")
def test_the_figures_would_tell_a_mirrored_dose(back: dict[str, Dataset], dose: Dose) -> None:
    """Control of the figures: with left and right exchanged the target is missed."""
    mask = region(back["structures"], "Tumor Bed", dose.axes)
    assert names(back["structures"])["Tumor Bed"] > 0
    assert float(dose.gray[:, :, ::-1][mask].mean()) < STATED["Tumor Bed"].mean / 2
