"""Counts of answers by how long they took."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.answer_times import LAST, between, bucket, edge, kept_by, row_of, slower


@given(st.floats(1e-6, 1000))
def test_a_bucket_holds_its_time(took: float) -> None:
    index = bucket(took)
    assert took <= edge(index) * (1 + 1e-9)
    assert index == 0 or took >= edge(index - 1) * (1 - 1e-9)


def test_only_what_was_certainly_slower_counts() -> None:
    times = row_of({0: 5, bucket(0.3): 7, bucket(0.3) + 1: 2, LAST: 1})
    assert slower(times, bucket(0.3)) == 3
    assert slower(times, LAST) == 0
    assert kept_by(times, 0.8) == edge(bucket(0.3))
    assert math.isnan(kept_by((), 0.9))
    assert kept_by(row_of({LAST: 1}), 0.9) == math.inf


def test_a_switch_begun_anew_has_counted_nothing_in_between() -> None:
    assert between((1, 2), (3, 2)) == (2, 0)
    assert between((1, 2), (0, 5)) is None


@pytest.mark.parametrize("counted", [{-1: 1}, {LAST + 1: 1}, {3: -1}])
def test_odd_counts_are_refused(counted: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="no counts of answer times"):
        row_of(counted)
