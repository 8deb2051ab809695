"""From CT numbers to electron density relative to water."""

import numpy as np

from dose_engine.grid import Floats, Mask
from dose_engine.refusal import Refusal

# The scanner's calibration: bilinear, air to water and water to bone (slopes after Thomas 1999, Br J Radiol 72).
CALIBRATION = ((-1000.0, 0.0), (0.0, 1.0), (3000.0, 1.0 + 3000.0 / 1950.0))
LOWEST, HIGHEST = -1024.0, 3000.0  # outside: not calibrated; what scanners write for air goes down to -1024


def relative_density(hounsfield: Floats, inside: Mask) -> Floats:
    """Relative electron density [z, y, x]; nothing outside the body counts. Raises Refusal `unknown-density`."""
    body = hounsfield[inside]
    strange = body[~((body >= LOWEST) & (body <= HIGHEST))]
    if strange.size:
        raise Refusal(
            "unknown-density",
            f"{strange.size} voxels of the body are outside the calibrated {LOWEST:.0f} to {HIGHEST:.0f} HU "
            f"(furthest: {strange[np.argmax(np.abs(strange))]:.0f})",
        )
    known, densities = zip(*CALIBRATION, strict=True)
    density = np.zeros_like(hounsfield)
    density[inside] = np.interp(body, known, densities)
    return density
