"""RT Plans: one field of modulated fluence per beam, as a compensator's transmission (docs/dose-engine.md)."""

import hashlib
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from dose_engine import reading
from dose_engine.beam import DIGITS, SAD, Beam
from dose_engine.grid import Floats
from dose_engine.refusal import Refusal

RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
MACHINE = "OTA-6MV"
ENERGY = 6.0
# Calibration: fluence of one monitor unit, so that 100 of them give 1 Gy on the axis, 100 mm deep in water whose
# surface is 900 mm from the source, in a field of 100 by 100 mm.
FLUENCE_PER_MU = 0.01 / 0.824
MOST_PIXELS = 512


@dataclass(frozen=True, eq=False)
class Plan:
    """`fluence` holds one value for each open pixel, beam by beam and row by row, for one fraction."""

    uid: str
    study: str
    frame: str
    structure_set: str
    patient: str
    fractions: int
    beams: tuple[Beam, ...]
    fluence: Floats

    @property
    def geometry(self) -> str:
        """Digest of everything but the fluence's values: two plans of one geometry share an influence matrix."""
        digest = hashlib.sha256()
        for beam in self.beams:
            digest.update(repr((beam.gantry, beam.isocentre, beam.pixel, beam.corner, beam.open_.shape)).encode())
            digest.update(beam.open_.tobytes())
        return digest.hexdigest()


def read_plan(data: bytes) -> Plan:
    """Raises Refusal unless every part of the plan is something that this engine computes."""
    dataset = reading.parse(data, RT_PLAN)
    groups = reading.items(dataset, "FractionGroupSequence")
    sets = reading.items(dataset, "ReferencedStructureSetSequence")
    if len(groups) != 1 or len(sets) != 1:
        raise Refusal("unsupported-plan", "a plan must have one fraction group and refer to one structure set")
    metersets = {
        reading.whole(one, "ReferencedBeamNumber", 2**31 - 1): reading.number(one, "BeamMeterset")
        for one in reading.items(groups[0], "ReferencedBeamSequence")
    }
    beams, fluence = [], []
    for one in reading.items(dataset, "BeamSequence"):
        which = reading.whole(one, "BeamNumber", 2**31 - 1)
        if which not in metersets:
            raise Refusal("unsupported-plan", f"beam {which} is not in the fraction group")
        beam, transmission = _beam(one)
        beams.append(beam)
        fluence.append(transmission * metersets.pop(which) * FLUENCE_PER_MU)
    if metersets:
        raise Refusal("unsupported-plan", "the fraction group refers to beams that are not there")
    return Plan(
        uid=reading.text(dataset, "SOPInstanceUID"),
        study=reading.text(dataset, "StudyInstanceUID"),
        frame=reading.text(dataset, "FrameOfReferenceUID"),
        structure_set=reading.text(sets[0], "ReferencedSOPInstanceUID"),
        patient=reading.text(dataset, "PatientID"),
        fractions=reading.whole(groups[0], "NumberOfFractionsPlanned", 1000),
        beams=tuple(beams),
        fluence=np.concatenate(fluence),
    )


def _beam(one: Dataset) -> tuple[Beam, Floats]:
    """Raises Refusal for anything in the beam's way that the engine would have to leave out."""
    points = reading.items(one, "ControlPointSequence")
    modulators = reading.items(one, "CompensatorSequence")
    if (one.get("RadiationType"), one.get("BeamType"), one.get("TreatmentMachineName")) != (
        "PHOTON",
        "STATIC",
        MACHINE,
    ):
        raise Refusal("unsupported-plan", f"only static photon beams of machine {MACHINE} are computed")
    extras = [one.get(name) or 0 for name in ("NumberOfWedges", "NumberOfBoli", "NumberOfBlocks")]
    if len(modulators) != 1 or any(extras) or len(points) != 2 or one.get("PrimaryDosimeterUnit") != "MU":
        raise Refusal("unsupported-plan", "a beam must have one modulator, two control points and nothing else in it")
    first, modulator = points[0], modulators[0]
    angles = ("BeamLimitingDeviceAngle", "PatientSupportAngle", "TableTopEccentricAngle")
    if any(reading.number(first, angle) for angle in angles) or reading.number(first, "NominalBeamEnergy") != ENERGY:
        raise Refusal("unsupported-plan", f"only {ENERGY:g} MV with collimator and table at 0 degrees is computed")
    if reading.number(one, "SourceAxisDistance") != SAD:
        raise Refusal("unsupported-plan", f"only a source {SAD:g} mm from the axis is computed")
    x, y, z = reading.numbers(first, "IsocenterPosition", 3)
    return _modulated(modulator, reading.number(first, "GantryAngle"), (x, y, z))


def _modulated(modulator: Dataset, gantry: float, isocentre: tuple[float, float, float]) -> tuple[Beam, Floats]:
    rows = reading.whole(modulator, "CompensatorRows", MOST_PIXELS)
    columns = reading.whole(modulator, "CompensatorColumns", MOST_PIXELS)
    down, pixel = reading.numbers(modulator, "CompensatorPixelSpacing", 2)
    left, top = reading.numbers(modulator, "CompensatorPosition", 2)
    values = reading.numbers(modulator, "CompensatorTransmissionData", rows * columns)
    transmission = np.array(values).reshape(rows, columns)
    if down != pixel or pixel <= 0 or transmission.min() < 0 or transmission.max() > 1 or not transmission.any():
        raise Refusal("unsupported-plan", "a modulator must have square pixels that let between none and all through")
    open_ = transmission > 0
    corner = (round(left + pixel / 2, DIGITS), round(top - pixel / 2, DIGITS))
    return Beam(gantry, isocentre, pixel, corner, open_), transmission[open_]
