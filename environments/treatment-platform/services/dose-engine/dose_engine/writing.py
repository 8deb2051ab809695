"""RT Plan and RT Dose objects, each bearing the build that wrote it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, generate_uid

from dose_engine.beam import SAD, Beam
from dose_engine.grid import Floats, Grid
from dose_engine.identity import MAKER, MODEL, Identity
from dose_engine.plan import ENERGY, FLUENCE_PER_MU, MACHINE, RT_PLAN
from dose_engine.reading import EXPLICIT
from dose_engine.structures import RT_STRUCTURES

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
DIGITS = ".10g"  # a decimal string holds 16 characters
JAW_ROOM = 5.0  # mm between the modulator's edge and the jaws
LARGEST_STORED = 2**32 - 1
# What the modulator would be milled from: for the standard's sake, the transmission is what is computed with.
MATERIAL, MATERIAL_PER_MM, THICKEST = "BRASS", 0.04, 250.0
COPIED = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Prescription:
    """What a plan is for: the structure set it was made on, Gy in so many fractions, and a label."""

    structure_set: str
    dose: float
    fractions: int
    label: str


def encode(dataset: Dataset) -> bytes:
    """As a Part-10 file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(EXPLICIT)
    dataset.file_meta = meta
    out = BytesIO()
    dcmwrite(out, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def rt_plan(
    origin: Dataset, identity: Identity, wanted: Prescription, beams: Iterable[Beam], fluence: Floats, now: datetime
) -> Dataset:
    """A plan that delivers `fluence` (one value per open pixel, over all fractions) in the study of `origin`."""
    made = _object(origin, identity, RT_PLAN, "RTPLAN", now)
    made.RTPlanLabel, made.RTPlanGeometry, made.ApprovalStatus = wanted.label, "PATIENT", "UNAPPROVED"
    made.RTPlanDate, made.RTPlanTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.PrescriptionDescription = f"{wanted.dose:g} Gy in {wanted.fractions} fractions"
    made.ReferencedStructureSetSequence = [_reference(RT_STRUCTURES, wanted.structure_set)]
    made.PatientSetupSequence = [Dataset()]
    made.PatientSetupSequence[0].PatientSetupNumber = 1
    made.PatientSetupSequence[0].PatientPosition = "HFS"
    made.BeamSequence, group = [], Dataset()
    group.FractionGroupNumber, group.NumberOfFractionsPlanned = 1, wanted.fractions
    group.ReferencedBeamSequence, group.NumberOfBrachyApplicationSetups = [], 0
    at = 0
    for which, beam in enumerate(beams, start=1):
        count = int(beam.open_.sum())
        part = fluence[at : at + count]
        at += count
        made.BeamSequence.append(_beam(which, beam, part / max(part.max(), 1e-12)))
        delivered = Dataset()
        delivered.ReferencedBeamNumber = which
        delivered.BeamMeterset = format(max(part.max(), 1e-12) / (FLUENCE_PER_MU * wanted.fractions), DIGITS)
        group.ReferencedBeamSequence.append(delivered)
    group.NumberOfBeams = len(made.BeamSequence)
    made.FractionGroupSequence = [group]
    return made


def rt_dose(origin: Dataset, identity: Identity, plan: str, dose: Floats, grid: Grid, now: datetime) -> Dataset:
    """The dose [z, y, x] in Gy of the whole plan, in the study of `origin`."""
    made = _object(origin, identity, RT_DOSE, "RTDOSE", now)
    scaling = format(max(float(dose.max()), 1e-9) / LARGEST_STORED, DIGITS)
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 32, 32, 31, 0
    made.NumberOfFrames, made.Rows, made.Columns = grid.shape
    made.FrameIncrementPointer = 0x3004000C
    made.GridFrameOffsetVector = [format(grid.spacing[2] * plane, DIGITS) for plane in range(grid.shape[0])]
    made.ImagePositionPatient = [format(value, DIGITS) for value in grid.origin]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing = [format(grid.spacing[1], DIGITS), format(grid.spacing[0], DIGITS)]
    made.SliceThickness = format(grid.spacing[2], DIGITS)
    made.DoseUnits, made.DoseType, made.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    made.TissueHeterogeneityCorrection = "IMAGE"
    made.DoseGridScaling = scaling
    made.PixelData = np.minimum(np.rint(dose / float(scaling)), LARGEST_STORED).astype("<u4").tobytes()
    made["PixelData"].VR = "OW"
    made.ReferencedRTPlanSequence = [_reference(RT_PLAN, plan)]
    return made


def _object(origin: Dataset, identity: Identity, sop_class: str, modality: str, now: datetime) -> Dataset:
    made = Dataset()
    for keyword in COPIED:
        setattr(made, keyword, origin.get(keyword, ""))
    made.SpecificCharacterSet = origin.get("SpecificCharacterSet", "ISO_IR 192")
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = sop_class, generate_uid(prefix=None), modality
    made.SeriesInstanceUID, made.SeriesNumber, made.InstanceNumber = generate_uid(prefix=None), 1, 1
    made.InstanceCreationDate, made.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = origin.FrameOfReferenceUID, ""
    made.Manufacturer, made.ManufacturerModelName = MAKER, MODEL
    made.SoftwareVersions = identity.software_versions
    made.OperatorsName = ""
    return made


def _reference(sop_class: str, uid: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = sop_class, uid
    return made


def _beam(which: int, beam: Beam, transmission: Floats) -> Dataset:
    made = Dataset()
    made.BeamNumber, made.BeamName = which, f"G{beam.gantry:03.0f}"
    made.BeamType, made.RadiationType, made.TreatmentDeliveryType = "STATIC", "PHOTON", "TREATMENT"
    made.TreatmentMachineName, made.PrimaryDosimeterUnit = MACHINE, "MU"
    made.SourceAxisDistance, made.ReferencedPatientSetupNumber = SAD, 1
    made.NumberOfWedges = made.NumberOfBoli = made.NumberOfBlocks = 0
    made.NumberOfCompensators, made.CompensatorSequence = 1, [_modulator(beam, transmission)]
    made.BeamLimitingDeviceSequence = [_jaws(kind) for kind in ("ASYMX", "ASYMY")]
    made.FinalCumulativeMetersetWeight, made.NumberOfControlPoints = 1, 2
    last = Dataset()
    last.ControlPointIndex, last.CumulativeMetersetWeight = 1, 1
    made.ControlPointSequence = [_start(beam), last]
    return made


def _modulator(beam: Beam, transmission: Floats) -> Dataset:
    made = Dataset()
    made.CompensatorNumber, made.CompensatorID, made.MaterialID = 1, f"MOD{beam.gantry:03.0f}", MATERIAL
    made.SourceToCompensatorTrayDistance = None
    made.CompensatorRows, made.CompensatorColumns = beam.open_.shape
    made.CompensatorPixelSpacing = [format(beam.pixel, DIGITS)] * 2
    left, top = beam.corner[0] - beam.pixel / 2, beam.corner[1] + beam.pixel / 2
    made.CompensatorPosition = [format(left, DIGITS), format(top, DIGITS)]
    full = np.zeros(beam.open_.shape)
    full[beam.open_] = transmission
    made.CompensatorTransmissionData = [format(value, DIGITS) for value in full.ravel()]
    thickness = -np.log(np.maximum(full, np.exp(-MATERIAL_PER_MM * THICKEST))) / MATERIAL_PER_MM
    made.CompensatorThicknessData = [format(abs(value), ".6g") for value in thickness.ravel()]
    return made


def _jaws(kind: str) -> Dataset:
    made = Dataset()
    made.RTBeamLimitingDeviceType, made.NumberOfLeafJawPairs = kind, 1
    return made


def _start(beam: Beam) -> Dataset:
    made = Dataset()
    made.ControlPointIndex, made.CumulativeMetersetWeight, made.NominalBeamEnergy = 0, 0, ENERGY
    made.GantryAngle, made.GantryRotationDirection = format(beam.gantry, DIGITS), "NONE"
    made.BeamLimitingDeviceAngle, made.BeamLimitingDeviceRotationDirection = 0, "NONE"
    made.PatientSupportAngle, made.PatientSupportRotationDirection = 0, "NONE"
    made.TableTopEccentricAngle, made.TableTopEccentricRotationDirection = 0, "NONE"
    made.TableTopVerticalPosition = made.TableTopLongitudinalPosition = made.TableTopLateralPosition = None
    made.IsocenterPosition = [format(value, DIGITS) for value in beam.isocentre]
    made.BeamLimitingDevicePositionSequence = []
    for kind, centres in (("ASYMX", beam.columns), ("ASYMY", beam.rows)):
        opening = Dataset()
        opening.RTBeamLimitingDeviceType = kind
        room = beam.pixel / 2 + JAW_ROOM
        opening.LeafJawPositions = [format(centres.min() - room, DIGITS), format(centres.max() + room, DIGITS)]
        made.BeamLimitingDevicePositionSequence.append(opening)
    return made
