"""Everything about one patient's scan and structures that does not depend on beams."""

from dataclasses import dataclass

from pydicom import Dataset

from dose_engine.density import relative_density
from dose_engine.grid import Floats, Grid, Mask
from dose_engine.influence import Phantom
from dose_engine.refusal import Refusal
from dose_engine.scan import Scan
from dose_engine.structures import Structures, belongs


@dataclass(frozen=True, eq=False)
class Patient:
    """`origin` is the data set whose patient, study and frame everything written here shares."""

    phantom: Phantom
    structures: Structures
    scan_grid: Grid
    origin: Dataset
    digest: str  # of the scan's voxels

    def rows(self, name: str) -> Mask:
        """Which of the body's voxels on the dose grid belong to a structure. Raises Refusal."""
        seen = self.scan_grid.nearest(self.structures.mask(name, self.scan_grid), self.phantom.dose_grid)
        rows: Mask = seen[self.phantom.body]
        if not rows.any():
            raise Refusal("empty-structure", f"structure {name!r} has no voxel on the dose grid")
        return rows


def prepare(scan: Scan, structures: Structures, spacing: float) -> Patient:
    """The patient on a dose grid of `spacing` mm. Raises Refusal."""
    belongs(structures, scan)
    outline = structures.mask(structures.body, scan.grid)
    density: Floats = relative_density(scan.hounsfield, outline)
    dose_grid = scan.grid.spaced(spacing)
    phantom = Phantom(density, scan.grid, dose_grid, scan.grid.nearest(outline, dose_grid))
    return Patient(phantom, structures, scan.grid, scan.first, scan.digest)
