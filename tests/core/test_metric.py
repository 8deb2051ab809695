"""Reductions against NumPy, and what they refuse."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otagate.core.metric import quantile, reduced, usable
from otagate.core.policy import Statistic

SAMPLES = st.lists(st.floats(0, 1e9), min_size=1, max_size=50)
ORACLE: Mapping[Statistic, Callable[[Sequence[float]], Any]] = {
    Statistic.P50: numpy.median,
    Statistic.P95: lambda samples: numpy.quantile(samples, 0.95),
    Statistic.MAX: numpy.max,
    Statistic.MIN: numpy.min,
    Statistic.MEAN: numpy.mean,
}


@pytest.mark.parametrize("statistic", Statistic)
@settings(deadline=None)
@given(samples=SAMPLES)
def test_a_reduction_agrees_with_numpy(statistic: Statistic, samples: list[float]) -> None:
    assert reduced(samples, statistic) == pytest.approx(float(ORACLE[statistic](samples)), rel=1e-9, abs=1e-9)


@settings(deadline=None)
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
