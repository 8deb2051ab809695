"""What the report says of a flip, and that nothing unknown is told as nothing."""

from dataclasses import replace

import pytest

from otagate.core.flips import Count, Flip
from otagate.report.turned import drain_picture, flip_picture, flip_report
from tests.samples import START


def counts(*rows: tuple[float, int, int, int]) -> tuple[Count, ...]:
    """At (seconds after the turn), answers, errors, open sessions."""
    return tuple(Count(START + at, answers, errors, sessions, answers, 0) for at, answers, errors, sessions in rows)


FLIP = Flip(
    "blue",
    "green",
    START - 0.05,
    START - 0.03,
    START,
    START + 0.4,
    old=counts((-8.0, 100, 0, 3), (-0.3, 177, 0, 4), (0.01, 180, 0, 4), (1.0, 180, 0, 2), (5.0, 180, 0, 0)),
    new=counts((-8.0, 0, 0, 0), (-0.3, 2, 0, 0), (0.01, 3, 0, 1), (1.0, 13, 1, 2), (5.0, 53, 2, 3)),
    cut=1,
)


def test_a_flip_is_told_from_the_last_count_before_it_on() -> None:
    told = flip_report(FLIP)
    assert told["figures"] == {
        "failed": "2",
        "sent to the old colour after the turn": "0",
        "sessions cut": "1",
    }
    assert told["times"] == [
        ("intent", "15:59:59 UTC"),
        ("map file", "+0.02 s"),
        ("switch", "+0.05 s"),
        ("every listener answered", "+0.45 s"),
    ]
    assert told["sides"] == [("green", "new", ["51", "2", "0", "0", "3"]), ("blue", "old", ["3", "0", "0", "4", "0"])]


@pytest.mark.parametrize(
    "flip",
    [replace(FLIP, turned=None), replace(FLIP, old=()), replace(FLIP, old=counts((-1.0, 9, 0, 0), (1.0, 3, 0, 0)))],
)
def test_what_was_not_counted_is_unknown_and_never_nought(flip: Flip) -> None:
    assert flip_report(flip)["figures"]["sent to the old colour after the turn"] == "unknown"


def test_a_step_that_never_came_is_told_so() -> None:
    assert ("every listener answered", "never") in flip_report(replace(FLIP, answered=None))["times"]


def test_the_picture_shows_both_colours_in_answers_failures_and_sessions() -> None:
    drawn = str(flip_picture(FLIP))
    for part in ("Answers per second · at most 10.1", "Failed per second · at most 1.01", "Open sessions · at most 4"):
        assert part in drawn
    assert drawn.count('class="line new"') == drawn.count('class="line old"') == 2
    assert drawn.count('class="turn"') == 3


def test_two_counts_in_a_moment_make_no_rate() -> None:
    flip = replace(FLIP, new=counts((0.0, 0, 0, 0), (0.01, 5, 0, 0), (1.0, 10, 0, 0)), old=())
    assert "Answers per second · at most 10<" in str(flip_picture(flip))


def test_only_the_seconds_around_the_turn_are_drawn() -> None:
    far = replace(FLIP, old=counts((-900.0, 0, 0, 7), (-1.0, 100, 0, 3), (1.0, 100, 0, 0), (9000.0, 100, 0, 0)))
    drawn = str(flip_picture(far))
    assert ">-30 s<" in drawn
    assert "1000 s" not in drawn


@pytest.mark.parametrize("flip", [replace(FLIP, old=(), new=()), replace(FLIP, turned=float("nan"))])
def test_without_counts_or_a_time_there_is_no_picture(flip: Flip) -> None:
    assert flip_picture(flip) == ""


def test_a_drain_is_drawn_as_it_falls_and_a_cut_is_no_fall() -> None:
    drawn = str(drain_picture(replace(FLIP, left=((START, 3), (START + 4, 1), (START + 9, 1)))))
    assert "Sessions left on blue" in drawn
    assert "at most 3" in drawn
    assert ">8 s<" in drawn, "until the cut"


@pytest.mark.parametrize("left", [(), ((START, 0),), ((float("nan"), 2),)])
def test_a_drain_of_nothing_is_no_picture(left: tuple[tuple[float, int], ...]) -> None:
    assert drain_picture(replace(FLIP, left=left)) == ""
