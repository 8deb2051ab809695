"""A metric is a named quantity; a sample one measured value of it, on one side. Samples reduce to one number."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from otagate.core.policy import Direction, Statistic

BOUNDED_FROM = 20  # pairs: of fewer the interval is so wide that it says nothing, and plain medians are compared


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


@dataclass(frozen=True)
class Interval:
    """Where a median lies: `low` and `high` bound it at the asked confidence."""

    low: float
    middle: float
    high: float


def paired_ratio(metric: Metric, confidence: float = 0.90) -> Interval:
    """How many times worse than the baseline the candidate is, pair by pair: the median of the pairs' ratios.

    The bounds are order statistics by the sign test, which asks of the pairs only that they are independent: no shape,
    no equal spread, and a load that both sides of a pair felt alike drops out (Conover, Practical Nonparametric
    Statistics, 3rd ed., 3.2 and 3.4). Raises ValueError unless both sides have equally many samples, enough for it.
    """
    pairs = zip(metric.candidate, metric.baseline, strict=True)
    ratios = sorted(_worse_by(metric.direction, candidate, baseline) for candidate, baseline in pairs)
    outside = _left_out(len(ratios), (1 - confidence) / 2)
    return Interval(ratios[outside], statistics.median(ratios), ratios[-1 - outside])


def _worse_by(direction: Direction, candidate: float, baseline: float) -> float:
    """Above 1 is worse; nothing beside nothing is the same."""
    above, below = (candidate, baseline) if direction is Direction.LOWER else (baseline, candidate)
    if below:
        return above / below
    return math.inf if above else 1.0


def _left_out(count: int, tail: float) -> int:
    """How many of `count` values lie outside at each end with at most `tail` of the probability beyond the next."""
    beyond = 0.0
    for left_out in range(count // 2 + 1):
        beyond += math.comb(count, left_out) / 2**count
        if beyond > tail:
            if left_out == 0:
                break
            return left_out - 1
    raise ValueError(f"{count} values are too few to bound their median")


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
