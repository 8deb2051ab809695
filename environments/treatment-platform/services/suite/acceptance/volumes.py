"""Doses and structures as arrays, by this suite's own reading of the objects: neither engine's code is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import Dataset

Volume = NDArray[np.float64]
Mask = NDArray[np.bool_]
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@dataclass(frozen=True, eq=False)
class Dose:
    """Gy [z, y, x] with the voxel centres along z, y and x in mm; `head` is the object without its voxels."""

    gray: Volume
    axes: tuple[Volume, Volume, Volume]
    head: Dataset

    @property
    def voxel(self) -> float:
        """Volume of a voxel in cm³."""
        return float(np.prod([axis[1] - axis[0] for axis in self.axes])) / 1000.0


def read_dose(file: bytes) -> Dose:
    """Raises ValueError for an object whose voxels would have to be guessed."""
    read = pydicom.dcmread(BytesIO(file))
    if [float(value) for value in read.ImageOrientationPatient] != AXIAL or read.DoseUnits != "GY":
        raise ValueError("the dose is not axial, or not in Gy")
    x, y, z = (float(value) for value in read.ImagePositionPatient)
    between_rows, between_columns = (float(value) for value in read.PixelSpacing)
    heights = z + np.array([float(value) for value in read.GridFrameOffsetVector])
    rows, columns = y + between_rows * np.arange(read.Rows), x + between_columns * np.arange(read.Columns)
    stored = np.frombuffer(read.PixelData, f"<u{read.BitsAllocated // 8}", heights.size * rows.size * columns.size)
    gray = stored.reshape(heights.size, rows.size, columns.size) * float(read.DoseGridScaling)
    del read.PixelData
    return Dose(gray, (heights, rows, columns), read)


def names(structures: Dataset) -> dict[str, int]:
    """Name → number of what the structure set has."""
    return {str(one.ROIName): int(one.ROINumber) for one in structures.StructureSetROISequence}


def region(structures: Dataset, name: str, axes: tuple[Volume, Volume, Volume]) -> Mask:
    """Voxels whose centres lie inside a structure: even-odd over all its contours of the nearest plane.

    Raises ValueError if the structure has no contour, KeyError if there is no such structure.
    """
    number = names(structures)[name]
    drawn = [one for one in structures.ROIContourSequence if int(one.ReferencedROINumber) == number]
    planes: dict[float, list[Volume]] = {}
    for one in drawn:
        for contour in one.get("ContourSequence", ()):
            corners = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            planes.setdefault(round(float(corners[0, 2]), 3), []).append(corners[:, :2])
    if not planes:
        raise ValueError(f"structure {name} has no contour")
    heights = np.array(sorted(planes))
    half = float(np.diff(heights).min()) / 2 if heights.size > 1 else float(axes[0][1] - axes[0][0]) / 2
    found = np.zeros(tuple(axis.size for axis in axes), dtype=np.bool_)
    for plane, height in enumerate(axes[0]):
        nearest = heights[np.argmin(np.abs(heights - height))]
        if abs(nearest - height) <= half + 1e-3:
            found[plane] = _inside(planes[float(nearest)], axes[1], axes[2])
    return found


def _inside(polygons: Sequence[Volume], rows: Volume, columns: Volume) -> Mask:
    start = np.concatenate(polygons)
    end = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    found = np.zeros((rows.size, columns.size), dtype=np.bool_)
    for row, y in enumerate(rows):
        across = (start[:, 1] <= y) != (end[:, 1] <= y)
        a, b = start[across], end[across]
        crossings = np.sort(a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1]))
        found[row] = np.searchsorted(crossings, columns) % 2 == 1
    return found


def covered(doses: Volume, share: float) -> float:
    """Dose in Gy that at least `share` % of the voxels receive: D95 for 95."""
    return float(np.percentile(doses, 100.0 - share))


def middle(dose: Dose) -> tuple[float, float, float]:
    """Centre of the dose above half its maximum, along z, y and x in mm."""
    weight = np.where(dose.gray >= dose.gray.max() / 2, dose.gray, 0.0)
    total = weight.sum()
    z, y, x = (
        float(np.tensordot(weight.sum(axis=tuple({0, 1, 2} - {axis})), dose.axes[axis], 1) / total) for axis in range(3)
    )
    return z, y, x
