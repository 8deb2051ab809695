"""Is an object what the standard says it is? dciodvfy for most; it aborts on RT Dose, which has a check of its own."""

import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydicom import Dataset

DCIODVFY = "/usr/bin/dciodvfy"
PATIENCE = 20.0  # seconds
MAY_BE_EMPTY = (  # type 2
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "SeriesNumber", "Manufacturer", "InstanceNumber",
)  # fmt: skip
FILLED = (  # type 1, and type 1C that a dose on a grid cannot do without
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "NumberOfFrames", "FrameIncrementPointer",
    "GridFrameOffsetVector", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "DoseUnits", "DoseType", "DoseSummationType",
    "DoseGridScaling", "ReferencedRTPlanSequence",
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """`broke` says how the tool itself ended if it did not end well: then its silence is no evidence."""

    errors: tuple[str, ...]
    broke: str = ""


def dciodvfy(file: Path) -> Checked:
    """Held against the standard by dicom3tools."""
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program, one file of our own)
            [DCIODVFY, str(file)], capture_output=True, text=True, errors="replace", timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Checked((), type(error).__name__)
    return judged(done.returncode, done.stdout + done.stderr)


def judged(status: int, said: str) -> Checked:
    """0: no error; 1 with errors named: those. Anything else, or silence about what the object is: the tool broke."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = tuple(line for line in lines if line.startswith("Error"))
    if status not in (0, 1):
        return Checked(errors, f"it ended with {status}")
    if status == 1 and not errors:
        return Checked((), "it ended with 1 and named no error")
    if not any(line in ("CTImage", "RTStructureSet", "RTPlan") for line in lines):
        return Checked(errors, "it did not say what the object is")
    return Checked(errors)


def dose_faults(dose: Dataset) -> list[str]:
    """What is wrong with an RT Dose on a grid: PS3.3 A.18.3 and C.8.8.3, as far as a reader's dose depends on it."""
    faults = [f"{name} is missing" for name in (*MAY_BE_EMPTY, *FILLED) if name not in dose]
    faults += [f"{name} is empty" for name in FILLED if name in dose and dose[name].is_empty]
    return faults or [*_fixed_values(dose), *_grid_faults(dose), *_reference_faults(dose)]


def _fixed_values(dose: Dataset) -> list[str]:
    wanted = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2",
        "Modality": "RTDOSE",
        "SamplesPerPixel": "1",
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelRepresentation": "0",
        "DoseUnits": "GY",
        "DoseType": "PHYSICAL",
        "DoseSummationType": "PLAN",
    }
    return [
        f"{name} is {dose[name].value}, not {value}" for name, value in wanted.items() if str(dose[name].value) != value
    ]


def _grid_faults(dose: Dataset) -> list[str]:
    bits, offsets = int(dose.BitsAllocated), [float(value) for value in dose.GridFrameOffsetVector]
    voxels = int(dose.Rows) * int(dose.Columns) * int(dose.NumberOfFrames)
    steps = [later - earlier for earlier, later in pairwise(offsets)]
    checks = {
        "bits are neither 16 nor 32": bits in (16, 32) and dose.BitsStored == bits and dose.HighBit == bits - 1,
        "the pixels are not as many as the grid has": len(dose.PixelData)
        == voxels * bits // 8 + voxels * bits // 8 % 2,
        "there is not one offset for each frame": len(offsets) == int(dose.NumberOfFrames),
        "the offsets do not begin at 0": bool(offsets) and offsets[0] == 0.0,
        "the offsets do not rise evenly": all(step > 0 and abs(step - steps[0]) < 1e-3 for step in steps),
        "frames are not told apart by the offsets": dose.FrameIncrementPointer == 0x3004000C,
        "the scaling is not above 0": float(dose.DoseGridScaling) > 0,
        "the voxels have no size": all(float(value) > 0 for value in dose.PixelSpacing),
        "the grid is not axial": [float(value) for value in dose.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0],
    }
    return [fault for fault, holds in checks.items() if not holds]


def _reference_faults(dose: Dataset) -> list[str]:
    plans = list(dose.ReferencedRTPlanSequence)
    if len(plans) != 1:
        return [f"it refers to {len(plans)} plans, not to one"]
    if str(plans[0].get("ReferencedSOPClassUID")) != "1.2.840.10008.5.1.4.1.1.481.5":
        return ["what it refers to is no RT Plan"]
    return [] if plans[0].get("ReferencedSOPInstanceUID") else ["the plan that it refers to has no UID"]
