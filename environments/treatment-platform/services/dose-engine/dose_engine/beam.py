"""A beam as the machine sees it: gantry, isocentre, and a modulator that lets a map of fluence through."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dose_engine.grid import Floats, Integers, Mask

SAD = 1000.0  # mm from source to axis
DIGITS = 6  # of a lattice's place, so that it reads back from a plan's text as the very same number


@dataclass(frozen=True, eq=False)
class Beam:
    """Square pixels in the isocentre plane, in IEC beam-limiting-device coordinates, collimator at 0 degrees.

    `gantry` in degrees, `isocentre` in patient coordinates (mm), `pixel` the pixels' width (mm), `corner` (x, y) the
    centre of the first pixel: x grows with the column, y falls with the row. `open_` [row, column] says which pixels
    carry fluence at all; only these have a column in the influence matrix, row by row.
    """

    gantry: float
    isocentre: tuple[float, float, float]
    pixel: float
    corner: tuple[float, float]
    open_: Mask

    def like(self, other: "Beam") -> bool:
        """Whether both have the same lattice in the same place, whatever is open."""
        same = (self.gantry, self.isocentre, self.pixel, self.corner, self.open_.shape)
        return same == (other.gantry, other.isocentre, other.pixel, other.corner, other.open_.shape)

    @property
    def columns(self) -> Floats:
        """Pixel centres along x."""
        return self.corner[0] + self.pixel * np.arange(self.open_.shape[1], dtype=np.float64)

    @property
    def rows(self) -> Floats:
        """Pixel centres along y, falling."""
        return self.corner[1] - self.pixel * np.arange(self.open_.shape[0], dtype=np.float64)

    @property
    def source(self) -> Floats:
        """Where the photons come from, in patient coordinates; the patient lies head first supine."""
        position: Floats = np.array(self.isocentre) + rotation(self.gantry) @ np.array([0.0, -SAD, 0.0])
        return position

    def seen(self, points: Floats) -> tuple[Floats, Floats]:
        """Where points (n, 3) project to in the isocentre plane: x and y, each (n,)."""
        turned = (points - np.array(self.isocentre)) @ rotation(self.gantry)
        magnified = SAD / (SAD + turned[:, 1])
        return turned[:, 0] * magnified, turned[:, 2] * magnified


def rotation(gantry: float) -> Floats:
    """From the gantry's axes to the patient's; at 90 degrees the source is at the patient's left."""
    angle = np.deg2rad(gantry)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def covering(gantry: float, isocentre: tuple[float, float, float], pixel: float, target: Floats) -> Beam:
    """The beam whose open pixels cover the target's voxels (n, 3) and one pixel around them.

    The lattice has a pixel centre on the beam's axis.
    """
    bare = Beam(gantry, isocentre, pixel, (0.0, 0.0), np.ones((1, 1), dtype=np.bool_))
    x, y = bare.seen(target)
    column, row = _lattice(x, pixel), _lattice(-y, pixel)
    left, top = int(column.min()) - 1, int(row.min()) - 1
    covered = np.zeros((int(row.max()) - top + 2, int(column.max()) - left + 2), dtype=np.bool_)
    covered[row - top, column - left] = True
    corner = (round(left * pixel, DIGITS), round(-top * pixel, DIGITS))
    return Beam(gantry, isocentre, pixel, corner, _grown(covered))


def _lattice(along: Floats, pixel: float) -> Integers:
    return np.rint(along / pixel).astype(np.int64)


def _grown(mask: NDArray[np.bool_]) -> Mask:
    padded = np.pad(mask, 1)
    grown = np.zeros_like(mask)
    for down in range(3):
        for across in range(3):
            grown |= padded[down : down + mask.shape[0], across : across + mask.shape[1]]
    return grown
