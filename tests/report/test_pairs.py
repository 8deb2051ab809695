"""The pairs as they were taken: both sides, their middles, and where the limit lies."""

import math
import re

import pytest

from otagate.core.metric import Metric
from otagate.core.policy import Direction
from otagate.report.pairs import pairs_picture


def metric(candidate: tuple[float, ...], baseline: tuple[float, ...], direction: Direction = Direction.LOWER) -> Metric:
    return Metric("latency", "ms", direction, candidate, baseline)


def test_each_pair_is_drawn_with_both_middles_and_the_limit() -> None:
    drawn = pairs_picture(metric((11.0, 9.0, 12.0), (10.0, 10.0, 10.0)), [("limit", 14.0), ("baseline × 1.5", 15.0)])
    assert [drawn.count(f'class="dot {side}"') for side in ("candidate", "baseline")] == [3, 3]
    assert (drawn.count('class="way worse"'), drawn.count('class="way"')) == (2, 1)
    for text in (
        "candidate p50 11<",
        "baseline p50 10<",
        "limit 14 ms<",
        "baseline × 1.5 15 ms<",
        "last of 3 pairs",
    ):
        assert text in drawn
    assert drawn.count('<line class="bound"') == 2


def test_where_more_is_better_less_is_worse() -> None:
    drawn = pairs_picture(metric((11.0, 9.0, 12.0), (10.0, 10.0, 10.0), Direction.HIGHER), [])
    assert drawn.count('class="way worse"') == 1


def test_what_is_higher_is_drawn_higher() -> None:
    drawn = pairs_picture(metric((20.0, 10.0), (15.0, 15.0)), [])
    first, second = (float(y) for y in re.findall(r'class="dot candidate" cx="[^"]*" cy="([^"]*)"', drawn))
    assert first < second


def test_a_limit_far_off_is_named_at_its_edge_and_does_not_press_the_pairs_flat() -> None:
    drawn = pairs_picture(metric((11.0, 9.0), (10.0, 10.0)), [("limit", 2000.0), ("least", -2000.0), ("odd", math.nan)])
    assert '<line class="bound"' not in drawn
    assert "limit 2,000 ms ↑" in drawn
    assert "least -2,000 ms ↓" in drawn
    assert "odd" not in drawn


def test_of_many_pairs_evenly_spread_ones_are_drawn_and_the_middles_are_of_all() -> None:
    many = tuple(float(n) for n in range(1, 1002))
    drawn = pairs_picture(metric(many, many), [])
    assert drawn.count('class="dot candidate"') == 150
    assert "last of 1001 pairs, 150 drawn" in drawn
    assert "p50 501<" in drawn


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [((), ()), ((1.0,), (1.0,)), ((1.0, 2.0), ()), ((1.0, 2.0, 3.0), (1.0, 2.0)), ((math.nan, 1.0), (1.0, math.inf))],
)
def test_samples_that_are_no_pairs_are_not_drawn_as_such(
    candidate: tuple[float, ...], baseline: tuple[float, ...]
) -> None:
    assert pairs_picture(metric(candidate, baseline), []) == ""
