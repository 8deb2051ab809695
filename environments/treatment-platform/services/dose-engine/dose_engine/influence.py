"""The influence matrix: dose to each voxel per unit fluence of each open pixel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array

from dose_engine.beam import SAD, Beam
from dose_engine.depth import radiological_depth
from dose_engine.grid import Floats, Grid, Integers, Mask
from dose_engine.kernel import Kernel, across

REACH = 45.0  # mm from a pixel's centre, in the isocentre plane, beyond which its dose is left out
NEGLIGIBLE = 1e-3  # of a pixel's largest dose; the kernel was fitted with both cut-offs in place


@dataclass(frozen=True, eq=False)
class Phantom:
    """The patient as the beam meets it: relative electron density on the CT's grid, body and dose grid."""

    density: Floats
    grid: Grid
    dose_grid: Grid
    body: Mask  # on the dose grid: the voxels that get dose

    @property
    def points(self) -> Floats:
        """Centres of the voxels that get dose, in the order of the matrix's rows."""
        return self.dose_grid.points(self.body)


def influence(phantom: Phantom, beams: Sequence[Beam], kernel: Kernel, output: float = 1.0) -> csr_array:
    """Gy per unit fluence: one row for each voxel of the body, one column for each open pixel, beam by beam.

    `output` is the machine's, relative to the one that the kernel was fitted to.
    """
    rows: list[Integers] = []
    values: list[Floats] = []
    points = phantom.points
    for beam in beams:
        for voxels, doses in _pixels(phantom, points, beam, kernel):
            rows.append(voxels)
            values.append(doses)
    starts = np.concatenate([[0], np.cumsum([len(voxels) for voxels in rows])])
    shape = (len(points), len(rows))
    return csr_array(csc_array((np.concatenate(values) * output, np.concatenate(rows), starts), shape=shape))


def _pixels(phantom: Phantom, points: Floats, beam: Beam, kernel: Kernel) -> Iterator[tuple[Integers, Floats]]:
    """Voxels reached and their dose, for each open pixel of one beam."""
    depth = radiological_depth(phantom.density, phantom.grid, beam.source, points)
    distance = np.linalg.norm(points - beam.source, axis=1)
    central = kernel.along(depth) * (SAD / distance) ** 2
    wide = kernel.scattered(depth)
    x, y = beam.seen(points)
    near_x = np.abs(x[:, None] - beam.columns[None, :]) < REACH
    near_y = np.abs(y[:, None] - beam.rows[None, :]) < REACH
    narrow_x, wide_x = (across(x, beam.columns, beam.pixel, sigma) for sigma in (kernel.narrow, kernel.wide))
    narrow_y, wide_y = (across(y, beam.rows, beam.pixel, sigma) for sigma in (kernel.narrow, kernel.wide))
    for row, column in zip(*np.nonzero(beam.open_), strict=True):
        at = np.flatnonzero(near_x[:, column] & near_y[:, row])
        share = wide[at]
        lateral = (1 - share) * narrow_x[at, column] * narrow_y[at, row]
        lateral += share * wide_x[at, column] * wide_y[at, row]
        dose = central[at] * lateral
        kept = dose > NEGLIGIBLE * dose.max(initial=0.0)
        yield at[kept], dose[kept]


def spread(doses: Floats, phantom: Phantom) -> Floats:
    """Doses of the body's voxels as a volume [z, y, x], zero outside."""
    volume = np.zeros(phantom.dose_grid.shape)
    volume[phantom.body] = doses
    return volume
