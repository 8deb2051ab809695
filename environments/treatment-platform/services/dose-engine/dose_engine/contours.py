"""From closed planar contours to voxels."""

from collections.abc import Iterable

import numpy as np

from dose_engine.grid import Floats, Grid, Mask
from dose_engine.refusal import Refusal

OFF_PLANE = 0.01  # mm that a contour may lie off the plane of its slice: rounding, no more


def inside(polygon: Floats, x: Floats, y: Floats) -> Mask:
    """Which lattice points (y, x) lie inside the closed polygon (n, 2), by the even-odd rule.

    A point on a left or lower edge counts as inside, one on a right or upper edge as outside.
    """
    crossed = np.zeros((y.size, x.size), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        rows = np.flatnonzero((y1 <= y) != (y2 <= y))
        if rows.size:
            at = x1 + (y[rows] - y1) * (x2 - x1) / (y2 - y1)
            crossed[rows] ^= at[:, None] > x[None, :]
    return crossed


def rasterise(contours: Iterable[Floats], grid: Grid) -> Mask:
    """Voxels whose centres lie inside the contours (each (n, 3), one plane); contours of one slice combine even-odd.

    Raises Refusal `contour-off-slice` for a contour that lies on no slice.
    """
    x, y, z = grid.axes()
    mask = np.zeros(grid.shape, dtype=np.bool_)
    for contour in contours:
        mask[_plane(contour[:, 2], z)] ^= inside(contour[:, :2], x, y)
    return mask


def _plane(heights: Floats, z: Floats) -> int:
    plane = int(np.argmin(np.abs(z - heights[0])))
    if np.abs(heights - z[plane]).max() > OFF_PLANE:
        raise Refusal("contour-off-slice", f"a contour at z = {heights[0]:g} mm lies on no slice of the CT")
    return plane
