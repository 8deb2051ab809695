"""A CT series as one volume. Whatever would have to be guessed is refused."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dose_engine import reading
from dose_engine.grid import Floats, Grid
from dose_engine.refusal import Refusal

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MOST_VOXELS = 64 * 1024 * 1024
UNEVEN = 0.01  # mm that the distance of two slices may differ from the others': rounding, no more
SHARED = ("StudyInstanceUID", "SeriesInstanceUID", "PatientID")


@dataclass(frozen=True, eq=False)
class Scan:
    """CT numbers [z, y, x] on a grid; `first` is the lowest slice's data set, `digest` that of numbers and grid."""

    hounsfield: Floats
    grid: Grid
    frame: str
    slices: frozenset[str]
    first: Dataset
    digest: str


def read_scan(files: Sequence[bytes]) -> Scan:
    """Raises Refusal unless the files are the slices of one head-first-supine axial series, none missing inside."""
    slices = [reading.parse(data, CT_IMAGE) for data in files]
    if len(slices) < 2:
        raise Refusal("missing-slice", f"a series of {len(slices)} slices is no volume")
    _same(slices)
    slices.sort(key=lambda one: reading.numbers(one, "ImagePositionPatient", 3)[2])
    grid = _grid(slices)
    volume = np.empty(grid.shape)
    for plane, one in enumerate(slices):
        volume[plane] = _hounsfield(one, grid)
    digest = hashlib.sha256(volume.tobytes() + repr(grid).encode())
    return Scan(
        hounsfield=volume,
        grid=grid,
        frame=reading.text(slices[0], "FrameOfReferenceUID"),
        slices=frozenset(reading.text(one, "SOPInstanceUID") for one in slices),
        first=slices[0],
        digest=digest.hexdigest(),
    )


def _same(slices: Sequence[Dataset]) -> None:
    frames = {reading.text(one, "FrameOfReferenceUID") for one in slices}
    if len(frames) != 1:
        raise Refusal("foreign-frame", f"the slices lie in {len(frames)} frames of reference")
    for keyword in SHARED:
        if len({reading.text(one, keyword) for one in slices}) != 1:
            raise Refusal("mixed-series", f"the slices differ in {keyword}")


def _grid(slices: Sequence[Dataset]) -> Grid:
    first = slices[0]
    positions = np.array([reading.numbers(one, "ImagePositionPatient", 3) for one in slices])
    rows, columns = reading.whole(first, "Rows", 4096), reading.whole(first, "Columns", 4096)
    between_rows, between_columns = reading.numbers(first, "PixelSpacing", 2)
    for one in slices:
        _axial(one)
        if (one.Rows, one.Columns) != (rows, columns) or list(one.PixelSpacing) != list(first.PixelSpacing):
            raise Refusal("mixed-series", "the slices differ in size")
    if np.abs(positions[:, :2] - positions[0, :2]).max() > UNEVEN:
        raise Refusal("unsupported-geometry", "the slices do not lie above one another")
    if rows * columns * len(slices) > MOST_VOXELS or min(between_rows, between_columns) <= 0:
        raise Refusal("unsupported-geometry", "the series is too large, or has no spacing")
    x, y, z = positions[0]
    return Grid(
        (float(x), float(y), float(z)),
        (between_columns, between_rows, _spacing(positions[:, 2])),
        (len(slices), rows, columns),
    )


def _spacing(heights: Floats) -> float:
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    if gaps.min() <= UNEVEN:
        raise Refusal("mixed-series", "two slices lie at the same height")
    odd = np.flatnonzero(np.abs(gaps - usual) > UNEVEN)
    if odd.size:
        at = heights[odd[0]]
        raise Refusal("missing-slice", f"above z = {at:g} mm the next slice is {gaps[odd[0]]:g} mm on, not {usual:g}")
    return float((heights[-1] - heights[0]) / gaps.size)


def _axial(one: Dataset) -> None:
    orientation = reading.numbers(one, "ImageOrientationPatient", 6)
    if np.abs(np.array(orientation) - (1, 0, 0, 0, 1, 0)).max() > 1e-6 or reading.text(one, "PatientPosition") != "HFS":
        raise Refusal("unsupported-geometry", "only axial slices of a patient head first supine are computed on")


def _hounsfield(one: Dataset, grid: Grid) -> Floats:
    stored = one.get("PixelData")
    if reading.whole(one, "BitsAllocated", 64) != 16 or reading.whole(one, "SamplesPerPixel", 4) != 1:
        raise Refusal("unsupported-geometry", "CT pixels must be single samples of 16 bits")
    if one.get("RescaleType", "HU") != "HU":
        raise Refusal("unknown-density", "the slices do not hold Hounsfield units")
    rows, columns = grid.shape[1:]
    if not isinstance(stored, bytes) or len(stored) != 2 * rows * columns:
        raise Refusal("truncated-object", "the pixels of a slice do not fill its rows and columns")
    kind = "<i2" if one.get("PixelRepresentation") == 1 else "<u2"
    pixels: NDArray[np.float64] = np.frombuffer(stored, kind).reshape(rows, columns).astype(np.float64)
    return pixels * reading.number(one, "RescaleSlope") + reading.number(one, "RescaleIntercept")
