"""The watch: every way back, and no way to "enough" without having seen."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otagate.core.answer_times import bucket
from otagate.core.sight import at_least
from otagate.core.watch import (
    ANSWERS,
    SESSIONS,
    Back,
    Enough,
    Gauge,
    GoOn,
    Sample,
    Series,
    Tally,
    WatchPolicy,
    look_on,
    luck,
)

POLICY = WatchPolicy(lasts=10.0, every=0.5, window=3.0, error_share=0.02, minimum=20, blind=4, unhealthy=3)
FLIP = 100.0


def looks(count: int, *, answers: int = 0, errors: int = 0, up: bool = True, start: float = FLIP) -> list[Sample]:
    """Looks every half second, each with so many more answers and errors."""
    return [Sample(start + i * 0.5, up, i * answers, i * errors) for i in range(count)]


def blind(at: float) -> Sample:
    return Sample(at, None, None, None)


def judged(
    samples: Sequence[Sample], policy: WatchPolicy = POLICY, *, now: float | None = None, gauge: Gauge = ANSWERS
) -> GoOn | Enough | Back:
    at = now if now is not None else samples[-1].at
    return look_on(seen(samples, policy, gauge), flipped_at=FLIP, now=at)


def seen(samples: Sequence[Sample], policy: WatchPolicy = POLICY, gauge: Gauge = ANSWERS) -> Series:
    return reduce(Series.after, samples, Series(policy, gauge))


def test_a_busy_healthy_colour_is_enough_when_the_time_is_over() -> None:
    assert judged(looks(21, answers=50)) == Enough(1000)


def test_before_the_time_is_over_it_goes_on_and_says_how_long() -> None:
    assert judged(looks(11, answers=50)) == GoOn(5.0)


def test_a_quiet_clinic_is_enough_on_healthy_looks_alone() -> None:
    assert judged(looks(21)) == Enough(0)


@pytest.mark.parametrize("samples", [[], [blind(FLIP + i) for i in range(2)], looks(2, start=FLIP)])
def test_a_watch_that_saw_nothing_is_back_at_the_latest_a_window_after_its_time(samples: list[Sample]) -> None:
    assert judged(samples, now=FLIP + 12.9) == GoOn(0.0)
    verdict = judged(samples, now=FLIP + 13.0)
    assert isinstance(verdict, Back)
    assert verdict.reason == "nothing-seen"


def test_old_health_is_no_health() -> None:
    verdict = judged(looks(5), now=FLIP + 13.0)
    assert isinstance(verdict, Back)
    assert verdict.reason == "nothing-seen"


def test_a_zero_length_watch_still_needs_its_healthy_looks() -> None:
    at_once = replace(POLICY, lasts=0.0)
    assert judged(looks(2), at_once) == GoOn(0.0)
    assert judged(looks(3), at_once) == Enough(0)
    assert judged([*looks(3), blind(FLIP + 1.5)], at_once) == Enough(0)
    down = judged(looks(3, up=False), at_once)
    assert isinstance(down, Back)
    assert down.reason == "unhealthy"
    sightless = judged([blind(FLIP + i * 0.5) for i in range(4)], at_once)
    assert isinstance(sightless, Back)
    assert sightless.reason == "blind"


@pytest.mark.parametrize("gauge", [ANSWERS, SESSIONS])
@pytest.mark.parametrize(("answers", "errors"), [(20, 1), (1, 1), (400, 40), (50, 50)])
def test_a_zero_length_watch_judges_no_answers(gauge: Gauge, answers: int, errors: int) -> None:
    at_once = replace(POLICY, lasts=0.0)
    assert judged(looks(3, answers=answers, errors=errors), at_once, gauge=gauge) == Enough(2 * answers)


def test_errors_above_the_share_in_the_window_are_back_at_once() -> None:
    verdict = judged([*looks(4, answers=50), Sample(FLIP + 2.0, True, 200, 20)])
    assert verdict == Back("errors", "20 errors in 200 answers of the last 3 s", 0.1, 0.02)


def test_errors_that_luck_explains_wait_for_more_of_them() -> None:
    assert isinstance(judged([*looks(4, answers=50), Sample(FLIP + 2.0, True, 200, 5)]), GoOn)
    assert isinstance(judged([Sample(FLIP, True, 0, 0), Sample(FLIP + 1, True, 20, 1)]), GoOn)
    assert isinstance(judged([Sample(FLIP, True, 0, 0), Sample(FLIP + 1, True, 20, 6)]), Back)


def test_where_no_error_may_be_the_first_is_back() -> None:
    none = replace(POLICY, error_share=0.0)
    assert isinstance(judged([*looks(4, answers=50), Sample(FLIP + 2.0, True, 200, 1)], none), Back)


def test_the_share_of_the_whole_watch_is_judged_as_it_is_at_the_end() -> None:
    late = [*looks(20, answers=5), Sample(FLIP + 10.0, True, 100, 3)]
    assert judged(late) == Back("errors", "3 errors in 100 answers of the watch", 0.03, 0.02)


@pytest.mark.parametrize(
    ("errors", "answers", "share", "bound"),
    [(6, 20, 0.02, 9.8e-6), (20, 20, 0.02, 0.02**20), (2, 100, 0.02, 1.0), (1, 9, 0.0, 0.0), (0, 9, 0.0, 1.0)],
)
def test_what_luck_explains(errors: int, answers: int, share: float, bound: float) -> None:
    assert luck(errors, answers, share) == pytest.approx(bound, rel=0.01)
    assert luck(answers, answers, 1.0) == 1.0


@given(st.integers(1, 60), st.floats(0.001, 0.9), st.data())
def test_luck_is_never_less_than_the_chance_itself(answers: int, share: float, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, answers))
    assert luck(errors, answers, share) >= at_least(errors, answers, share) - 1e-9


def test_errors_at_the_share_are_within_it() -> None:
    assert isinstance(judged([*looks(4, answers=50), Sample(FLIP + 2.0, True, 200, 4)]), GoOn)


def test_the_window_does_not_let_a_good_hour_hide_a_bad_moment() -> None:
    long = replace(POLICY, lasts=1000.0)
    good = looks(1000, answers=50)
    last = good[-1]
    bad = Sample(last.at + 0.5, True, (last.answers or 0) + 50, 20)
    verdict = judged([*good, bad], long)
    assert isinstance(verdict, Back)
    assert verdict.message == "20 errors in 300 answers of the last 3 s"


def test_thin_traffic_is_judged_over_the_whole_watch() -> None:
    long = replace(POLICY, lasts=1000.0)
    verdict = judged(looks(41, answers=1), long)
    assert isinstance(verdict, GoOn)
    thin = [Sample(FLIP + i, True, i, i // 5) for i in range(36)]
    verdict = judged(thin, long)
    assert verdict == Back("errors", "7 errors in 35 answers of the watch", 0.2, 0.02)


def test_few_answers_do_not_count_before_the_end_and_do_at_the_end() -> None:
    few = [Sample(FLIP + i * 0.5, True, min(i, 5), min(i, 1)) for i in range(21)]
    assert isinstance(judged(few[:20]), GoOn)
    verdict = judged(few)
    assert isinstance(verdict, Back)
    assert verdict.message == "1 errors in 5 answers of the watch"


def test_errors_without_any_answer_are_all_errors() -> None:
    verdict = judged([*looks(3), Sample(FLIP + 1.5, True, 0, 20)])
    assert isinstance(verdict, Back)
    assert verdict.measured == 1.0


def test_down_so_many_looks_in_a_row_is_back() -> None:
    down = [*looks(5), *looks(3, up=False, start=FLIP + 2.5)]
    assert judged(down) == Back("unhealthy", "down at 3 looks in a row", 3, 3)
    assert isinstance(judged(down[:-1]), GoOn)


def test_a_blind_look_between_does_not_make_it_healthy() -> None:
    down = looks(3, up=False)
    mixed = [down[0], blind(FLIP + 0.2), down[1], blind(FLIP + 0.7), down[2]]
    assert isinstance(judged(mixed), Back)


def test_a_healthy_look_between_begins_the_row_anew() -> None:
    row = [*looks(2, up=False), *looks(1, start=FLIP + 1), *looks(2, up=False, start=FLIP + 1.5)]
    assert isinstance(judged(row), GoOn)


def test_blind_so_many_looks_in_a_row_is_back() -> None:
    sightless = [*looks(5), *(blind(FLIP + 2.5 + i) for i in range(4))]
    assert judged(sightless) == Back("blind", "the switch did not answer 4 looks in a row", 4, 4)
    assert isinstance(judged(sightless[:-1]), GoOn)


@pytest.mark.parametrize(
    "nonsense",
    [Sample(FLIP, None, 1, 0), Sample(FLIP, True, None, 0), Sample(FLIP, True, 1, None), Sample(FLIP, True, -1, 0)],
)
def test_half_a_look_is_a_blind_look(nonsense: Sample) -> None:
    assert nonsense.blind
    verdict = judged([replace(nonsense, at=FLIP + i) for i in range(4)])
    assert isinstance(verdict, Back)
    assert verdict.reason == "blind"


def test_a_watch_that_ends_on_a_down_look_waits_for_what_comes_of_it() -> None:
    ended = [*looks(20), *looks(1, up=False, start=FLIP + 10)]
    assert judged(ended) == GoOn(0.0)
    assert isinstance(judged([*ended, *looks(3, start=FLIP + 10.5)]), Enough)
    assert isinstance(judged([*ended, *looks(2, up=False, start=FLIP + 10.5)]), Back)


def test_a_switch_that_restarted_counts_from_nothing_again() -> None:
    row = [Sample(FLIP, True, 1000, 100), Sample(FLIP + 1, True, 1010, 100), Sample(FLIP + 2, True, 7, 2)]
    assert seen(row).counted == Tally(17, 2)


def test_of_a_pair_only_the_one_that_restarted_counts_from_nothing_again() -> None:
    first = [Sample(FLIP, True, 900, 0), Sample(FLIP + 1, True, 7, 2)]
    second = [Sample(FLIP, True, 10_000, 500), Sample(FLIP + 1, True, 10_003, 500)]
    assert reduce(
        lambda series, both: series.after(*both), zip(first, second, strict=True), Series(POLICY)
    ).counted == (Tally(10, 2))


def test_of_a_pair_both_are_looked_at_or_nothing_is_concluded() -> None:
    up, down = Sample(FLIP, True, 5, 0, waiting=2), Sample(FLIP, False, 5, 0, waiting=3)
    series = Series(POLICY).after(up, down)
    assert (series.healthy, series.ill, series.recent[-1].waiting) == (0, 1, 5)
    assert Series(POLICY).after(up, up).healthy == 1
    assert Series(POLICY).after(up, blind(FLIP)).blind == 1


def test_the_counts_before_the_first_look_are_not_the_colours_doing() -> None:
    assert seen([Sample(FLIP, True, 1000, 500), Sample(FLIP + 1, True, 1001, 500)]).counted == Tally(1, 0)


counts = st.integers(0, 60)
some_look = st.tuples(st.sampled_from([True, False, None]), counts, counts)


@given(st.lists(some_look, max_size=60), st.floats(0, 40))
def test_enough_is_never_said_without_a_healthy_end_and_time(
    rows: list[tuple[bool | None, int, int]], late: float
) -> None:
    answers = errors = 0
    samples = []
    for i, (up, more, bad) in enumerate(rows):
        answers, errors = answers + more, errors + bad
        samples.append(Sample(FLIP + i * 0.5, up, answers, errors))
    now = (samples[-1].at if samples else FLIP) + late
    verdict = judged(samples, now=now)
    if isinstance(verdict, Enough):
        readable = [s for s in samples if s.up is not None]
        assert all(s.up for s in readable[-3:])
        assert len(readable) >= 3
        assert now - FLIP >= POLICY.lasts
        assert seen(samples).counted.share <= POLICY.error_share
    if isinstance(verdict, GoOn):
        assert now - FLIP < POLICY.lasts + POLICY.window


@given(st.lists(some_look, max_size=40))
def test_a_watch_always_ends(rows: list[tuple[bool | None, int, int]]) -> None:
    samples = [Sample(FLIP + i * 0.5, *row) for i, row in enumerate(rows)]
    assert not isinstance(judged(samples, now=FLIP + POLICY.lasts + POLICY.window), GoOn)


@given(st.lists(some_look, max_size=60))
def test_what_is_kept_tells_the_window_and_the_whole(rows: list[tuple[bool | None, int, int]]) -> None:
    """Counters as they come: where one fell, a restarted switch began anew."""
    samples = [Sample(FLIP + i * 0.5, *row) for i, row in enumerate([*rows, (True, 30, 30)])]
    readable = [replace(sample, errors=sample.answers) for sample in samples if not sample.blind]
    answers = [0]
    for before, after in pairwise(sample.answers or 0 for sample in readable):
        answers.append(answers[-1] + (after - before if after >= before else after))
    series = seen(readable)
    older = len(readable) - len(series.recent)
    assert series.counted == Tally(answers[-1], answers[-1])
    assert [sample.answers for sample in series.recent] == answers[older:]
    begun = readable[-1].at - POLICY.window
    assert all(sample.at < begun for sample in readable[:older])
    assert older == 0 or readable[older].at <= begun


def test_a_look_late_in_a_day_goes_over_no_more_looks_than_an_early_one() -> None:
    series = seen(looks(5000, answers=50), replace(POLICY, lasts=86400.0))
    assert len(series.recent) <= POLICY.window / 0.5 + 2
    assert look_on(series, flipped_at=FLIP, now=FLIP + 4999 * 0.5) == GoOn(86400 - 4999 * 0.5)
    assert series.counted == Tally(4999 * 50, 0)


def waiting(*counts: int, answers: int = 0, start: float = FLIP) -> list[Sample]:
    return [Sample(start + i * 0.5, True, i * answers, 0, waiting=count) for i, count in enumerate(counts)]


def test_requests_that_pile_up_for_a_whole_window_are_back() -> None:
    piling = waiting(*range(60, 480, 60), answers=50)
    verdict = judged(piling, replace(POLICY, queue=50))
    assert isinstance(verdict, Back)
    assert (verdict.reason, verdict.measured, verdict.limit) == ("queue", 420, 50)
    assert isinstance(judged(piling[:-1], replace(POLICY, queue=50)), GoOn), "no whole window yet"


def test_requests_that_nobody_answers_are_back_however_slowly_they_grow() -> None:
    hung = waiting(*[60] * 7)
    assert isinstance(judged(hung), Back)
    assert isinstance(judged(waiting(*[60] * 7, answers=1)), GoOn)


def test_many_requests_in_progress_are_no_queue_while_they_are_answered() -> None:
    busy = waiting(*[200, 220, 190, 210, 230, 180, 205] * 3, answers=500)
    assert isinstance(judged(busy), Enough)


def test_one_look_at_a_short_queue_is_enough_relief() -> None:
    assert isinstance(judged(waiting(60, 120, 180, 50, 300, 360, 420, answers=50)), GoOn)


def sessions(samples: Sequence[Sample]) -> GoOn | Enough | Back:
    return judged(samples, gauge=SESSIONS)


def test_a_few_lost_sessions_are_back_where_a_few_lost_answers_are_not() -> None:
    lost = [Sample(FLIP, True, 5, 0), Sample(FLIP + 0.5, True, 8, 3)]
    verdict = sessions(lost)
    assert isinstance(verdict, Back)
    assert (verdict.reason, verdict.message) == ("cut", "3 sessions refused or broken off of 3 in the last 3 s")
    assert isinstance(sessions([lost[0], Sample(FLIP + 0.5, True, 8, 2)]), GoOn)
    assert isinstance(judged(lost), GoOn)


def test_fewer_lost_sessions_than_cut_are_none_at_the_end_of_the_watch_either() -> None:
    """One sender that a clinic has under a wrong title, among few: what a share of the answers would be back for."""

    def ended(lost: int, begun: int) -> GoOn | Enough | Back:
        return sessions([*looks(20), Sample(FLIP + 10.0, True, begun, lost)])

    assert ended(1, 30) == Enough(30)
    assert ended(2, 2) == Enough(2)
    assert ended(3, 30) == Back("cut", "3 sessions refused or broken off of 30 in the last 3 s", 0.1, 0.02)
    one = [*looks(20), Sample(FLIP + 10.0, True, 30, 1)]
    assert isinstance(judged(one, replace(POLICY, cut=1), gauge=SESSIONS), Back)


def test_open_sessions_that_break_off_count_where_none_begins() -> None:
    verdict = sessions([Sample(FLIP, True, 5, 0), Sample(FLIP + 0.5, True, 5, 3)])
    assert isinstance(verdict, Back)
    assert verdict.measured == 1.0


def test_few_lost_of_very_many_sessions_are_within_the_share() -> None:
    busy = [Sample(FLIP + i * 0.5, True, i * 500, i // 5) for i in range(21)]
    assert isinstance(sessions(busy), Enough)


def timed(count: int, slow: int, over: int | None = bucket(0.3), start: int = 0) -> GoOn | Enough | Back:
    """Ten answers a look, so many of them slow from look `start` on."""
    samples = [
        Sample(FLIP + i * 0.5, True, i * 10, 0, timed=i * 10, slow=max(0, i - start) * slow) for i in range(count)
    ]
    return judged(samples, replace(POLICY, lasts=30), gauge=Gauge(slow_over=over))


def test_slow_answers_are_back_with_number_against_limit() -> None:
    verdict = timed(40, 10, start=10)
    assert isinstance(verdict, Back)
    assert verdict == Back("slow", "60 of 60 answers of the last 3 s took longer than 0.304 s, 25% may", 1.0, 0.25)
    assert isinstance(timed(15, 10, start=10), GoOn), "five looks are no evidence"


def test_some_slow_answers_are_silent_and_so_is_a_watch_without_a_limit() -> None:
    assert isinstance(timed(61, 2), Enough)
    assert isinstance(timed(61, 10, over=None), Enough)


def test_a_switch_begun_anew_has_timed_only_what_it_says() -> None:
    row = [Sample(FLIP, True, 900, 0, timed=900, slow=800), Sample(FLIP + 1, True, 7, 0, timed=7, slow=2)]
    assert seen(row).counted == Tally(7, 0, 7, 2)


def test_an_invariant_is_judged_like_health() -> None:
    gauge = Gauge(sightless="invariant x could not be read", ill="invariant x was not true", reason="invariant")
    broken = [Sample(FLIP + i, i < 2, 0, 0) for i in range(5)]
    verdict = judged(broken, gauge=gauge)
    assert verdict == Back("invariant", "invariant x was not true at 3 looks in a row", 3, 3)
    unread = [Sample(FLIP + i, None, 0, 0) for i in range(4)]
    verdict = judged(unread, gauge=gauge)
    assert verdict == Back("blind", "invariant x could not be read 4 looks in a row", 4, 4)
