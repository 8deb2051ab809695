"""The beam model: what one pixel of fluence does to matter, as depth dose times a lateral kernel."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from dose_engine.grid import Floats


@dataclass(frozen=True)
class Kernel:
    """A 6 MV beam: three exponentials in depth (1/mm); two Gaussians across (mm), the wide one for scatter.

    `scatter` and `scatter_per_mm` give the wide one's share, which grows with depth.
    """

    attenuation: float = 0.005066
    build_up: tuple[float, float, float] = (0.3252, 0.016, 0.0051001)
    parts: tuple[float, float, float] = (1.1497013889308703, 0.008263909352270846, 0.4298587944930205)
    narrow: float = 2.4715471145862833
    wide: float = 19.17648105497336
    scatter: float = 0.15200252836062664
    scatter_per_mm: float = 0.0011963337028043628

    def along(self, depth: Floats) -> Floats:
        """Dose per unit fluence where a field is so wide that nothing is lost sideways; `depth` in mm of water."""
        mu = self.attenuation
        dose: Floats = np.zeros_like(depth)
        for part, beta in zip(self.parts, self.build_up, strict=True):
            dose += part * beta / (beta - mu) * (np.exp(-mu * depth) - np.exp(-beta * depth))
        return dose

    def scattered(self, depth: Floats) -> Floats:
        """The wide Gaussian's share at a depth."""
        share: Floats = np.clip(self.scatter + self.scatter_per_mm * depth, 0.0, 0.9)
        return share


def across(position: Floats, centres: Floats, width: float, sigma: float) -> Floats:
    """Share of a pixel's fluence blurred by `sigma` that arrives at a position: (n,) and (m,) → (n, m).

    Sums to 1 over pixels that tile the line.
    """
    half, root = width / 2, np.sqrt(2.0) * sigma
    off = position[:, None] - centres[None, :]
    share: Floats = 0.5 * (erf((off + half) / root) - erf((off - half) / root))
    return share
