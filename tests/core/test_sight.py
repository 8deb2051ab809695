"""What a watch can see, beside watches that look."""

import random

import pytest

from otagate.core.sight import at_least, seen_share
from otagate.core.watch import Back, Sample, Series, WatchPolicy, look_on

POLICY = WatchPolicy(lasts=30.0, every=0.5)


def watched(chance: random.Random, share: float, a_look: int) -> bool:
    series, answers, errors = Series(POLICY).after(Sample(0.0, True, 0, 0)), 0, 0
    for look in range(1, 62):
        answers += a_look
        errors += sum(chance.random() < share for _ in range(a_look))
        series = series.after(Sample(look * 0.5, True, answers, errors))
        if isinstance(look_on(series, flipped_at=0.0, now=look * 0.5), Back):
            return True
    return False


def test_what_it_promises_to_see_it_sees() -> None:
    share = seen_share(POLICY, 10.0)
    assert share is not None
    chance = random.Random(3)  # noqa: S311 - the same watches at each run
    assert sum(watched(chance, share, 5) for _ in range(100)) >= 90


def test_more_traffic_sees_smaller_shares() -> None:
    shares = [seen_share(POLICY, rate) for rate in (0.2, 1, 5, 50, 500, 5000)]
    assert all(share is not None for share in shares)
    assert shares == sorted(shares, key=lambda share: -(share or 0))
    assert (shares[-1] or 0) <= 0.03


def test_without_an_answer_it_sees_none() -> None:
    assert seen_share(POLICY, 0.0) is None
    assert seen_share(WatchPolicy(error_share=1.0), 50.0) is None


@pytest.mark.parametrize(
    ("needed", "answers", "share", "chance"), [(1, 1, 0.3, 0.3), (1, 2, 0.5, 0.75), (3, 2, 0.5, 0)]
)
def test_the_chance_of_so_many_errors(needed: int, answers: int, share: float, chance: float) -> None:
    assert at_least(needed, answers, share) == pytest.approx(chance, abs=1e-12)


def test_the_bell_curve_goes_on_where_the_sum_ends() -> None:
    assert at_least(1000, 36000, 0.0271) == pytest.approx(at_least(1000, 36500, 0.02673), abs=0.01)
    assert at_least(0, 10, 0.0) == 1.0
    assert at_least(11, 10, 1.0) == 0.0
