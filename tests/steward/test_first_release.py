"""The first release: it comes from nothing, so there is no way back once it served, and only forward is left."""

from typing import Any

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind, PromotionView
from otagate.core.watch import Enough, WatchPolicy
from otagate.steward.account import Stage
from otagate.steward.desk import Caller
from otagate.steward.journal import Entry, JournalFull
from otagate.steward.map_file import MapFile
from tests.steward.test_desk import CLAIM, Slow
from tests.steward.world import Steward, World, serves, view_of


def test_a_first_release_goes_live_from_nothing(world: World) -> None:
    steward = world.live()
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)
    assert not steward.book.account.colours["blue"].warm


def test_a_first_release_is_not_stranded_by_its_first_errors(world: World) -> None:
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1", watch=WatchPolicy(lasts=0.0, every=0.5))
    steward.to_flip()

    def erring() -> None:
        for counted, more in ((world.switch.answers, 2), (world.switch.errors, 1)):
            counted["web_blue"] = counted.get("web_blue", 0) + more

    world.clock.on_sleep = erring
    steward.course.run()
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)


def test_a_first_release_that_never_reached_a_switch_leaves_nothing(world: World) -> None:
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    world.switch.away = True
    steward.course.run()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert not world.map_file.exists()
    assert steward.book.account.live is None


def stranded(world: World) -> Steward:
    """Its watch saw it down three times."""
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    world.clock.on_sleep = lambda: world.switch.down.add("web_blue")
    steward.course.run()
    world.clock.on_sleep = lambda: None
    assert view_of(steward).phase is Phase.STRANDED
    assert "nothing to go back to" in view_of(steward).reason
    return steward


def recovered(steward: Steward) -> PromotionView:
    Slow(steward).desk.ask(Caller(lambda: False), "recover", {"claim": CLAIM, "wait": 0})
    return view_of(steward)


def test_one_that_served_and_fails_is_stranded_as_long_as_it_fails_and_live_once_it_does_not(world: World) -> None:
    steward = stranded(world)
    assert recovered(steward).phase is Phase.STRANDED
    since = steward.book.account.served["blue"]
    world.clock.time += 3600
    world.switch.down.clear()
    view = recovered(steward)
    assert view.phase is Phase.PROMOTED
    assert view.reason.startswith("web: down at 3 looks in a row; then there is nothing to go back to")
    serves(world, steward, Colour.BLUE)
    assert steward.book.account.served["blue"] == since
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED


def test_one_whose_watch_was_blind_too_long_is_watched_again(world: World) -> None:
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()

    def blind() -> None:
        world.switch.away = view_of(steward).phase is Phase.WATCHING

    world.clock.on_sleep = blind
    steward.course.run()
    world.clock.on_sleep = lambda: None
    assert view_of(steward).phase is Phase.STRANDED
    world.switch.away = False
    assert recovered(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)


def test_one_that_was_told_to_go_back_where_it_cannot_is_not_told_so_for_ever(world: World) -> None:
    steward = world.steward()
    slow = Slow(steward)
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    world.clock.on_sleep = slow.abort
    slow.run()
    world.clock.on_sleep = lambda: None
    assert view_of(steward).phase is Phase.STRANDED
    slow.desk.ask(Caller(lambda: False), "recover", {"claim": CLAIM, "wait": 0})
    assert view_of(steward).phase is Phase.PROMOTED


def test_cut_off_before_it_is_flipped_again_it_goes_on(world: World) -> None:
    steward = stranded(world)
    world.switch.down.clear()
    steward.course.settle_stranded()
    assert view_of(steward).phase is Phase.FLIPPING
    world.close()
    following = world.steward()
    assert following.course.take_on()
    following.course.run()
    assert view_of(following).phase is Phase.PROMOTED
    serves(world, following, Colour.BLUE)


@pytest.mark.parametrize("stage", [Stage.WRITTEN, Stage.TURNED, Stage.DONE])
def test_a_first_flip_that_breaks_once_the_switch_serves_is_made_again(world: World, stage: Stage) -> None:
    """It has no way back, so one entry that could not be written must not leave it stranded."""
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    whole, full = steward.book.write, [stage]

    def write(kind: str, promotion: str = "", **body: Any) -> Entry:
        if kind == "turn" and body["stage"] in full:
            full.clear()
            world.switch.start()  # it found the map that was written
            raise JournalFull("no room")
        return whole(kind, promotion, **body)

    steward.book.write = write  # type: ignore[method-assign]
    steward.course.run()
    assert full == []
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)


@pytest.mark.parametrize("breaks", ["map file", "switch"])
def test_a_first_watch_that_breaks_at_its_end_begins_again(
    world: World, breaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file that could not be read once would else strand a release that serves, for good."""
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    broken: list[str] = []
    read, whole = MapFile.read, steward.course._still_there

    def once() -> None:
        if not broken:
            broken.append(breaks)
            raise SwitchFault("EIO", code="switch-away")

    def read_later(self: MapFile) -> tuple[Colour, int]:
        once()
        return read(self)

    def still_there(view: PromotionView, seen: Enough) -> tuple[Event, str]:
        if breaks == "map file":
            monkeypatch.setattr(MapFile, "read", read_later)
        else:
            world.switch.before = lambda _name: once()
        return whole(view, seen)

    monkeypatch.setattr(steward.course, "_still_there", still_there)
    steward.course.run()
    assert broken == [breaks]
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)


def test_a_first_watch_that_stays_broken_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    ended: list[str] = []

    def still_there(view: PromotionView, seen: Enough) -> tuple[Event, str]:
        ended.append(f"{view.phase} {seen.answers}")
        return Event.FAULT, "journal, map file and switch did not agree"

    monkeypatch.setattr(steward.course, "_still_there", still_there)
    steward.course.run()
    assert len(ended) > 1, "it was begun again"
    assert view_of(steward).phase is Phase.STRANDED
    assert "did not agree" in view_of(steward).reason
