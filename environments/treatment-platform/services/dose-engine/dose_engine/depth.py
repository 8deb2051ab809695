"""How much water-equivalent matter lies between the source and a point."""

import numpy as np
from scipy.ndimage import map_coordinates

from dose_engine.grid import Floats, Grid

STEP = 2.5  # mm between samples along a ray


def radiological_depth(density: Floats, grid: Grid, source: Floats, points: Floats) -> Floats:
    """Water-equivalent millimetres in front of each point (n, 3); the density is interpolated between voxel centres."""
    towards = source - points
    towards /= np.linalg.norm(towards, axis=1)[:, None]
    steps = np.ceil(_way_out(_matter(density, grid), points, towards) / STEP).astype(np.int64)
    order = np.argsort(-steps, kind="stable")  # those with the longest way first: the rest drop out from the end
    at = grid.fractional(points[order])
    stride = (towards[order] * STEP / np.array(grid.spacing)).T[::-1]
    remaining = np.searchsorted(-steps[order], -np.arange(steps.max(initial=0)), side="left")
    depth = np.zeros(len(points))
    for step, count in enumerate(remaining):
        sample = at[:, :count] + (step + 0.5) * stride[:, :count]
        depth[:count] += map_coordinates(density, sample, order=1, mode="grid-constant", cval=0.0, prefilter=False)
    found = np.empty_like(depth)
    found[order] = depth * STEP
    return found


def _matter(density: Floats, grid: Grid) -> Grid:
    """The smallest grid with all that is not empty: beyond it a ray gathers nothing."""
    origin, shape = list(grid.origin), [1, 1, 1]
    for axis in range(3):
        filled = np.flatnonzero(density.any(axis=tuple({0, 1, 2} - {axis})))
        if filled.size:
            shape[axis] = int(filled[-1] - filled[0]) + 1
            origin[2 - axis] += grid.spacing[2 - axis] * int(filled[0])
    return Grid((origin[0], origin[1], origin[2]), grid.spacing, (shape[0], shape[1], shape[2]))


def _way_out(grid: Grid, points: Floats, towards: Floats) -> Floats:
    """Millimetres to where each ray leaves the box of the voxels."""
    low = np.array(grid.origin) - np.array(grid.spacing)
    high = np.array(grid.origin) + np.array(grid.spacing) * np.array(grid.shape[::-1])
    bound = np.where(towards > 0, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = np.where(np.abs(towards) > 1e-12, (bound - points) / towards, np.inf)
    nearest: Floats = np.maximum(ways.min(axis=1), 0.0)
    return nearest
