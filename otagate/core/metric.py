"""A metric is a named quantity; a sample one measured value of it, on one side. Samples reduce to one number."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from otagate.core.policy import Direction, Statistic


@dataclass(frozen=True)
class Metric:
    """`candidate` and `baseline` are samples in `unit`, in the order they were taken, pair by pair where both exist."""

    name: str
    unit: str
    direction: Direction
    candidate: tuple[float, ...]
    baseline: tuple[float, ...] = ()


def reduced(samples: Sequence[float], statistic: Statistic) -> float:
    """One number, in the samples' unit. Raises ValueError if there is no sample, or one is not a finite number ≥ 0."""
    if not samples:
        raise ValueError("no sample to reduce")
    if not all(usable(sample) for sample in samples):
        raise ValueError("a sample is not a finite number of at least 0")
    match statistic:
        case Statistic.P50:
            return quantile(samples, 0.50)
        case Statistic.P95:
            return quantile(samples, 0.95)
        case Statistic.MAX:
            return max(samples)
        case Statistic.MIN:
            return min(samples)
        case Statistic.MEAN:
            return statistics.fmean(samples)
        case _:
            assert_never(statistic)


def usable(sample: float) -> bool:
    """Metrics are quantities such as times, counts and shares: finite and never below 0."""
    return math.isfinite(sample) and sample >= 0


def quantile(samples: Sequence[float], share: float) -> float:
    """The value below which `share` (0 … 1) of the samples lie, straight between neighbours (NumPy's default)."""
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
