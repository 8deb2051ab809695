"""Epochs are given out by leases and by turns of the switch, which may want one at the same moment."""

import threading
from collections.abc import Callable

import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.core.traffic import Claim, Kind, Scope
from otagate.steward.leases import Leases
from tests.steward.world import Steward, World, serves, view_of

CLAIM = Claim(Scope.MIRROR, "bob", "bob@here:1", "otagate test", "a test")


def meanwhile(steward: Steward, monkeypatch: pytest.MonkeyPatch, other: Callable[[], object]) -> threading.Thread:
    """Once the next epoch was looked up, `other` has a fifth of a second before it is written."""
    whole, beside = steward.book.new_epoch, threading.Thread(target=other)

    def new_epoch() -> int:
        epoch = whole()
        if beside.ident is None:
            beside.start()
            beside.join(0.2)
        return epoch

    monkeypatch.setattr(steward.book, "new_epoch", new_epoch)
    return beside


def test_a_lease_taken_in_the_middle_of_a_turn_does_not_break_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    steward = world.live()
    beside = meanwhile(steward, monkeypatch, lambda: Leases(steward.book).acquire(CLAIM, 0, lambda: False))
    steward.promote()
    beside.join()
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.GREEN)


def test_a_turn_made_while_a_lease_is_taken_does_not_break_the_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    beside = meanwhile(steward, monkeypatch, steward.course.run)
    holder = Leases(steward.book).acquire(CLAIM, 0, lambda: False)
    beside.join()
    assert view_of(steward).phase is Phase.PROMOTED
    assert holder.epoch < steward.book.account.live_epoch
