"""How far a dose is from another: gamma, dose-volume figures, worst voxel.

Tolerances and where they come from:

- AAPM TG-218 (Miften 2018): gamma 3 %/2 mm, global, 10 % threshold, 95 % of points within tolerance, 90 % for action.
- AAPM MPPG 5.b (Geurts 2022): gamma 2 % local/2 mm is to be reported; a spot check within 2 %.
- Against the same engine's earlier build there is no measurement in between: 1e-5 of the maximum in every voxel. A real
  change of version of the reference engine moved its dose by 1.2e-6.

Gamma alone is no gate: with a dose 3 % too high it still passes.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float64]
Mask = NDArray[np.bool_]
THRESHOLD = 10  # % of the maximum below which gamma is not looked at
ENOUGH = 1.1  # gamma above 1 is a failure, however far
# Places looked at within the distance, each way. Ten find 0.3 % more of a mirrored dose, in ten times the time.
STEPS = 5
PERCENT = 100.0


@dataclass(frozen=True)
class Deviation:
    """Of an evaluated dose from a reference; everything in %: gammas of points, doses of the reference's figure."""

    gamma_3_2: float
    gamma_2_2: float
    gamma_2_2_local: float
    target_mean: float
    target_d95: float
    organ_mean: Mapping[str, float]
    worst_voxel: float  # of the reference's maximum


def deviation(
    reference: Volume,
    evaluated: Volume,
    axes: tuple[Volume, Volume, Volume],
    target: Mask,
    organs: Mapping[str, Mask],
) -> Deviation:
    """`axes` are voxel centres along z, y and x in mm. Raises ValueError for doses that cannot be compared."""
    if reference.shape != evaluated.shape or not target.any():
        raise ValueError("doses of different size, or no target")
    if not (np.isfinite(reference).all() and np.isfinite(evaluated).all()) or reference.max() <= 0:
        raise ValueError("a dose is not finite, or the reference is zero")
    return Deviation(
        gamma_3_2=passing(reference, evaluated, axes, 3.0, 2.0),
        gamma_2_2=passing(reference, evaluated, axes, 2.0, 2.0),
        gamma_2_2_local=passing(reference, evaluated, axes, 2.0, 2.0, local=True),
        target_mean=_off(reference[target].mean(), evaluated[target].mean()),
        target_d95=_off(np.percentile(reference[target], 5), np.percentile(evaluated[target], 5)),
        organ_mean={name: _off(reference[one].mean(), evaluated[one].mean()) for name, one in organs.items()},
        worst_voxel=worst(reference, evaluated),
    )


def worst(reference: Volume, evaluated: Volume) -> float:
    """Largest difference in any voxel, in % of the reference's maximum."""
    return float(PERCENT * np.abs(evaluated - reference).max() / reference.max())


def passing(
    reference: Volume,
    evaluated: Volume,
    axes: tuple[Volume, Volume, Volume],
    dose: float,
    distance: float,
    *,
    local: bool = False,
) -> float:
    """Points above the threshold with gamma of at most 1, in %. Raises ValueError if there is no such point."""
    return share(gammas(reference, evaluated, axes, dose, distance, local=local))


def gammas(
    reference: Volume,
    evaluated: Volume,
    axes: tuple[Volume, Volume, Volume],
    dose: float,
    distance: float,
    *,
    local: bool = False,
) -> Volume:
    """Gamma of each voxel, never above ENOUGH; NaN below the threshold. `dose` in %, `distance` in mm."""
    _compiled()
    from pymedphys import gamma  # loads and compiles for seconds: only where it is needed

    found: Volume = gamma(
        axes, reference, axes, evaluated, dose, distance,
        lower_percent_dose_cutoff=THRESHOLD, interp_fraction=STEPS, max_gamma=ENOUGH, local_gamma=local, quiet=True,
    )  # fmt: skip
    return found


def share(found: Volume) -> float:
    """Of gammas: how many of those looked at are at most 1, in %. Raises ValueError if none was looked at."""
    looked_at = found[~np.isnan(found)]
    if looked_at.size == 0:
        raise ValueError("no point is above the threshold")
    return float(PERCENT * (looked_at <= 1).mean())


def _compiled() -> None:
    """Puts what the image's making compiled where numba looks for it, and may write: saves the first gamma 4 s."""
    made, wanted = Path(os.environ.get("NUMBA_MADE", "/nowhere")), os.environ.get("NUMBA_CACHE_DIR")
    if wanted and made.is_dir() and not Path(wanted).exists():
        shutil.copytree(made, wanted, copy_function=shutil.copy2)


def _off(reference: float, evaluated: float) -> float:
    return float(PERCENT * (evaluated / reference - 1)) if reference else float("nan")
