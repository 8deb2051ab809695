"""The dose of given beams by pyRadPlan's generic photon machine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pyRadPlan import PhotonPlan, calc_dose_influence
from pyRadPlan.cst import create_cst, create_voi
from pyRadPlan.ct import create_ct
from pyRadPlan.geometry import get_beam_rotation_matrix

from reference_dose.inputs import Field, Lattice, Patient, Volume

# The scanner's calibration, as the clinic states it: CT number and relative electron density.
SCANNER = np.array([[-1024.0, 0.0], [-1000.0, 0.0], [0.0, 1.0], [3000.0, 1.0 + 3000.0 / 1950.0]])
ENERGY, SAD = 6.0, 1000.0
SOURCE = np.array([0.0, -SAD, 0.0])


def dose_per_mu(patient: Patient, fields: Sequence[Field], lattice: Lattice, output: float) -> Volume:
    """Dose [z, y, x] of one fraction on a lattice, in Gy; `output` is the fluence of one monitor unit."""
    image = SimpleITK.GetImageFromArray(patient.hounsfield)
    image.SetOrigin(patient.lattice.origin)
    image.SetSpacing(patient.lattice.spacing)
    ct = create_ct(cube_hu=image)
    mask = SimpleITK.GetImageFromArray(patient.body.astype(np.uint8))
    mask.CopyInformation(image)
    body = create_voi(voi_type="EXTERNAL", name="BODY", ct_image=ct, mask=mask)
    plan = PhotonPlan(machine="Generic")
    plan.prop_dose_calc = {
        "hlut": SCANNER,
        "dose_grid": {
            "resolution": dict(zip("xyz", lattice.spacing, strict=True)),
            "dimensions": lattice.shape[::-1],
            "origin": np.array(lattice.origin),
        },
    }
    stf = {"beams": [_beam(field) for field in fields]}
    matrix = calc_dose_influence(ct, create_cst([body], ct=ct), stf, plan).physical_dose.flat[0]
    fluence = np.concatenate([field.mu for field in fields]) * output
    dose: NDArray[np.float64] = np.asarray(matrix @ fluence, dtype=np.float64)
    return dose.reshape(lattice.shape)


def _beam(field: Field) -> dict[str, Any]:
    turned = get_beam_rotation_matrix(field.gantry, 0.0)
    source = turned @ SOURCE
    rays = []
    for x, y in field.rays:
        seen = np.array([x, 0.0, y])
        rays.append(
            {
                "ray_pos_bev": seen,
                "ray_pos": turned @ seen,
                "target_point_bev": 2 * seen - SOURCE,
                "target_point": 2 * (turned @ seen) - source,
                "beamlets": [{"energy": ENERGY}],
            }
        )
    return {
        "gantry_angle": field.gantry,
        "couch_angle": 0.0,
        "bixel_width": field.pixel,
        "radiation_mode": "photons",
        "machine": "Generic",
        "SAD": SAD,
        "iso_center": np.array(field.isocentre),
        "source_point_bev": SOURCE,
        "source_point": source,
        "rays": rays,
    }
