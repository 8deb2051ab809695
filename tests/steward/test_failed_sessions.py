"""What is open on the failed colour after a way back: traffic is back first, then it is ended, counted and named."""

from collections.abc import Mapping
from typing import Any

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.flips import flips
from otagate.core.promotion import Phase
from otagate.core.switch_counts import BackendCount
from otagate.core.traffic import Happening, Kind
from otagate.core.watch import WatchPolicy
from otagate.steward.desk import Caller
from otagate.steward.journal import JournalFull
from tests.steward.test_aftermath import only
from tests.steward.test_desk import CLAIM, Slow
from tests.steward.world import Killed, Steward, World, serves, view_of

DRAIN = 5.0  # of each intent of the world's
CUT = "3 sessions of green cut at the drain's deadline: dicom 10.0.0.1:104 open 1s; dicom 10.0.0.2:104 open 2s; "


def reached(world: World) -> None:
    """Green goes down in the watch, and three senders have reached it by then."""

    def bad() -> None:
        if world.switch.entry_now and world.switch.entry_now[0] is Colour.GREEN:
            world.switch.sessions.setdefault("dicom_green", 3)
            world.switch.down.add("web_green")

    world.clock.on_sleep = bad


def ended(steward: Steward) -> None:
    """With all that belongs to it."""
    world = steward.world
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert world.switch.sessions == {"dicom_green": 0}
    (debt,) = view_of(steward).debts
    assert debt.startswith(CUT)
    serves(world, steward, Colour.BLUE)


def turned_at(steward: Steward) -> float:
    return next(
        event.at
        for _, event in steward.book.events("p-1", 0)
        if event.data.get("stage") == "turned" and event.data["to"] == "blue"
    )


def test_they_are_given_until_the_deadline_and_cut_with_traffic_turned_long_since(world: World) -> None:
    steward = world.live()
    reached(world)
    steward.promote()
    ended(steward)
    (cut,) = [event.at for _, event in steward.book.events("p-1", 0) if "cut" in event.data]
    assert DRAIN <= cut - turned_at(steward) < DRAIN + 1
    assert "3 sessions left on green: 3 dicom" in steward.told("p-1")
    assert steward.told("p-1")[-1].endswith(
        "blue is live again on every listener; 3 sessions of green cut at the drain's deadline"
    )


def test_each_colours_sessions_are_told_as_its_own(world: World) -> None:
    steward = world.live()
    reached(world)
    world.switch.sessions["dicom_blue"] = 1
    steward.promote()
    events = [event for _, event in steward.book.events("p-1", 0)]
    drained = [event.data for event in events if event.happening is Happening.DRAIN and "left" in event.data]
    told = [(data["colour"], data["left"]["dicom"]) for data in drained]
    assert told == [("blue", 1), ("green", 3)]
    forth, back = flips(events)
    assert {left for _, left in forth.left} == {1}
    assert {left for _, left in back.left} == {3}
    assert (forth.cut, back.cut) == (0, 3)


def test_what_it_wrote_is_asked_once_nobody_can_write_to_it_any_more(world: World) -> None:
    steward = world.live()
    reached(world)
    open_: list[int] = []
    whole = world.services.tell

    def tell(url: str, body: Mapping[str, Any], deadline: float) -> Any:
        open_.append(world.switch.sessions["dicom_green"])
        return whole(url, body, deadline)

    world.services.tell = tell  # type: ignore[method-assign]
    steward.promote()
    assert open_ == [0, 0], "written_since and quarantine"
    assert only(steward).written[0].count == 0


def test_killed_meanwhile_the_next_steward_goes_on_and_begins_no_new_time(world: World) -> None:
    steward = world.live()
    reached(world)
    bad = world.clock.on_sleep

    def killed() -> None:
        bad()
        if "3 sessions left on green: 3 dicom" in steward.told("p-1"):
            raise Killed

    world.clock.on_sleep = killed
    with pytest.raises(Killed):
        steward.promote()
    assert world.switch.entry()[0] is Colour.BLUE
    world.close()
    world.clock.on_sleep = lambda: None
    following = world.steward()
    assert following.course.take_on()
    following.course.run()
    ended(following)
    assert following.book.account.last_flip == turned_at(following)
    assert world.clock.now() - turned_at(following) < DRAIN + 1


def test_what_cannot_be_ended_is_owed_and_does_not_strand_what_serves(world: World) -> None:
    steward = world.live()
    reached(world)
    whole = world.switch.counts

    def counts() -> Mapping[str, BackendCount]:
        if "every listener answers from blue" in steward.told("p-1"):
            raise SwitchFault("the switch did not answer counts", code="switch-away")
        return whole()

    world.switch.counts = counts  # type: ignore[method-assign]
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.ROLLED_BACK
    assert view.debts == ("what is still open on green was not ended: the switch did not answer counts",)
    serves(world, steward, Colour.BLUE)


def test_a_stranded_way_back_that_is_made_later_ends_them_too(world: World) -> None:
    steward = world.live()
    reached(world)
    bad = world.clock.on_sleep

    def both_bad() -> None:
        bad()
        world.services.hung.add("blue-web")

    world.clock.on_sleep = both_bad
    steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    world.clock.on_sleep = lambda: None
    world.services.hung.clear()
    slow = Slow(steward)
    slow.desk.ask(Caller(lambda: False), "recover", {"claim": CLAIM, "wait": 0})
    ended(steward)
    assert only(steward).written[0].count == 0


def test_a_rollback_that_ends_where_it_began_ends_those_of_where_it_went(world: World) -> None:
    steward = world.live()
    steward.promote()
    world.clock.on_sleep = lambda: world.switch.down.add("web_blue")
    world.switch.sessions["dicom_blue"] = 2
    steward.begin(Kind.ROLLBACK, Colour.BLUE, "r-1", watch=WatchPolicy(lasts=0.0, every=0.5))
    steward.to_flip()
    steward.course.run()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert world.switch.sessions == {"dicom_blue": 0}
    assert view_of(steward).debts[0].startswith("2 sessions of blue cut")


def test_a_debt_that_cannot_be_written_makes_the_way_back_no_less_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    steward = world.live()
    reached(world)

    def cut(_: object) -> None:
        raise SwitchFault("it would not end")

    def full(_: str) -> None:
        raise JournalFull("the steward's journal cannot be written: disk full")

    monkeypatch.setattr(world.switch, "cut", cut)
    monkeypatch.setattr(steward.book, "owe", full)
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)
