"""Voxels in space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Axis-aligned voxels in DICOM patient coordinates (x left, y posterior, z superior), in mm.

    `origin` (x, y, z) is the centre of the first voxel, `spacing` is (x, y, z); volumes on it are indexed [z, y, x].
    """

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]

    @property
    def size(self) -> int:
        """Number of voxels."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def voxel_volume(self) -> float:
        """In cubic centimetres."""
        return self.spacing[0] * self.spacing[1] * self.spacing[2] / 1000.0

    def axes(self) -> tuple[Floats, Floats, Floats]:
        """Voxel centres along x, y and z."""
        x, y, z = (
            self.origin[axis] + self.spacing[axis] * np.arange(self.shape[2 - axis], dtype=np.float64)
            for axis in range(3)
        )
        return x, y, z

    def points(self, mask: Mask) -> Floats:
        """Centres (n, 3) as x, y, z of the mask's voxels, in the order of its flat indices."""
        planes, rows, columns = np.nonzero(mask)
        x, y, z = self.axes()
        return np.stack([x[columns], y[rows], z[planes]], axis=1)

    def fractional(self, points: Floats) -> Floats:
        """Points (n, 3) as voxel indices (3, n), order z, y, x."""
        indices: Floats = ((points - np.array(self.origin)) / np.array(self.spacing)).T[::-1]
        return indices

    def spaced(self, spacing: float) -> "Grid":
        """The grid of cubic voxels that fits, centred, between this grid's outermost centres; itself if it is that."""
        extents = [(self.shape[2 - axis] - 1) * self.spacing[axis] for axis in range(3)]
        counts = [int(extent / spacing + 1e-6) + 1 for extent in extents]
        start = [self.origin[axis] + (extents[axis] - (counts[axis] - 1) * spacing) / 2 for axis in range(3)]
        return Grid((start[0], start[1], start[2]), (spacing, spacing, spacing), (counts[2], counts[1], counts[0]))

    def nearest(self, volume: NDArray[np.bool_], other: "Grid") -> Mask:
        """The mask `volume` of this grid as seen at the voxel centres of `other`, which lies within this one."""
        picked = []
        for axis, centres in enumerate(other.axes()):
            index = np.floor((centres - self.origin[axis]) / self.spacing[axis] + 0.5).astype(np.int64)
            picked.append(np.clip(index, 0, self.shape[2 - axis] - 1))
        seen: Mask = volume[np.ix_(picked[2], picked[1], picked[0])]
        return seen
