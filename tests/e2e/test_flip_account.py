"""The account of a run sounds the alarm where it should: each kind of wrong is planted and found."""

import math

from tests.e2e.flip_account import Flip, account_of
from tests.e2e.open_loop import Ask

FLIPS = [Flip(10.0, 10.1, "green"), Flip(20.0, 20.1, "blue")]


def ask(sent: float, colour: str, stream: str = "kept", took: float = 0.002) -> Ask:
    return Ask(stream, sent, sent, sent + took, colour)


def test_a_clean_run_has_nothing_against_it() -> None:
    asks = [ask(5, "blue"), ask(10.05, "blue"), ask(11, "green"), ask(11, "green", "tcp"), ask(21, "blue")]
    found = account_of(asks, FLIPS)
    assert (found.asks, found.failed, found.stale, found.mixed) == (5, 0, 0, 0)


def test_what_was_not_answered_is_failed() -> None:
    assert account_of([ask(5, "")], FLIPS).failed == 1


def test_an_old_answer_to_what_was_sent_after_the_acknowledgement_is_stale() -> None:
    assert account_of([ask(10.2, "blue")], FLIPS).stale == 1
    assert account_of([ask(10.05, "blue", took=1.0)], FLIPS).stale == 0, "it was sent before"
    assert account_of([ask(19.9, "blue", took=1.0)], FLIPS).stale == 0, "it overlaps the next flip"


def test_listeners_are_mixed_if_one_is_new_while_the_other_still_answers_old() -> None:
    assert account_of([ask(10.01, "green", "tcp"), ask(10.05, "blue")], FLIPS).mixed == 1
    assert account_of([ask(10.01, "green", "fresh"), ask(10.05, "blue")], FLIPS).mixed == 0, "one listener"
    assert account_of([ask(10.05, "green", "tcp"), ask(10.01, "blue")], FLIPS).mixed == 0, "old, then new"


def test_latency_is_told_apart_near_and_far_from_flips() -> None:
    found = account_of([ask(5, "blue", took=0.001), ask(10.5, "green", took=0.5)], FLIPS)
    assert (round(found.calm.p50), found.calm.count) == (1, 1)
    assert (round(found.around.p99), found.around.count) == (500, 1)
    assert math.isnan(account_of([], FLIPS).calm.p50)
