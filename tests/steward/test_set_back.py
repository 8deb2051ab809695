"""What was turned and set back may have served, also where what it was set back to hangs and `recover` has to end it:
it is left as one that was live, and not as one that nothing was turned to."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.steward.account import Stage
from otagate.steward.journal import Entry, Journal
from tests.steward.pairs import both, other, told
from tests.steward.test_aftermath import only
from tests.steward.test_hung_release import recovered
from tests.steward.test_rollback_fails import rolled
from tests.steward.world import Killed, Steward, World, view_of

UNMOVED = "nothing was turned"


def set_back(world: World) -> Steward:
    """Green served at the first switch until the second would not, and what is live hangs."""
    steward = world.live()
    world.services.hung.add("blue-web")
    other(world).refuses = "no server up: web_green"
    steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    assert world.switch.served == {Colour.BLUE, Colour.GREEN}, "control: it served"
    assert both(world) == (Colour.BLUE, Colour.BLUE)
    return steward


def ended(world: World, steward: Steward) -> None:
    """As what is gone back from: asked what it wrote, set apart, held, and nothing is open on it."""
    assert view_of(steward).phase is Phase.ROLLED_BACK
    incident = only(steward)
    assert (incident.colour, incident.promotion) == (Colour.GREEN, "p-1")
    assert [(written.count, written.quarantined) for written in incident.written] == [(0, 0)]
    assert not [said for said in steward.told("p-1") if UNMOVED in said]
    assert not world.switch.sessions.get("dicom_green")
    assert steward.book.account.live is Colour.BLUE is world.switch.entry()[0] is world.map_file.read()[0]


def test_recover_ends_it_as_one_that_was_live(pair: World) -> None:
    steward = set_back(pair)
    pair.switch.sessions["dicom_green"] = 1
    assert recovered(steward) is Phase.ROLLED_BACK
    ended(pair, steward)
    assert [debt for debt in view_of(steward).debts if debt.startswith("1 session of green cut")]
    assert "which was set back: no server up" in view_of(steward).reason
    assert "green may have served, blue is live as it was before" in "\n".join(steward.told("p-1"))
    assert told(steward) == ()


def test_once_what_hung_answers_it_is_gone_back_to(pair: World) -> None:
    """The control."""
    steward = set_back(pair)
    pair.services.hung.clear()
    assert recovered(steward) is Phase.ROLLED_BACK
    ended(pair, steward)
    assert "blue is live again on every listener" in "\n".join(steward.told("p-1"))


def test_the_steward_alone_does_not_end_it(pair: World) -> None:
    """The control: what serves is not proven."""
    set_back(pair)
    pair.close()
    following = pair.steward()
    assert not following.course.take_on()
    assert view_of(following).phase is Phase.STRANDED


def test_a_rollback_that_was_set_back_ends_where_it_began_and_may_come_again(pair: World) -> None:
    steward = pair.live()
    steward.promote()
    pair.services.hung.add("green-web")
    other(pair).refuses = "no server up: web_blue"
    rolled(steward, "r-1")
    assert view_of(steward).phase is Phase.STRANDED
    pair.switch.sessions["dicom_blue"] = 1
    assert recovered(steward) is Phase.ROLLED_BACK
    assert pair.switch.sessions == {"dicom_blue": 0}
    assert steward.book.account.incidents == ()
    assert both(pair) == (Colour.GREEN, Colour.GREEN)
    other(pair).refuses = ""
    rolled(steward, "r-2")
    assert view_of(steward).phase is Phase.PROMOTED


def killing(monkeypatch: pytest.MonkeyPatch, here: Callable[[], bool]) -> None:
    """Asked before and after each entry is journalled."""
    whole = Journal.append

    def append(self: Journal, at: float, kind: str, promotion: str, body: Mapping[str, Any]) -> Entry:
        if here():
            raise Killed
        entry = whole(self, at, kind, promotion, body)
        if here():
            raise Killed
        return entry

    monkeypatch.setattr(Journal, "append", append)


def test_so_does_one_that_was_cut_off_as_its_map_file_was_written_back(world: World) -> None:
    """A switch that was started again just before that served it: nobody can tell."""
    steward = world.live()
    world.services.hung.add("blue-web")
    world.switch.refuses = "no"

    def here() -> bool:
        turn = steward.book.account.turn
        written = turn is not None and turn.stage is Stage.WRITTEN
        return written and world.map_file.read()[0] is Colour.BLUE

    with pytest.MonkeyPatch.context() as patched:
        killing(patched, here)
        with pytest.raises(Killed):
            steward.promote()
    world.close()
    following = world.steward()
    assert following.course.take_on()
    following.course.run()
    assert view_of(following).phase is Phase.STRANDED
    assert recovered(following) is Phase.ROLLED_BACK
    ended(world, following)


@pytest.mark.parametrize("at", range(15))
def test_killed_at_any_entry_of_that_recover_it_ends_so_by_the_next(
    pair: World, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    steward = set_back(pair)
    pair.switch.sessions["dicom_green"] = 1
    passed = [0]

    def here() -> bool:
        passed[0] += 1
        return passed[0] == at + 1

    with monkeypatch.context() as patched:
        killing(patched, here)
        try:
            recovered(steward)
        except Killed:
            pass
        else:
            assert at >= 14, "so many points there are at least"
    pair.close()
    following = pair.steward()
    if following.course.take_on():
        following.course.run()
    if view_of(following).phase is Phase.STRANDED:
        recovered(following)
    ended(pair, following)
