"""What the reference reads: plan, scan and outline, by its own reading of the objects (docs/dose-engine.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

Volume = NDArray[np.float64]


class Unfit(Exception):
    """The input cannot be computed on; the message says why."""


@dataclass(frozen=True, eq=False)
class Field:
    """One beam: `rays` (n, 2) are pixel centres x, y in the isocentre plane, `mu` the monitor units through each."""

    gantry: float
    isocentre: tuple[float, float, float]
    pixel: float
    rays: Volume
    mu: Volume


@dataclass(frozen=True, eq=False)
class Lattice:
    """Voxel centres: `origin` and `spacing` as x, y, z in mm, `shape` as z, y, x."""

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]

    def spaced(self, spacing: float) -> "Lattice":
        """Cubic voxels of `spacing` mm, as many as fit, centred, between this one's outermost centres."""
        sides = [(self.shape[2 - axis] - 1) * self.spacing[axis] for axis in range(3)]
        counts = [int(side / spacing + 1e-6) + 1 for side in sides]
        x, y, z = (
            first + (side - (count - 1) * spacing) / 2
            for first, side, count in zip(self.origin, sides, counts, strict=True)
        )
        return Lattice((x, y, z), (spacing, spacing, spacing), (counts[2], counts[1], counts[0]))


@dataclass(frozen=True, eq=False)
class Patient:
    """CT numbers [z, y, x] on a lattice, and which voxels are inside the patient's outline."""

    hounsfield: Volume
    lattice: Lattice
    body: NDArray[np.bool_]


def fields_of(plan: Dataset) -> tuple[list[Field], int]:
    """The beams, and the number of fractions. Raises Unfit."""
    (group,) = plan.FractionGroupSequence
    metersets = {int(one.ReferencedBeamNumber): float(one.BeamMeterset) for one in group.ReferencedBeamSequence}
    found = []
    for beam in plan.BeamSequence:
        (modulator,) = beam.CompensatorSequence
        start = beam.ControlPointSequence[0]
        if beam.RadiationType != "PHOTON" or float(start.BeamLimitingDeviceAngle) or float(start.PatientSupportAngle):
            raise Unfit("only photons with collimator and table at 0 degrees are computed")
        rows, columns = int(modulator.CompensatorRows), int(modulator.CompensatorColumns)
        pixel = float(modulator.CompensatorPixelSpacing[0])
        left, top = (float(value) for value in modulator.CompensatorPosition)
        through = np.array([float(value) for value in modulator.CompensatorTransmissionData])
        row, column = np.divmod(np.arange(rows * columns), columns)
        rays = np.stack([left + (column + 0.5) * pixel, top - (row + 0.5) * pixel], axis=1)
        x, y, z = (float(value) for value in start.IsocenterPosition)
        carries = through > 0
        mu = through[carries] * metersets[int(beam.BeamNumber)]
        found.append(Field(float(start.GantryAngle), (x, y, z), pixel, rays[carries], mu))
    return found, int(group.NumberOfFractionsPlanned)


def patient_of(slices: Iterable[Dataset], structures: Dataset) -> Patient:
    """Raises Unfit unless slices are evenly spaced and in the structures' frame of reference."""
    ordered = sorted(slices, key=lambda one: float(one.ImagePositionPatient[2]))
    heights = np.array([float(one.ImagePositionPatient[2]) for one in ordered])
    gaps = np.diff(heights)
    if len(ordered) < 2 or np.ptp(gaps) > 0.01 or gaps.min() <= 0:
        raise Unfit("the slices are not evenly spaced")
    (frame,) = structures.ReferencedFrameOfReferenceSequence
    if {str(one.FrameOfReferenceUID) for one in ordered} != {str(frame.FrameOfReferenceUID)}:
        raise Unfit("slices and structures lie in different frames of reference")
    first = ordered[0]
    x, y, z = (float(value) for value in first.ImagePositionPatient)
    between_rows, between_columns = (float(value) for value in first.PixelSpacing)
    lattice = Lattice(
        (x, y, z), (between_columns, between_rows, float(gaps.mean())), (len(ordered), first.Rows, first.Columns)
    )
    numbers = np.stack([_numbers(one) for one in ordered])
    return Patient(numbers, lattice, _outline(structures, lattice, heights))


def _numbers(one: Dataset) -> Volume:
    kind = "<i2" if one.PixelRepresentation else "<u2"
    stored = np.frombuffer(one.PixelData, kind, one.Rows * one.Columns).reshape(one.Rows, one.Columns)
    scaled: Volume = stored * float(one.RescaleSlope) + float(one.RescaleIntercept)
    return scaled


def _outline(structures: Dataset, lattice: Lattice, heights: Volume) -> NDArray[np.bool_]:
    (number,) = (
        one.ReferencedROINumber
        for one in structures.RTROIObservationsSequence
        if one.RTROIInterpretedType == "EXTERNAL"
    )
    (drawn,) = (one for one in structures.ROIContourSequence if one.ReferencedROINumber == number)
    x = lattice.origin[0] + lattice.spacing[0] * np.arange(lattice.shape[2])
    y = lattice.origin[1] + lattice.spacing[1] * np.arange(lattice.shape[1])
    centres = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    body = np.zeros(lattice.shape, dtype=np.bool_)
    for contour in drawn.ContourSequence:
        corners = np.array([float(value) for value in contour.ContourData]).reshape(-1, 3)
        plane = int(np.argmin(np.abs(heights - corners[0, 2])))
        body[plane] ^= (winding(corners[:, :2], centres) != 0).reshape(lattice.shape[1:])
    return body


def winding(polygon: Volume, points: Volume) -> NDArray[np.int64]:
    """How often the closed polygon (n, 2) goes around each of the points (m, 2), counter-clockwise."""
    turns = np.zeros(len(points), dtype=np.int64)
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        side = (end[0] - start[0]) * (points[:, 1] - start[1]) - (points[:, 0] - start[0]) * (end[1] - start[1])
        turns += (start[1] <= points[:, 1]) & (points[:, 1] < end[1]) & (side > 0)
        turns -= (end[1] <= points[:, 1]) & (points[:, 1] < start[1]) & (side < 0)
    return turns


def lattice_of(dose: Dataset) -> Lattice:
    """Of an RT Dose object."""
    x, y, z = (float(value) for value in dose.ImagePositionPatient)
    between_rows, between_columns = (float(value) for value in dose.PixelSpacing)
    offsets = [float(value) for value in dose.GridFrameOffsetVector]
    shape = (int(dose.NumberOfFrames), int(dose.Rows), int(dose.Columns))
    return Lattice((x, y, z), (between_columns, between_rows, offsets[1] - offsets[0]), shape)


def read_slices(folder: Path) -> list[Dataset]:
    """Every file of the folder. Raises Unfit if there is none."""
    files = sorted(folder.glob("*.dcm"))
    if not files:
        raise Unfit(f"there are no slices in {folder}")
    return [dcmread(file) for file in files]
