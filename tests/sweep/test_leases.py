"""The short form of the leases among many."""

from collections.abc import Iterator

import pytest

from tests.sweep.kill_sweep import room
from tests.sweep.leases import AT_ONCE, Handed, judged, killed_holders, race
from tests.sweep.stories import Grounds, Scene, Told


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    with room() as folder:
        yield Grounds(folder)


def test_a_killed_holders_lease_is_the_next_ones_at_once(grounds: Grounds) -> None:
    handed = killed_holders(grounds, 10)
    assert len(handed.seconds) == 10
    assert max(handed.seconds) <= AT_ONCE
    assert handed.newer, "an epoch was given twice"
    assert not handed.wrong


@pytest.mark.parametrize(
    "handed",
    [Handed([0.1, 0.1], [1, 2, 2]), Handed([0.1, 0.1], [1, 3, 2]), Handed([9.0], [1, 2]), Handed([-0.1], [1, 2])],
)
def test_control_an_epoch_that_is_not_newer_and_a_lease_that_comes_late_or_from_the_living_are_found(
    handed: Handed,
) -> None:
    assert handed.wrong


def test_of_many_promoters_one_wins_and_the_others_are_told_who(grounds: Grounds) -> None:
    came = race(grounds, promoters=8, rounds=1)
    assert came.wrong == []
    assert came.rounds == 1


def test_control_two_winners_and_a_loser_who_is_told_nothing_are_found(grounds: Grounds) -> None:
    won = Told(("promote",), 0, {}, "")
    lost = Told(("promote",), 7, {"errors": [{"message": "busy", "hint": ""}]}, "")
    assert any("winners: [0, 1]" in what for what in judged(Scene(grounds.copy("tested")), {0: won, 1: won}))
    assert any("person-1 was told 7" in what for what in judged(Scene(grounds.copy("tested")), {0: won, 1: lost}))
