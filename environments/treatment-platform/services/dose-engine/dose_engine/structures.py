"""A structure set: what the contours enclose, and on which scan they were drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from dose_engine import reading
from dose_engine.contours import rasterise
from dose_engine.grid import Floats, Grid, Mask
from dose_engine.refusal import Refusal
from dose_engine.scan import Scan

RT_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
BODY = "EXTERNAL"


@dataclass(frozen=True, eq=False)
class Region:
    """One structure: its interpreted type (EXTERNAL, PTV, ORGAN …) and its contours, each (n, 3) in mm."""

    name: str
    kind: str
    contours: tuple[Floats, ...]


@dataclass(frozen=True, eq=False)
class Structures:
    """`series` is the scan it was drawn on, `slices` that scan's instances as it names them."""

    uid: str
    study: str
    series: str
    frame: str
    patient: str
    slices: frozenset[str]
    regions: Mapping[str, Region]

    def mask(self, name: str, grid: Grid) -> Mask:
        """Voxels of a structure on the scan's grid. Raises Refusal `unknown-structure` or `empty-structure`."""
        if name not in self.regions:
            raise Refusal("unknown-structure", f"the structure set has no structure {name!r}")
        mask = rasterise(self.regions[name].contours, grid)
        if not mask.any():
            raise Refusal("empty-structure", f"structure {name!r} encloses no voxel")
        return mask

    @property
    def body(self) -> str:
        """Name of the one structure that is the patient's outline. Raises Refusal."""
        outlines = [name for name, region in self.regions.items() if region.kind == BODY]
        if len(outlines) != 1:
            raise Refusal("unknown-structure", f"the structure set has {len(outlines)} outlines of the body, not one")
        return outlines[0]


def read_structures(data: bytes) -> Structures:
    """Raises Refusal unless every structure has a name of its own, a type, and whole closed planar contours."""
    dataset = reading.parse(data, RT_STRUCTURES)
    frame = reading.items(dataset, "ReferencedFrameOfReferenceSequence")
    if len(frame) != 1:
        raise Refusal("foreign-frame", "the structure set refers to more than one frame of reference")
    study = reading.items(frame[0], "RTReferencedStudySequence")
    series = [one for item in study for one in reading.items(item, "RTReferencedSeriesSequence")]
    if len(series) != 1:
        raise Refusal("mixed-series", "the structure set was drawn on more than one series")
    images = reading.items(series[0], "ContourImageSequence")
    uid = reading.text(frame[0], "FrameOfReferenceUID")
    return Structures(
        uid=reading.text(dataset, "SOPInstanceUID"),
        study=reading.text(dataset, "StudyInstanceUID"),
        series=reading.text(series[0], "SeriesInstanceUID"),
        frame=uid,
        patient=reading.text(dataset, "PatientID"),
        slices=frozenset(reading.text(image, "ReferencedSOPInstanceUID") for image in images),
        regions=_regions(dataset, uid),
    )


def _regions(dataset: Dataset, frame: str) -> dict[str, Region]:
    kinds = {
        reading.whole(one, "ReferencedROINumber", 2**31 - 1): reading.text(one, "RTROIInterpretedType")
        for one in reading.items(dataset, "RTROIObservationsSequence")
    }
    drawn = {
        reading.whole(one, "ReferencedROINumber", 2**31 - 1): one
        for one in reading.items(dataset, "ROIContourSequence")
    }
    found: dict[str, Region] = {}
    for one in reading.items(dataset, "StructureSetROISequence"):
        number, name = reading.whole(one, "ROINumber", 2**31 - 1), reading.text(one, "ROIName")
        if reading.text(one, "ReferencedFrameOfReferenceUID") != frame:
            raise Refusal("foreign-frame", f"structure {name!r} lies in another frame of reference than its set")
        if name in found or number not in kinds or number not in drawn:
            raise Refusal("incomplete-object", f"structure {name!r} is there twice, or lacks its type or its contours")
        found[name] = Region(name, kinds[number], _contours(drawn[number], name))
    return found


def _contours(drawn: Dataset, name: str) -> tuple[Floats, ...]:
    found = []
    for contour in reading.items(drawn, "ContourSequence"):
        if reading.text(contour, "ContourGeometricType") != "CLOSED_PLANAR":
            raise Refusal("unsupported-geometry", f"structure {name!r} is not made of closed planar contours")
        points = reading.whole(contour, "NumberOfContourPoints", 1_000_000)
        found.append(np.array(reading.numbers(contour, "ContourData", 3 * points)).reshape(-1, 3))
    return tuple(found)


def belongs(structures: Structures, scan: Scan) -> None:
    """Raises Refusal unless the structures were drawn on this very scan and all its slices are there."""
    if structures.frame != scan.frame:
        raise Refusal("foreign-frame", "structure set and CT lie in different frames of reference")
    if structures.patient != scan.first.PatientID or structures.study != scan.first.StudyInstanceUID:
        raise Refusal("foreign-patient", "structure set and CT are of different patients or studies")
    missing = structures.slices - scan.slices
    if missing:
        raise Refusal("missing-slice", f"{len(missing)} slices that the structure set refers to are not there")
