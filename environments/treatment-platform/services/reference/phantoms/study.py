"""A study as arrays: what is written as DICOM, and what the makers of studies fill in."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import generate_uid

Volume = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Structure:
    """Voxels [z, y, x] of a structure, and its interpreted type (EXTERNAL, PTV, ORGAN)."""

    name: str
    kind: str
    mask: Mask


@dataclass(frozen=True, eq=False)
class Study:
    """CT numbers [z, y, x] at `origin` + index × `spacing` (x, y, z in mm), with structures on the same voxels.

    `name` is what every UID derives from: the same name gives the same study, byte by byte.
    """

    name: str
    patient: str
    hounsfield: Volume
    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    structures: tuple[Structure, ...]

    def uid(self, part: str) -> str:
        """Of the study, a series, an object, the frame of reference: a name for each."""
        return str(generate_uid(prefix="2.25.", entropy_srcs=["phantoms", self.name, part]))

    def axes(self) -> tuple[Volume, Volume, Volume]:
        """Voxel centres along x, y and z."""
        x, y, z = (
            self.origin[axis] + self.spacing[axis] * np.arange(self.hounsfield.shape[2 - axis], dtype=np.float64)
            for axis in range(3)
        )
        return x, y, z

    def thinned(self, every: int, name: str, patient: str) -> "Study":
        """Another study, of another name and patient: of this one every so many slices."""
        x, y, z = self.spacing
        structures = tuple(Structure(one.name, one.kind, one.mask[::every]) for one in self.structures)
        slices, spacing = self.hounsfield[::every], (x, y, every * z)
        return replace(self, name=name, patient=patient, hounsfield=slices, spacing=spacing, structures=structures)

    def structure(self, name: str) -> Structure:
        """Raises StopIteration if there is none of that name."""
        return next(one for one in self.structures if one.name == name)

    def points(self, name: str) -> Volume:
        """Voxel centres (n, 3) of a structure, as x, y, z."""
        planes, rows, columns = np.nonzero(self.structure(name).mask)
        x, y, z = self.axes()
        return np.stack([x[columns], y[rows], z[planes]], axis=1)
