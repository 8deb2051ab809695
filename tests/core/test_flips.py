"""What is read of a promotion's flips, and what is said to be unknown."""

from typing import Any

import pytest

from otagate.core.flips import Count, Flip, flips, rise
from otagate.core.promotion import Phase
from otagate.core.traffic import Happening, StewardEvent


def step(at: float, stage: str, came: str | None = "blue", to: str = "green") -> StewardEvent:
    data = {"stage": stage, "came": came, "to": to, "epoch": 7}
    return StewardEvent(at, Happening.STEP, Phase.FLIPPING, stage, data)


def traffic(at: float, blue: int, green: int, sessions: int = 0) -> StewardEvent:
    def said(taken: int) -> dict[str, int]:
        return {"answers": taken, "errors": 0, "sessions": sessions, "taken": taken, "aborted": 0}

    data = {"blue": said(blue), "green": said(green)}
    return StewardEvent(at, Happening.TRAFFIC, Phase.WATCHING, "", data)


def count(at: float, taken: int, sessions: int = 0) -> Count:
    return Count(at, taken, 0, sessions, taken, 0)


FORWARD = [
    traffic(1.0, 100, 0),
    traffic(9.0, 180, 0),
    step(10.0, "intent"),
    step(10.1, "written"),
    step(10.2, "turned"),
    traffic(10.3, 190, 1),
    step(10.5, "done"),
    traffic(11.0, 190, 8),
]


def test_a_flip_has_its_times_and_both_colours_counts() -> None:
    (flip,) = flips(FORWARD)
    assert (flip.came, flip.to) == ("blue", "green")
    assert (flip.intended, flip.written, flip.turned, flip.answered) == (10.0, 10.1, 10.2, 10.5)
    assert flip.old == (count(1.0, 100), count(9.0, 180), count(10.3, 190), count(11.0, 190))
    assert flip.new == (count(1.0, 0), count(9.0, 0), count(10.3, 1), count(11.0, 8))
    assert flip.across(flip.old) == flip.old[1:]
    assert flip.stale == 0


def test_what_the_old_colour_is_given_after_the_turn_is_stale() -> None:
    (flip,) = flips([*FORWARD, traffic(12.0, 193, 20)])
    assert flip.stale == 3


def test_a_way_back_is_a_flip_of_its_own_and_ends_the_first() -> None:
    cut = StewardEvent(30.0, Happening.DRAIN, Phase.FINALIZING, "cut", {"cut": [{"client": "a"}, {"client": "b"}]})
    back = [step(20.0, stage, "green", "blue") for stage in ("intent", "written", "turned", "done")]
    first, second = flips([*FORWARD, *back, traffic(21.0, 200, 9), traffic(22.0, 210, 9), cut])
    assert first.new[-1].at == 11.0
    assert (second.came, second.to, second.cut, first.cut) == ("green", "blue", 2, 0)
    assert second.across(second.old) == (count(11.0, 8), count(21.0, 9), count(22.0, 9))
    assert (first.stale, second.stale) == (0, 0)


def cut(at: float, colour: str, sessions: int) -> StewardEvent:
    return StewardEvent(at, Happening.DRAIN, Phase.ROLLING_BACK, "cut", {"cut": [{}] * sessions, "colour": colour})


def turn(at: float, came: str, to: str, *stages: str) -> list[StewardEvent]:
    return [step(at, stage, came, to) for stage in stages]


DONE = ("intent", "written", "turned", "done")
VOID = ("intent", "written", "void")


def test_what_a_hold_cuts_is_of_the_turn_that_it_comes_before() -> None:
    late, held = cut(15.0, "blue", 1), cut(19.0, "green", 2)
    first, second = flips([*FORWARD, late, held, *turn(20.0, "green", "blue", *DONE)])
    assert (first.cut, second.cut) == (1, 2)
    (rollback,) = flips([cut(1.0, "blue", 3), *FORWARD])
    assert rollback.cut == 3


def test_what_a_hold_cut_before_a_turn_that_was_refused_is_of_the_one_that_was_made() -> None:
    refused = turn(20.0, "green", "blue", *VOID)
    events = [*FORWARD, cut(19.0, "green", 2), *refused, cut(21.0, "green", 1)]
    first, second = flips([*events, *turn(22.0, "green", "blue", *DONE)])
    assert (first.cut, second.cut) == (0, 3)
    (only,) = flips(events)
    assert only.cut == 3, "of a flip that was undone without another"
    assert flips([cut(1.0, "blue", 3)]) == ()


def left(at: float, sessions: Any, **more: Any) -> StewardEvent:
    return StewardEvent(at, Happening.DRAIN, Phase.WATCHING, "left", {"left": {"web": 0, "dicom": sessions}, **more})


def test_each_flip_has_the_sessions_of_the_colour_that_it_left_until_they_were_cut() -> None:
    blue, green = {"colour": "blue"}, {"colour": "green"}
    back = [*turn(20.0, "green", "blue", *DONE), left(21.0, 9, **green), left(22.0, 7, **green), cut(25.0, "green", 7)]
    first, second = flips([*FORWARD, left(11.0, 3, **blue), left(12.0, 1, **blue), *back])
    assert first.left == ((11.0, 3), (12.0, 1))
    assert second.left == ((21.0, 9), (22.0, 7), (25.0, 7))


def test_what_drains_where_nothing_was_turned_back_is_no_drain_of_the_other_colour() -> None:
    (flip,) = flips([*FORWARD, left(11.0, 3, colour="blue"), left(21.0, 9, colour="green")])
    assert flip.left == ((11.0, 3),)


def test_of_an_older_record_what_names_no_colour_is_the_last_flips() -> None:
    first, second = flips([*FORWARD, left(11.0, 3), *turn(20.0, "green", "blue", *DONE), left(21.0, 9)])
    assert (first.left, second.left) == (((11.0, 3),), ((21.0, 9),))


@pytest.mark.parametrize("odd", [None, -1, "3", True, float("nan")])
def test_sessions_left_that_are_no_count_are_left_out(odd: Any) -> None:
    (flip,) = flips([*FORWARD, left(11.0, odd), cut(12.0, "blue", 1)])
    assert (flip.left, flip.cut) == ((), 1)


def test_what_was_refused_or_came_from_nothing_is_no_flip() -> None:
    assert flips([step(1.0, "intent"), step(1.1, "written"), step(1.2, "void")]) == ()
    assert flips([step(1.0, stage, None) for stage in ("intent", "written", "turned", "done")]) == ()
    assert flips([step(1.0, "turned"), traffic(2.0, 1, 1)]) == ()


def test_a_flip_that_was_cut_off_says_how_far_it_came() -> None:
    (flip,) = flips([step(1.0, "intent"), step(1.1, "written")])
    assert (flip.written, flip.turned, flip.stale) == (1.1, None, None)
    assert flip == Flip("blue", "green", 1.0, 1.1)


def test_who_finds_nothing_turned_and_says_that_all_answer_gives_the_flip_no_answer() -> None:
    (flip,) = flips([step(1.0, "intent"), *turn(3.1, "green", "blue", "done")])
    assert flip == Flip("blue", "green", 1.0)


@pytest.mark.parametrize(
    ("taken", "rose"), [([], None), ([5], None), ([5, 5], 0), ([5, 7, 9], 4), ([5, 9, 2], None), ([5, 0, 9], None)]
)
def test_a_counter_that_fell_or_was_not_seen_twice_tells_nothing(taken: list[int], rose: int | None) -> None:
    assert rise([count(float(at), n) for at, n in enumerate(taken)], "taken") == rose


@pytest.mark.parametrize(
    "odd", [None, 3, "blue", {}, {"answers": 1}, dict.fromkeys(("answers", "errors", "sessions", "taken", "aborted"))]
)
def test_odd_counts_are_left_out(odd: Any) -> None:
    event = StewardEvent(11.5, Happening.TRAFFIC, Phase.WATCHING, "", {"blue": odd, "green": odd, "cut": odd})
    assert flips([*FORWARD, event]) == flips(FORWARD)


@pytest.mark.parametrize("value", [-1, True, 1.5, "1", float("nan")])
def test_a_count_is_a_whole_number_from_zero_up(value: Any) -> None:
    said = {"answers": 1, "errors": 0, "sessions": 0, "taken": value, "aborted": 0}
    event = StewardEvent(11.5, Happening.TRAFFIC, Phase.WATCHING, "", {"blue": said})
    assert flips([*FORWARD, event]) == flips(FORWARD)
