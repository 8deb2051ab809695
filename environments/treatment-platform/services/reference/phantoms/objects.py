"""CT images and a structure set of a study, as DICOM files."""

from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from phantoms.outline import outlines
from phantoms.study import Structure, Study

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
RT_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
INTERCEPT = -1024
DAY, HOUR = "20260105", "080000"  # a study from a seed has no other time
COLOURS = ((0, 160, 0), (220, 0, 0), (230, 180, 0), (0, 90, 220), (160, 0, 160))


def encode(dataset: Dataset) -> bytes:
    """As a Part-10 file; the same data set gives the same bytes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    out = BytesIO()
    dcmwrite(out, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def identified(study: Study, sop_class: str, modality: str, part: str, series: str) -> Dataset:
    """What every object of a study says of patient, study, series and maker."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID = sop_class, study.uid(part)
    made.StudyDate, made.StudyTime, made.AccessionNumber, made.Modality = DAY, HOUR, "", modality
    made.Manufacturer, made.ManufacturerModelName, made.SoftwareVersions = "Phantoms", "phantoms", "1"
    made.ReferringPhysicianName, made.StudyDescription = "", study.name
    made.PatientName, made.PatientID = f"Phantom^{study.patient}", study.patient
    made.PatientBirthDate, made.PatientSex = "", "O"
    made.StudyInstanceUID, made.SeriesInstanceUID = study.uid("study"), study.uid(series)
    made.StudyID, made.SeriesNumber, made.InstanceNumber = "1", 1, 1
    return made


def ct_slices(study: Study) -> list[Dataset]:
    """One image for each plane, from foot to head."""
    stored = (np.rint(study.hounsfield) - INTERCEPT).astype("<u2")
    found = []
    for plane in range(study.hounsfield.shape[0]):
        made = identified(study, CT_IMAGE, "CT", f"ct-{plane}", "ct")
        made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        made.AcquisitionNumber, made.InstanceNumber, made.KVP = 1, plane + 1, "120"
        made.PatientPosition, made.FrameOfReferenceUID = "HFS", study.uid("frame")
        made.PositionReferenceIndicator, made.Laterality = "", ""
        x, y, z = study.origin
        made.ImagePositionPatient = [f"{x:.10g}", f"{y:.10g}", f"{z + plane * study.spacing[2]:.10g}"]
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.PixelSpacing = [f"{study.spacing[1]:.10g}", f"{study.spacing[0]:.10g}"]
        made.SliceThickness = f"{study.spacing[2]:.10g}"
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.Rows, made.Columns = stored.shape[1:]
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
        made.RescaleIntercept, made.RescaleSlope, made.RescaleType = INTERCEPT, 1, "HU"
        made.PixelData = stored[plane].tobytes()
        made["PixelData"].VR = "OW"
        found.append(made)
    return found


def structure_set(study: Study) -> Dataset:
    """Contours along the voxels' edges, one item per structure, drawn on the study's CT series."""
    made = identified(study, RT_STRUCTURES, "RTSTRUCT", "structures", "rtstruct")
    made.StructureSetLabel, made.StructureSetDate, made.StructureSetTime = "STRUCTURES", DAY, HOUR
    made.OperatorsName, made.ApprovalStatus = "", "UNAPPROVED"
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = study.uid("frame"), ""
    made.ReferencedFrameOfReferenceSequence = [_frame(study)]
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    for number, structure in enumerate(study.structures, start=1):
        named, contours, seen = Dataset(), Dataset(), Dataset()
        named.ROINumber, named.ROIName, named.ROIGenerationAlgorithm = number, structure.name, "AUTOMATIC"
        named.ReferencedFrameOfReferenceUID = study.uid("frame")
        contours.ReferencedROINumber, contours.ROIDisplayColor = number, list(COLOURS[(number - 1) % len(COLOURS)])
        contours.ContourSequence = _contours(study, structure)
        seen.ObservationNumber = seen.ReferencedROINumber = number
        seen.RTROIInterpretedType, seen.ROIInterpreter = structure.kind, ""
        made.StructureSetROISequence.append(named)
        made.ROIContourSequence.append(contours)
        made.RTROIObservationsSequence.append(seen)
    return made


def _image(study: Study, plane: int) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = CT_IMAGE, study.uid(f"ct-{plane}")
    return made


def _frame(study: Study) -> Dataset:
    frame, drawn_on, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = study.uid("ct")
    series.ContourImageSequence = [_image(study, plane) for plane in range(study.hounsfield.shape[0])]
    drawn_on.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    drawn_on.ReferencedSOPInstanceUID = study.uid("study")
    drawn_on.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = study.uid("frame"), [drawn_on]
    return frame


def _contours(study: Study, structure: Structure) -> list[Dataset]:
    _, _, heights = study.axes()
    found = []
    for plane, mask in enumerate(structure.mask):
        for polygon in outlines(mask):
            made = Dataset()
            made.ContourImageSequence = [_image(study, plane)]
            made.ContourGeometricType, made.NumberOfContourPoints = "CLOSED_PLANAR", len(polygon)
            corners = polygon * study.spacing[:2] + study.origin[:2]
            made.ContourData = [
                f"{value:.10g}" for x, y in corners for value in (float(x), float(y), float(heights[plane]))
            ]
            found.append(made)
    return found


def write(study: Study, folder: Path) -> None:
    """The study as files: ct/0000.dcm … and structures.dcm."""
    (folder / "ct").mkdir(parents=True, exist_ok=True)
    for plane, one in enumerate(ct_slices(study)):
        (folder / "ct" / f"{plane:04d}.dcm").write_bytes(encode(one))
    (folder / "structures.dcm").write_bytes(encode(structure_set(study)))
