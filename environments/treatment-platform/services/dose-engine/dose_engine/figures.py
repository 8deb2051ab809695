"""Dose-volume figures of a structure."""

from collections.abc import Mapping

import numpy as np

from dose_engine.grid import Floats

COVERED = {
    "d98": 2.0,
    "d95": 5.0,
    "d50": 50.0,
    "d2": 98.0,
}  # dose that the hottest x % receive: the (100 - x)th percentile


def dose_volume(doses: Floats, voxel_volume: float) -> dict[str, float]:
    """Mean, extremes and D98 … D2 in Gy of the voxels' doses, and their volume in cc; no figures for no voxels."""
    if doses.size == 0:
        return {"volume_cc": 0.0}
    found = {name: float(np.percentile(doses, rank)) for name, rank in COVERED.items()}
    return {
        "volume_cc": float(doses.size * voxel_volume),
        "mean": float(doses.mean()),
        "min": float(doses.min()),
        "max": float(doses.max()),
        **found,
    }


def is_met(figure: float, bound: Mapping[str, float]) -> bool:
    """Whether a figure keeps to `at_least` and `at_most`, where given."""
    return bound.get("at_least", -np.inf) <= figure <= bound.get("at_most", np.inf)
