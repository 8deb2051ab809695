"""What a plan must be to be taken. Pure; every refusal has a reason."""

import fnmatch
import hashlib
import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.filereader import read_dataset

RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
MOST_FRACTIONS, MOST_MU = 60, 2000.0


class Refused(Exception):
    """The machine does not take the plan; `code` says why in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Machine:
    """The machine's name and whose plans it takes: patient IDs, with * and ? as wildcards."""

    name: str
    patients: tuple[str, ...]


@dataclass(frozen=True)
class Received:
    """A plan as it came; `sha256` is that of its encoded data set (explicit little endian, without file meta)."""

    uid: str
    patient: str
    study: str
    structure_set: str
    frame: str
    sha256: str
    fractions: int
    metersets: tuple[float, ...]
    software: tuple[str, ...]
    caller: str
    implementation: str

    @property
    def answer(self) -> dict[str, Any]:
        """For the HTTP side; the patient's ID is the stand-in's to tell: it is no real machine."""
        return {
            "uid": self.uid,
            "patient": self.patient,
            "study": self.study,
            "structure_set": self.structure_set,
            "frame": self.frame,
            "sha256": self.sha256,
            "fractions": self.fractions,
            "metersets": list(self.metersets),
            "software": list(self.software),
            "caller": self.caller,
            "implementation": self.implementation,
        }


def check(encoded: bytes, machine: Machine, caller: str, implementation: str) -> Received:
    """Raises Refused unless the encoded data set is a plan for this machine and one of its patients."""
    try:
        dataset = _parse(encoded)
        received = _read(dataset, encoded, caller, implementation)
    except Refused:
        raise
    except Exception as error:  # damaged bytes make the library raise anything at all
        raise Refused("unreadable", f"the plan cannot be read ({type(error).__name__})") from None
    if not any(fnmatch.fnmatchcase(received.patient, pattern) for pattern in machine.patients):
        raise Refused("patient", "the plan is for a patient who is not treated here")
    _deliverable(dataset, machine, received)
    return received


def _parse(encoded: bytes) -> Dataset:
    dataset = read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True)
    if str(dataset.SOPClassUID) != RT_PLAN:
        raise Refused("unreadable", "what came is no whole plan")
    return dataset


def _read(dataset: Dataset, encoded: bytes, caller: str, implementation: str) -> Received:
    (group,) = dataset.FractionGroupSequence
    (structures,) = dataset.ReferencedStructureSetSequence
    software = dataset.get("SoftwareVersions", "")
    return Received(
        uid=str(dataset.SOPInstanceUID),
        patient=str(dataset.PatientID),
        study=str(dataset.StudyInstanceUID),
        structure_set=str(structures.ReferencedSOPInstanceUID),
        frame=str(dataset.FrameOfReferenceUID),
        sha256=hashlib.sha256(encoded).hexdigest(),
        fractions=int(group.NumberOfFractionsPlanned),
        metersets=tuple(float(one.BeamMeterset) for one in group.ReferencedBeamSequence),
        software=(software,) if isinstance(software, str) else tuple(software),
        caller=caller,
        implementation=implementation,
    )


def _deliverable(dataset: Dataset, machine: Machine, received: Received) -> None:
    beams = {int(beam.BeamNumber): beam for beam in dataset.BeamSequence}
    (group,) = dataset.FractionGroupSequence
    referred = [int(one.ReferencedBeamNumber) for one in group.ReferencedBeamSequence]
    if sorted(referred) != sorted(beams) or not beams:
        raise Refused("inconsistent", "fraction group and beams do not belong together")
    if {str(beam.TreatmentMachineName) for beam in beams.values()} != {machine.name}:
        raise Refused("machine", "the plan is for another machine")
    if not 1 <= received.fractions <= MOST_FRACTIONS:
        raise Refused("inconsistent", f"{received.fractions} fractions, not 1 to {MOST_FRACTIONS}")
    for mu in received.metersets:
        if not (math.isfinite(mu) and 0 < mu <= MOST_MU):
            raise Refused("meterset", f"a beam of {mu:g} MU, not above 0 and up to {MOST_MU:g}")
