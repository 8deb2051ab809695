"""The TG-119 C-shape phantom that the reference engine brings along, as a study like any other."""

import numpy as np
import SimpleITK
from pyRadPlan import load_tg119

from phantoms.study import Structure, Study

KINDS = {"BODY": "EXTERNAL", "OuterTarget": "PTV", "Core": "ORGAN"}
NAMES = {"OuterTarget": "PTV", "Core": "CORE", "BODY": "BODY"}


def tg119() -> Study:
    """Raises KeyError if the phantom has other structures than it used to."""
    ct, structures = load_tg119()
    image = ct.cube_hu
    x, y, z = (float(value) for value in image.GetOrigin())
    dx, dy, dz = (float(value) for value in image.GetSpacing())
    return Study(
        name="tg-119",
        patient="OTA-TG119",
        hounsfield=np.rint(SimpleITK.GetArrayFromImage(image).astype(np.float64)),
        origin=(x, y, z),
        spacing=(dx, dy, dz),
        structures=tuple(
            Structure(NAMES[one.name], KINDS[one.name], SimpleITK.GetArrayFromImage(one.mask).astype(np.bool_))
            for one in structures.vois
        ),
    )
