"""A plan that never changes: made from a seed, by no engine, so that any engine can be asked for its dose."""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from phantoms.objects import DAY, HOUR, RT_STRUCTURES, identified
from phantoms.study import Study

RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
MACHINE, SAD = "OTA-6MV", 1000.0
FRACTIONS = 25
METERSET = 90.0  # monitor units of each beam
BRASS = 0.04  # attenuation in 1/mm


def frozen_plan(
    study: Study, seed: int, gantry: tuple[float, ...] = (10.0, 95.0, 230.0), pixel: float = 10.0
) -> Dataset:
    """Modulated beams around the PTV, each pixel letting a random 40 to 100 % through; the same seed, the same plan."""
    random = np.random.default_rng(seed)
    target = study.points("PTV")
    isocentre = np.round(target.mean(axis=0), 1)
    made = identified(study, RT_PLAN, "RTPLAN", f"frozen-{seed}", f"rtplan-{seed}")
    made.RTPlanLabel, made.RTPlanDate, made.RTPlanTime = f"FROZEN-{seed}", DAY, HOUR
    made.RTPlanGeometry, made.ApprovalStatus, made.OperatorsName = "PATIENT", "UNAPPROVED", ""
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = study.uid("frame"), ""
    drawn, setup, group = Dataset(), Dataset(), Dataset()
    drawn.ReferencedSOPClassUID, drawn.ReferencedSOPInstanceUID = RT_STRUCTURES, study.uid("structures")
    setup.PatientSetupNumber, setup.PatientPosition = 1, "HFS"
    made.ReferencedStructureSetSequence, made.PatientSetupSequence = [drawn], [setup]
    group.FractionGroupNumber, group.NumberOfFractionsPlanned = 1, FRACTIONS
    group.NumberOfBeams, group.NumberOfBrachyApplicationSetups = len(gantry), 0
    group.ReferencedBeamSequence = []
    made.BeamSequence = []
    for which, angle in enumerate(gantry, start=1):
        delivered = Dataset()
        delivered.ReferencedBeamNumber, delivered.BeamMeterset = which, METERSET
        group.ReferencedBeamSequence.append(delivered)
        made.BeamSequence.append(_beam(which, angle, pixel, isocentre, target, random))
    made.FractionGroupSequence = [group]
    return made


def _beam(
    which: int,
    angle: float,
    pixel: float,
    isocentre: NDArray[np.float64],
    target: NDArray[np.float64],
    random: np.random.Generator,
) -> Dataset:
    columns, rows = _seen(angle, pixel, isocentre, target)
    left, right, low, high = columns.min() - 1, columns.max() + 1, rows.min() - 1, rows.max() + 1
    transmission = random.uniform(0.4, 1.0, (high - low + 1, right - left + 1))
    transmission[0, 0] = 1.0
    made = Dataset()
    made.BeamNumber, made.BeamName, made.BeamType = which, f"G{angle:03.0f}", "STATIC"
    made.RadiationType, made.TreatmentDeliveryType = "PHOTON", "TREATMENT"
    made.TreatmentMachineName, made.PrimaryDosimeterUnit = MACHINE, "MU"
    made.SourceAxisDistance, made.ReferencedPatientSetupNumber = SAD, 1
    made.NumberOfWedges = made.NumberOfBoli = made.NumberOfBlocks = 0
    made.NumberOfCompensators, made.FinalCumulativeMetersetWeight, made.NumberOfControlPoints = 1, 1, 2
    made.CompensatorSequence = [_modulator(transmission, pixel, (left - 0.5) * pixel, (high + 0.5) * pixel)]
    edges = {"ASYMX": (left - 1, right + 1), "ASYMY": (low - 1, high + 1)}
    made.BeamLimitingDeviceSequence, openings = [], []
    for kind, (lower, upper) in edges.items():
        jaws, opening = Dataset(), Dataset()
        jaws.RTBeamLimitingDeviceType = opening.RTBeamLimitingDeviceType = kind
        jaws.NumberOfLeafJawPairs = 1
        opening.LeafJawPositions = [f"{lower * pixel:.10g}", f"{upper * pixel:.10g}"]
        made.BeamLimitingDeviceSequence.append(jaws)
        openings.append(opening)
    made.ControlPointSequence = _control_points(angle, isocentre, openings)
    return made


def _seen(
    angle: float, pixel: float, isocentre: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns and rows of the lattice that the target's voxels project to; y grows with the row here."""
    turn = np.deg2rad(angle)
    off = target - isocentre
    across = off[:, 0] * np.cos(turn) + off[:, 1] * np.sin(turn)
    along = -off[:, 0] * np.sin(turn) + off[:, 1] * np.cos(turn)
    magnified = SAD / (SAD + along) / pixel
    return np.rint(across * magnified).astype(np.int64), np.rint(off[:, 2] * magnified).astype(np.int64)


def _modulator(transmission: NDArray[np.float64], pixel: float, left: float, top: float) -> Dataset:
    made = Dataset()
    made.CompensatorNumber, made.CompensatorID, made.MaterialID = 1, "FROZEN", "BRASS"
    made.SourceToCompensatorTrayDistance = None
    made.CompensatorRows, made.CompensatorColumns = transmission.shape
    made.CompensatorPixelSpacing = [f"{pixel:.10g}", f"{pixel:.10g}"]
    made.CompensatorPosition = [f"{left:.10g}", f"{top:.10g}"]
    made.CompensatorTransmissionData = [f"{value:.8f}" for value in transmission.ravel()]
    made.CompensatorThicknessData = [f"{abs(value):.6g}" for value in -np.log(transmission.ravel()) / BRASS]
    return made


def _control_points(angle: float, isocentre: NDArray[np.float64], openings: list[Dataset]) -> list[Dataset]:
    first, last = Dataset(), Dataset()
    first.ControlPointIndex, first.CumulativeMetersetWeight, first.NominalBeamEnergy = 0, 0, 6
    first.GantryAngle, first.GantryRotationDirection = f"{angle:.10g}", "NONE"
    for device in ("BeamLimitingDevice", "PatientSupport", "TableTopEccentric"):
        setattr(first, f"{device}Angle", 0)
        setattr(first, f"{device}RotationDirection", "NONE")
    for direction in ("Vertical", "Longitudinal", "Lateral"):
        setattr(first, f"TableTop{direction}Position", None)
    first.IsocenterPosition = [f"{value:.10g}" for value in isocentre]
    first.BeamLimitingDevicePositionSequence = openings
    last.ControlPointIndex, last.CumulativeMetersetWeight = 1, 1
    return [first, last]
