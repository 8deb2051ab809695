"""The figures of a summary, read from a data set: geometry, dose, dose-volume curves, plan, structures. Pure."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from hello_web.limits import Unreadable
from hello_web.traits import Traits

Figures = dict[str, Any]  # JSON-like

LONGEST_DECIMAL = 18  # the standard's 16 and padding; an array of texts is as wide as its longest
MOST_VOXELS = 64 * 1024 * 1024
_DVH_DATA = Tag(0x3004, 0x0058)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def number(item: Dataset, keyword: str) -> float:
    """A finite decimal. Raises Unreadable when it is missing or not one."""
    return _finite(item.get(keyword), keyword)


def numbers(item: Dataset, keyword: str, count: int | None = None) -> list[float]:
    """Finite decimals, `count` of them when given. Raises Unreadable otherwise."""
    raw = item.get(keyword)
    values = [raw] if isinstance(raw, str | int | float) else list(raw or ())
    if not values or (count is not None and len(values) != count):
        raise Unreadable(f"{keyword} is missing or has the wrong number of values")
    return [_finite(value, keyword) for value in values]


def whole(item: Dataset, keyword: str, default: int | None = None) -> int:
    """A count from 0 to 2^31. Raises Unreadable when it is missing (and there is no default) or not one."""
    raw = item.get(keyword)
    if raw in (None, "") and default is not None:
        return default
    value = _finite(raw, keyword)
    if value != int(value) or not 0 <= value < 2**31:
        raise Unreadable(f"{keyword} is not a count")
    return int(value)


def words(item: Dataset, keyword: str) -> str:
    """A short text fit for JSON and for the store; "" when missing."""
    return _CONTROL.sub("", str(item.get(keyword) or ""))[:64]


def _finite(raw: object, keyword: str) -> float:
    try:
        value = float(raw)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise Unreadable(f"{keyword} is missing or not a number") from None
    if not math.isfinite(value):
        raise Unreadable(f"{keyword} is not finite")
    return value


def frames(dataset: Dataset) -> NDArray[np.unsignedinteger[Any]]:
    """Stored values as (frames, rows, columns), not scaled. Raises Unreadable unless pixel data and geometry agree."""
    shape = whole(dataset, "NumberOfFrames", 1), whole(dataset, "Rows"), whole(dataset, "Columns")
    bits = whole(dataset, "BitsAllocated")
    if bits not in (8, 16, 32) or whole(dataset, "SamplesPerPixel", 1) != 1:
        raise Unreadable("pixels must have one sample of 8, 16 or 32 bits")
    voxels = shape[0] * shape[1] * shape[2]
    if not 0 < voxels <= MOST_VOXELS:
        raise Unreadable("the geometry claims no pixels or too many")
    pixels = dataset.get("PixelData")
    if not isinstance(pixels, bytes) or not 0 <= len(pixels) - voxels * bits // 8 <= 1:
        raise Unreadable("the pixel data does not fit the geometry")
    kind = f"<{'i' if whole(dataset, 'PixelRepresentation', 0) else 'u'}{bits // 8}"
    return np.frombuffer(pixels, kind, voxels).reshape(shape)


def planes(dataset: Dataset) -> list[float]:
    """Offset of each frame from the first along the slice direction, in mm. Raises Unreadable."""
    count = whole(dataset, "NumberOfFrames", 1)
    return numbers(dataset, "GridFrameOffsetVector", count) if count > 1 else [0.0]


def geometry(dataset: Dataset, offsets: list[float]) -> Figures:
    """Of an image or dose grid whose planes lie at `offsets`. Lengths in mm, extents from centre to centre."""
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    between_rows, between_columns = numbers(dataset, "PixelSpacing", 2)
    return {
        "rows": rows,
        "columns": columns,
        "frames": len(offsets),
        "spacing_mm": [between_columns, between_rows],
        "origin_mm": numbers(dataset, "ImagePositionPatient", 3),
        "orientation": numbers(dataset, "ImageOrientationPatient", 6),
        "extent_mm": [(columns - 1) * between_columns, (rows - 1) * between_rows, offsets[-1] - offsets[0]],
        "frame_of_reference_uid": words(dataset, "FrameOfReferenceUID"),
    }


def dose(dataset: Dataset, grid: NDArray[np.unsignedinteger[Any]], traits: Traits) -> Figures:
    """Of a dose grid (frames, rows, columns): its maximum in `units`, and the dose-volume curves it carries."""
    at = np.unravel_index(int(grid.argmax()), grid.shape)
    found: Figures = {
        "units": words(dataset, "DoseUnits"),
        "summation": words(dataset, "DoseSummationType"),
        "maximum": float(grid[at]) * number(dataset, "DoseGridScaling") * traits.dose_factor,
        "dvhs": [curve(item) for item in dataset.get("DVHSequence") or ()],
    }
    if traits.locate_maximum:
        found["maximum_voxel"] = {"frame": int(at[0]), "row": int(at[1]), "column": int(at[2])}
    return found


def curve(item: Dataset) -> Figures:
    """Figures of one dose-volume curve, from the curve itself: what a planning system states beside it may be relative.

    Doses in `units`, volume in `volume_units`. Raises Unreadable for a curve that is none.
    """
    pairs = _pairs(item)
    scaled, volumes = pairs[:, 0] * number(item, "DVHDoseScaling"), pairs[:, 1]
    kind = words(item, "DVHType")
    if kind == "DIFFERENTIAL":
        volumes = volumes[::-1].cumsum()[::-1]
    elif kind != "CUMULATIVE":
        raise Unreadable("DVHType is neither CUMULATIVE nor DIFFERENTIAL")
    if volumes[0] <= 0 or (scaled < 0).any():
        raise Unreadable("a dose-volume curve has no volume or falls back in dose")
    upper = scaled.cumsum()
    parts = volumes - np.append(volumes[1:], 0.0)
    referenced = item.get("DVHReferencedROISequence") or [Dataset()]
    return {
        "roi": whole(referenced[0], "ReferencedROINumber"),
        "units": words(item, "DoseUnits"),
        "volume_units": words(item, "DVHVolumeUnits"),
        "volume": float(volumes[0]),
        "maximum": float(upper[-1]),
        "mean": float((parts * (upper - scaled / 2)).sum() / volumes[0]),
        "d95": float(np.interp(-0.95 * volumes[0], -volumes, upper - scaled)),
    }


def _decimals(item: Dataset) -> list[Any]:
    """As encoded where the library has not read them yet: it takes its time over thousands of decimals."""
    raw: Any = item.get_item(_DVH_DATA)
    if not isinstance(raw, RawDataElement) or not raw.value:
        return list(item.DVHData)
    decimals: list[Any] = raw.value.split(b"\\")
    if max(map(len, decimals)) > LONGEST_DECIMAL:
        raise Unreadable("a dose-volume curve holds a decimal that is too long")
    return decimals


def _pairs(item: Dataset) -> NDArray[np.float64]:
    try:
        flat = np.array(_decimals(item)).astype(np.float64)
    except (AttributeError, TypeError, ValueError):
        raise Unreadable("a dose-volume curve is not made of numbers") from None
    if flat.ndim != 1 or flat.size < 2 or flat.size % 2 or not np.isfinite(flat).all():
        raise Unreadable("a dose-volume curve is not made of pairs of finite numbers")
    return flat.reshape(-1, 2)


def plan(dataset: Dataset) -> Figures:
    """Fractions and beams of a treatment plan; meterset in monitor units per fraction, angles in degrees."""
    groups = dataset.get("FractionGroupSequence") or ()
    metersets = {
        whole(beam, "ReferencedBeamNumber"): number(beam, "BeamMeterset")
        for group in groups
        for beam in group.get("ReferencedBeamSequence") or ()
        if beam.get("BeamMeterset") is not None
    }
    return {
        "fractions": [whole(group, "NumberOfFractionsPlanned") for group in groups],
        "beams": [_beam(beam, metersets) for beam in dataset.get("BeamSequence") or ()],
    }


def _beam(beam: Dataset, metersets: dict[int, float]) -> Figures:
    points = beam.get("ControlPointSequence") or ()
    if not points:
        raise Unreadable("a beam has no control points")
    which = whole(beam, "BeamNumber")
    return {
        "number": which,
        "name": words(beam, "BeamName"),
        "radiation": words(beam, "RadiationType"),
        "energy": number(points[0], "NominalBeamEnergy"),
        "gantry": number(points[0], "GantryAngle"),
        "control_points": len(points),
        "meterset": metersets.get(which),
    }


def structures(dataset: Dataset) -> Figures:
    """Regions of a structure set with the number of their contours and of the contours' points."""
    drawn: dict[int, list[int]] = {}
    for region in dataset.get("ROIContourSequence") or ():
        contours = region.get("ContourSequence") or ()
        drawn[whole(region, "ReferencedROINumber")] = [whole(c, "NumberOfContourPoints") for c in contours]
    return {
        "regions": [
            {
                "number": (which := whole(region, "ROINumber")),
                "name": words(region, "ROIName"),
                "contours": len(drawn.get(which, [])),
                "points": sum(drawn.get(which, [])),
            }
            for region in dataset.get("StructureSetROISequence") or ()
        ]
    }
