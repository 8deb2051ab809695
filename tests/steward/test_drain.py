"""The old colour's sessions: told as they fall, closed by the hook, cut by name at the deadline."""

import threading
from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, SwitchFault
from otagate.core.promotion import Phase
from otagate.core.switch import OpenSession
from otagate.core.topology import HookCall
from tests.steward.world import HOSTS, TOPOLOGY, WATCH, Steward, World, view_of


def test_open_sessions_are_waited_for_and_then_cut_by_name(world: World) -> None:
    steward = world.live()
    world.switch.sessions.update(dicom_blue=2, dicom_green=1)
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.PROMOTED
    assert view.debts == (
        "2 sessions of blue cut at the drain's deadline: dicom 10.0.0.1:104 open 1s; dicom 10.0.0.2:104 open 2s",
    )
    assert "2 sessions left on blue: 2 dicom" in steward.told("p-1")
    assert world.switch.sessions == {"dicom_blue": 0, "dicom_green": 1}
    (cut,) = [event.data["cut"] for _, event in steward.book.events("p-1", 0) if "cut" in event.data]
    assert cut[0] == {"listener": "dicom", "client": "10.0.0.1:104", "age": "1s"}


LONG = replace(WATCH, lasts=30.0)
DRAIN = 5.0  # of each intent of the world's


def cuts(steward: Steward) -> list[float]:
    """When sessions were cut, in seconds after the turn."""
    events = [event for _, event in steward.book.events("p-1", 0)]
    turned = next(event.at for event in events if event.data.get("stage") == "turned")
    return [event.at - turned for event in events if "cut" in event.data]


def test_the_deadline_holds_also_while_the_watch_goes_on(world: World) -> None:
    """Who has no drain hook would else feed the old build, unseen by the watch, until the watch has ended."""
    steward = world.live()
    world.switch.sessions.update(dicom_blue=2, dicom_green=1)
    steward.promote(watch=LONG)
    view = view_of(steward)
    assert view.phase is Phase.PROMOTED
    (cut,) = cuts(steward)
    assert DRAIN <= cut < DRAIN + 2 * LONG.every
    assert view.debts[0].startswith("2 sessions of blue cut at the drain's deadline: dicom 10.0.0.1:104")
    assert world.switch.sessions == {"dicom_blue": 0, "dicom_green": 1}
    assert view.changed - view.started >= LONG.lasts, "the watch goes on"


def test_nothing_is_cut_of_the_colour_that_the_same_look_sends_back_to(world: World) -> None:
    steward = world.live()
    world.switch.sessions["dicom_blue"] = 2
    begun = world.clock.time

    def bad() -> None:
        if world.clock.time - begun >= DRAIN - (WATCH.unhealthy - 1) * WATCH.every:
            world.switch.down.add("web_green")

    world.clock.on_sleep = bad
    steward.promote(watch=LONG)
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert cuts(steward) == []
    assert world.switch.sessions["dicom_blue"] == 2


def test_a_switch_that_ends_no_session_in_the_watch_ends_no_watch_and_is_asked_again(world: World) -> None:
    steward = world.live()
    world.switch.sessions["dicom_blue"] = 1
    whole, asked = world.switch.cut, []

    def cut(session: OpenSession) -> bool:
        asked.append(session)
        if len(asked) < 3:
            raise SwitchFault("the switch would not end a session")
        return whole(session)

    world.switch.cut = cut  # type: ignore[method-assign]
    steward.promote(watch=LONG)
    assert view_of(steward).phase is Phase.PROMOTED
    assert len(asked) == 3
    assert len(cuts(steward)) == 1


def test_a_session_that_ends_by_itself_at_the_deadline_is_not_called_cut(world: World) -> None:
    steward = world.live()
    world.switch.sessions["dicom_blue"] = 1
    world.switch.ends_by_itself = True
    steward.promote()
    assert view_of(steward).debts == ()


def test_many_cut_sessions_are_all_counted_and_the_first_are_named(world: World) -> None:
    steward = world.live()
    world.switch.sessions["web_blue"] = 25
    steward.promote()
    (debt,) = view_of(steward).debts
    assert debt.startswith("25 sessions of blue cut")
    assert debt.endswith("; and 5 more")


DRAINING = replace(TOPOLOGY, hooks=(*TOPOLOGY.hooks, HookCall("web", "drain", HOSTS, 8080, "/hooks/drain", 5.0)))


@pytest.fixture
def draining(world: World) -> World:
    """A service that can close its sessions after their acknowledgement."""
    world.topology = DRAINING

    def drained(host: str) -> None:
        world.switch.sessions.pop(f"dicom_{host.removesuffix('-web')}", None)

    world.services.drained = drained
    return world


def test_the_drain_hook_moves_the_old_colours_long_sessions_and_none_is_cut(draining: World) -> None:
    steward = draining.live()
    draining.switch.sessions["dicom_blue"] = 3
    steward.promote()
    assert "drain blue-web" in draining.services.calls
    assert view_of(steward).debts == ()
    assert "blue was asked to drain" in steward.told("p-1")


def test_the_way_back_drains_the_failed_colour(draining: World) -> None:
    steward = draining.live()
    draining.switch.sessions["dicom_green"] = 3
    draining.clock.on_sleep = lambda: draining.switch.down.add("web_green")
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert draining.services.calls[-1] == "drain green-web"
    assert "dicom_green" not in draining.switch.sessions


def test_a_drain_hook_that_hangs_does_not_blind_the_watch(draining: World) -> None:
    """Nor does it hold up the way back: what the watch sees is judged while the hook is still waited for."""
    steward = draining.live()
    rolled_back = threading.Event()
    waited: list[bool] = []
    draining.services.drained = lambda host: waited.append(rolled_back.wait(20)) if host == "blue-web" else None
    turned = draining.switch.flip

    def flip(came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        if to is Colour.BLUE:
            rolled_back.set()
        return turned(came, to, epoch, held=held)

    draining.switch.flip = flip  # type: ignore[method-assign]
    draining.clock.on_sleep = lambda: draining.switch.down.add("web_green")
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert waited == [True]


def test_a_drain_hook_that_fails_is_told_and_its_sessions_are_cut_at_the_deadline(draining: World) -> None:
    steward = draining.live()
    draining.switch.sessions["dicom_blue"] = 1

    def broken(_host: str) -> None:
        raise ProbeFault("answers 500")

    draining.services.drained = broken
    steward.promote()
    assert "blue does not drain by itself: answers 500" in steward.told("p-1")
    assert view_of(steward).debts[0].startswith("1 session of blue cut")


def test_a_drain_that_ends_is_told_to_its_end(world: World) -> None:
    steward = world.live()
    world.switch.sessions["dicom_blue"] = 3

    def fewer() -> None:
        world.switch.sessions["dicom_blue"] = max(0, world.switch.sessions["dicom_blue"] - 1)

    world.clock.on_sleep = fewer
    steward.promote()
    drained = [event.data["left"]["dicom"] for _, event in steward.book.events("p-1", 0) if event.happening == "drain"]
    assert drained[0] == 3
    assert drained[-1] == 0
    assert view_of(steward).debts == ()
