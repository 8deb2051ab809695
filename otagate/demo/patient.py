"""A patient who comes to the clinic: a small scan with structures, under a patient's ID and UIDs of its own.

Small, so that a plan for it costs the engine a fraction of a second: twelve centimetres of water with a target in it.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
RT_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"

SPACING = 5.0  # mm, in all directions
ROWS, COLUMNS, SLICES = 24, 28, 10
ORIGIN = (-67.5, -57.5, -22.5)  # mm: the middle of the first voxel
BODY_AXES, TARGET_RADIUS, TARGET_SLICES = (58.0, 48.0), 16.0, range(3, 7)
CORNERS = 24
AIR, WATER = 0, 1000  # as stored; CT number = stored - 1000


@dataclass(frozen=True)
class Patient:
    """Who came, and the objects of the scan: slices first, then the structure set drawn on them."""

    identity: str
    study: str
    structure_set: str
    objects: tuple[Dataset, ...]


def arrive(number: int) -> Patient:
    """Patient OTA-DEMO-`number`; the target lies elsewhere from patient to patient."""
    identity = f"OTA-DEMO-{number:05d}"
    study, series, frame = (str(generate_uid()) for _ in range(3))
    slices = [_slice(_identified(identity, study, series, CT_IMAGE, "CT"), frame, plane) for plane in range(SLICES)]
    drawn = _identified(identity, study, str(generate_uid()), RT_STRUCTURES, "RTSTRUCT")
    centre = (float(number * 7 % 11 - 5), float(number * 5 % 9 - 4))
    _structures(drawn, frame, series, [str(one.SOPInstanceUID) for one in slices], centre)
    return Patient(identity, study, str(drawn.SOPInstanceUID), (*slices, drawn))


def _identified(identity: str, study: str, series: str, sop_class: str, modality: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SpecificCharacterSet = "ISO_IR 192"
    uid = generate_uid()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = UID(sop_class), uid
    made.SOPClassUID, made.SOPInstanceUID = UID(sop_class), uid
    made.StudyDate, made.StudyTime, made.AccessionNumber, made.Modality = "20260105", "080000", "", modality
    made.Manufacturer, made.ReferringPhysicianName = "otagate demo", ""
    made.PatientName, made.PatientID = f"Demo^{identity}", identity
    made.PatientBirthDate, made.PatientSex = "", "O"
    made.StudyInstanceUID, made.SeriesInstanceUID = study, series
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "1", 1, 1
    return made


def _slice(made: Dataset, frame: str, plane: int) -> Dataset:
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.AcquisitionNumber, made.InstanceNumber, made.KVP = 1, plane + 1, "120"
    made.PatientPosition, made.FrameOfReferenceUID, made.PositionReferenceIndicator = "HFS", frame, ""
    made.ImagePositionPatient = [*ORIGIN[:2], _height(plane)]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [SPACING, SPACING], SPACING
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = ROWS, COLUMNS
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.RescaleIntercept, made.RescaleSlope, made.RescaleType = -1000, 1, "HU"
    made.PixelData = PIXELS
    made["PixelData"].VR = "OW"
    return made


def _pixels() -> bytes:
    a, b = BODY_AXES
    x, y = ([ORIGIN[axis] + SPACING * i for i in range((COLUMNS, ROWS)[axis])] for axis in (0, 1))
    inside = [WATER if (along / a) ** 2 + (down / b) ** 2 < 1 else AIR for down in y for along in x]
    return struct.pack(f"<{len(inside)}H", *inside)


PIXELS = _pixels()  # of every slice of every patient


def _structures(made: Dataset, frame: str, series: str, slices: Sequence[str], centre: tuple[float, float]) -> None:
    """BODY and PTV, drawn on the slices; `centre` is the target's, in mm."""
    made.StructureSetLabel, made.StructureSetDate, made.StructureSetTime = "DEMO", "20260105", "080000"
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = frame, ""
    referred, study, scan = Dataset(), Dataset(), Dataset()
    scan.SeriesInstanceUID, scan.ContourImageSequence = series, [_image(uid) for uid in slices]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = DETACHED_STUDY, made.StudyInstanceUID
    study.RTReferencedSeriesSequence = [scan]
    referred.FrameOfReferenceUID, referred.RTReferencedStudySequence = frame, [study]
    made.ReferencedFrameOfReferenceSequence = [referred]
    regions = [
        ("BODY", "EXTERNAL", (0.0, 0.0), BODY_AXES, range(SLICES)),
        ("PTV", "PTV", centre, (TARGET_RADIUS, TARGET_RADIUS), TARGET_SLICES),
    ]
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, (name, kind, middle, axes, planes) in enumerate(regions, start=1):
        named, contours, seen = Dataset(), Dataset(), Dataset()
        named.ROINumber, named.ROIName, named.ROIGenerationAlgorithm = number, name, "AUTOMATIC"
        named.ReferencedFrameOfReferenceUID = frame
        contours.ReferencedROINumber = number
        contours.ContourSequence = [_contour(slices[plane], middle, axes, _height(plane)) for plane in planes]
        seen.ObservationNumber = seen.ReferencedROINumber = number
        seen.RTROIInterpretedType, seen.ROIInterpreter = kind, ""
        made.StructureSetROISequence.append(named)
        made.ROIContourSequence.append(contours)
        made.RTROIObservationsSequence.append(seen)


def _contour(image: str, middle: tuple[float, float], axes: tuple[float, float], height: float) -> Dataset:
    made = Dataset()
    made.ContourImageSequence = [_image(image)]
    made.ContourGeometricType, made.NumberOfContourPoints = "CLOSED_PLANAR", CORNERS
    made.ContourData = [
        f"{value:.10g}"
        for corner in range(CORNERS)
        for value in (
            middle[0] + axes[0] * math.cos(2 * math.pi * corner / CORNERS),
            middle[1] + axes[1] * math.sin(2 * math.pi * corner / CORNERS),
            height,
        )
    ]
    return made


def _image(uid: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = CT_IMAGE, uid
    return made


def _height(plane: int) -> float:
    return ORIGIN[2] + SPACING * plane
