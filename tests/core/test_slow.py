"""The test of answer times: sound however often it is looked at, deaf to one burst, quick where it counts."""

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core import slow as core
from otagate.core.answer_times import LAST, bucket, edge, row_of
from otagate.core.slow import ALPHA, LEAST_BEFORE, NEVER_SLOW, NO_STAKES, SlowPolicy, limit_of, slow_over, staked

HORIZON = 316


def is_slow(looks: Iterable[tuple[int, int]], allowed: float, horizon: int) -> bool:
    """Asked at every look, as a watch does."""
    stakes = NO_STAKES
    for answers, slow in looks:
        stakes = staked(stakes, answers, slow, allowed)
        if core.is_slow(stakes, horizon):
            return True
    return False


def test_slow_answers_are_told_within_seconds_of_looks() -> None:
    looks = [(10, 10)] * 40
    first = next(n for n in range(len(looks)) if is_slow(looks[:n], 0.25, HORIZON))
    assert 10 <= first <= 25


def test_a_burst_of_slow_answers_decides_nothing() -> None:
    assert not is_slow([(10, 0)] * 100 + [(500, 500)] * 9 + [(10, 0)] * 200, 0.25, HORIZON)


def test_a_colour_that_turns_slow_late_is_found_as_fast() -> None:
    late = [(10, 0)] * 250
    assert is_slow(late + [(10, 10)] * 25, 0.25, HORIZON)
    assert not is_slow(late, 0.25, HORIZON)


def test_what_is_allowed_is_never_called_slow_by_looking_often() -> None:
    """At the very border, 2,000 watches, stopped at the first look that says so; the chance allowed is one in 1,000."""
    chance = random.Random(7)  # noqa: S311 - the same watches at each run
    alarms = 0
    for _ in range(2000):
        looks = [(8, sum(chance.random() < 0.25 for _ in range(8))) for _ in range(60)]
        alarms += is_slow(looks, 0.25, 60)
    assert alarms <= 2000 * ALPHA * 3


def test_answers_of_one_look_may_hang_together() -> None:
    """All or none of a look slow, a quarter of the looks: as much as is allowed."""
    chance = random.Random(8)  # noqa: S311 - the same watches at each run
    runs = [[(100, 100 if chance.random() < 0.25 else 0) for _ in range(60)] for _ in range(2000)]
    assert sum(is_slow(run, 0.25, 60) for run in runs) <= 2000 * ALPHA * 3


def test_the_control_a_share_that_is_only_compared_cries_wolf() -> None:
    chance = random.Random(9)  # noqa: S311 - the same watches at each run

    def compared(run: list[tuple[int, int]]) -> bool:
        return any(sum(s for _, s in run[:n]) > 0.25 * sum(a for a, _ in run[:n]) for n in range(5, len(run)))

    runs = [[(8, sum(chance.random() < 0.25 for _ in range(8))) for _ in range(60)] for _ in range(200)]
    assert sum(compared(run) for run in runs) > 100


def test_looks_without_answers_say_nothing() -> None:
    assert not is_slow([(0, 0)] * 300, 0.25, HORIZON)
    assert is_slow([(0, 0), (1, 1)] * 25, 0.25, HORIZON)


@pytest.mark.parametrize("share", [0.001, 0.25, 0.95])
def test_every_share_that_may_be_declared_can_be_judged(share: float) -> None:
    assert not is_slow([(1000, 0)] * 300, share, HORIZON)
    if share <= 0.25:
        assert is_slow([(1000, 1000)] * 300, share, HORIZON)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=50))
def test_more_slow_answers_never_make_it_look_faster(looks: list[tuple[int, int]]) -> None:
    worse = [(answers, answers) for answers, _ in looks]
    if is_slow([(a, min(a, s)) for a, s in looks], 0.25, HORIZON):
        assert is_slow(worse, 0.25, HORIZON)


def test_the_limit_comes_from_the_old_colour_or_from_the_platform() -> None:
    assert limit_of(SlowPolicy(), 0.2, LEAST_BEFORE) == pytest.approx(0.3)
    assert limit_of(SlowPolicy(), 0.001, 1000) == NEVER_SLOW
    assert limit_of(SlowPolicy(limit=0.8), 0.2, 1000) == 0.8
    assert limit_of(SlowPolicy(limit=0.8, times=2), 0.2, 1000) == pytest.approx(0.4)
    assert limit_of(SlowPolicy(limit=0.8, times=2), 9.0, 1000) == 0.8


def test_the_bucket_in_which_the_limit_lies_is_not_slow_and_the_next_one_is() -> None:
    assert slow_over(SlowPolicy(limit=0.5), ()) == bucket(0.5)
    assert slow_over(SlowPolicy(times=2), row_of({bucket(0.1): 1000})) == bucket(2 * edge(bucket(0.1)))
    assert slow_over(SlowPolicy(), ()) is None
    assert slow_over(SlowPolicy(limit=55), ()) == LAST - 1
    assert slow_over(SlowPolicy(limit=56), ()) == LAST


@pytest.mark.parametrize(("kept", "answers"), [(0.2, LEAST_BEFORE - 1), (math.nan, 0), (math.inf, 1000)])
def test_with_too_little_before_there_is_no_limit_but_a_declared_one(kept: float, answers: int) -> None:
    assert limit_of(SlowPolicy(), kept, answers) is None
    assert limit_of(SlowPolicy(limit=0.8), kept, answers) == 0.8
