"""How much fluence one monitor unit is to the reference engine: found by itself, not taken from the clinic's own."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from reference_dose.compute import dose_per_mu
from reference_dose.inputs import Field, Lattice, Patient

KEPT = Path(__file__).with_name("calibration.json")  # made when the image is
GRAY_PER_MU = 0.01  # at the reference point: 100 mm deep, surface 900 mm from the source, field 100 by 100 mm


def calibrate() -> float:
    """Fluence of one monitor unit, so that the reference field in water gives its Gray."""
    lattice = Lattice((-97.5, -97.5, -97.5), (5.0, 5.0, 5.0), (40, 60, 40))  # the surface lies at y = -100
    water = Patient(np.zeros(lattice.shape), lattice, np.ones(lattice.shape, dtype=np.bool_))
    centres = np.stack(np.meshgrid(np.arange(-45.0, 46.0, 10.0), np.arange(-45.0, 46.0, 10.0)), axis=-1)
    field = Field(0.0, (0.0, 0.0, 0.0), 10.0, centres.reshape(-1, 2), np.ones(100))
    dose = dose_per_mu(water, [field], lattice, 1.0)
    at_point = dose[19:21, 19:21, 19:21].mean()  # the eight voxels around the isocentre
    return GRAY_PER_MU / float(at_point)


@cache
def output() -> float:
    """As found when the image was made. Raises FileNotFoundError where that was not done."""
    return float(json.loads(KEPT.read_text())["fluence_per_mu"])


if __name__ == "__main__":
    KEPT.write_text(json.dumps({"fluence_per_mu": calibrate()}))
