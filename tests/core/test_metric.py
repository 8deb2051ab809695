"""Reductions against NumPy, and what they refuse."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import quantile_test

from otagate.core.metric import BOUNDED_FROM, Metric, paired_ratio, quantile, reduced, usable
from otagate.core.policy import Direction, Statistic

SAMPLES = st.lists(st.floats(0, 1e9), min_size=1, max_size=50)
ORACLE: Mapping[Statistic, Callable[[Sequence[float]], Any]] = {
    Statistic.P50: numpy.median,
    Statistic.P95: lambda samples: numpy.quantile(samples, 0.95),
    Statistic.MAX: numpy.max,
    Statistic.MIN: numpy.min,
    Statistic.MEAN: numpy.mean,
}


@pytest.mark.parametrize("statistic", Statistic)
@given(samples=SAMPLES)
def test_a_reduction_agrees_with_numpy(statistic: Statistic, samples: list[float]) -> None:
    assert reduced(samples, statistic) == pytest.approx(float(ORACLE[statistic](samples)), rel=1e-9, abs=1e-9)


@given(SAMPLES, st.floats(0, 1))
def test_a_quantile_lies_within_its_samples_and_agrees_with_numpy(samples: list[float], share: float) -> None:
    value = quantile(samples, share)
    assert min(samples) <= value <= max(samples)
    assert value == pytest.approx(float(numpy.quantile(samples, share)), rel=1e-6, abs=1e-6)


def test_the_order_of_samples_does_not_matter_and_one_sample_is_its_own_statistic() -> None:
    assert reduced([3, 1, 2], Statistic.P50) == 2
    assert reduced([4, 1, 3, 2], Statistic.P50) == 2.5
    assert {reduced([7.0], statistic) for statistic in Statistic} == {7.0}


@pytest.mark.parametrize("statistic", Statistic)
@pytest.mark.parametrize("samples", [[], [math.nan], [1.0, math.inf], [-math.inf], [1.0, -0.5]])
def test_no_number_is_made_of_nothing_or_of_nonsense(statistic: Statistic, samples: list[float]) -> None:
    with pytest.raises(ValueError, match="sample"):
        reduced(samples, statistic)


def test_zero_is_a_usable_sample() -> None:
    assert usable(0.0)
    assert not usable(-1e-300)


def beside(candidate: Iterable[float], baseline: Iterable[float], direction: Direction = Direction.LOWER) -> Metric:
    return Metric("m", "ms", direction, tuple(candidate), tuple(baseline))


@given(pairs=st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=BOUNDED_FROM, max_size=60))
def test_the_interval_of_the_pairs_agrees_with_scipy(pairs: list[tuple[float, float]]) -> None:
    found = paired_ratio(beside((mine for mine, _ in pairs), (theirs for _, theirs in pairs)))
    ratios = [candidate / baseline for candidate, baseline in pairs]
    bounds = quantile_test(ratios, q=0, p=0.5).confidence_interval(confidence_level=0.90)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))
    assert found.middle == pytest.approx(float(numpy.median(ratios)))


def test_less_throughput_is_worse_and_nothing_beside_nothing_is_the_same() -> None:
    assert paired_ratio(beside([5.0] * 5, [10.0] * 5, Direction.HIGHER)).middle == 2.0
    assert paired_ratio(beside([0.0] * 5, [10.0] * 5, Direction.HIGHER)).middle == math.inf
    assert paired_ratio(beside([0.0] * 5, [0.0] * 5)).middle == 1.0


def test_four_pairs_bound_no_median() -> None:
    with pytest.raises(ValueError, match="too few"):
        paired_ratio(beside([1.0] * 4, [1.0] * 4))


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    """The control of the judgement: at a true ratio of 1.5 under heavy noise that each pair shares, the interval misses
    it in at most one run of ten, and a build twice as slow is never taken for one within 1.5."""
    noise = numpy.random.default_rng(7)
    missed = passed = 0
    for _ in range(2000):
        load = noise.lognormal(0, 1.0, 44)
        mine, theirs = load * noise.lognormal(0, 0.3, 44), load * noise.lognormal(0, 0.3, 44)
        honest = paired_ratio(beside(1.5 * mine, theirs))
        missed += not honest.low <= 1.5 <= honest.high
        passed += paired_ratio(beside(2.0 * mine, theirs)).high <= 1.5
    assert missed <= 240
    assert passed == 0
