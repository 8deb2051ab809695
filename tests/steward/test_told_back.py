"""Told to go back before the switch is turned: nothing is turned, and what stays live is asked to drain nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Event, Phase
from otagate.steward import journal
from tests.steward.test_desk import going_back, smoked
from tests.steward.test_drain import DRAINING
from tests.steward.world import BUILDS, World, serves, view_of


@pytest.fixture
def draining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A service that may be asked to close its long sessions, and one of them on what is live."""
    monkeypatch.setattr(journal, "DURABLE", "OFF")
    world = World(tmp_path, DRAINING)
    world.switch.sessions["dicom_blue"] = 1
    yield world
    world.close()


def test_a_rollback_typed_while_the_new_colour_is_awaited_turns_nothing(draining: World) -> None:
    slow, steward = smoked(draining)
    draining.switch.down.add("web_green")

    def asked() -> None:
        draining.clock.on_sleep = lambda: None
        going_back(slow)
        draining.switch.down.clear()

    draining.clock.on_sleep = asked
    slow.report("ok", "smoked")
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert view_of(steward).reason == "told to go back"
    assert draining.switch.served == {Colour.BLUE}
    assert "drain blue-web" not in draining.services.calls
    assert not [line for line in steward.told("p-1") if line.startswith("about to turn")]
    serves(draining, steward, Colour.BLUE)


def test_nor_does_one_that_is_typed_while_the_old_colour_ends_its_work_in_a_hold(tmp_path: Path) -> None:
    held = World(tmp_path, replace(DRAINING, hold=4.0))
    slow, steward = smoked(held)
    held.switch.sessions["dicom_blue"] = 1

    def drained(host: str) -> None:
        if host == "blue-web":
            going_back(slow)
            held.switch.sessions.pop("dicom_blue", None)

    held.services.drained = drained
    slow.report("ok", "smoked")
    assert view_of(steward).reason == "told to go back"
    assert held.switch.served == {Colour.BLUE}
    assert not held.switch.holds()
    serves(held, steward, Colour.BLUE)
    held.close()


def test_told_just_after_the_turn_the_old_colour_keeps_its_sessions(draining: World) -> None:
    slow, steward = smoked(draining)

    def asked(name: str) -> None:
        if name == "call" and draining.switch.entry_now is not None and draining.switch.entry_now[0] is Colour.GREEN:
            draining.services.before = lambda _name: None
            going_back(slow)

    draining.services.before = asked
    slow.report("ok", "smoked")
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert draining.switch.served == {Colour.BLUE, Colour.GREEN}
    assert "drain blue-web" not in draining.services.calls
    assert draining.switch.sessions["dicom_blue"] == 1


def test_nor_does_a_steward_that_is_started_again_ask_it_to_drain(draining: World) -> None:
    slow, steward = smoked(draining)
    steward.book.advance(Phase.SMOKING, Event.OK, "smoked")
    steward.helm.turn(Colour.BLUE, Colour.GREEN, {"web": BUILDS[Colour.GREEN]})
    steward.book.advance(Phase.FLIPPING, Event.OK, "turned")
    going_back(slow)
    draining.close()
    again = draining.steward()
    assert again.course.take_on()
    again.course.run()
    assert view_of(again).phase is Phase.ROLLED_BACK
    assert "drain blue-web" not in draining.services.calls
