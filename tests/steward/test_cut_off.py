"""A steward that dies, and the one started after it in the same volume; accounts that differ are settled."""

from typing import Any

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.flips import flips
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from otagate.steward.account import Stage
from otagate.steward.map_file import MapFile
from tests.steward.world import WATCH, World, serves, view_of


def test_cut_off_in_the_watch_the_next_one_watches_the_whole_time_anew(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    steward.helm.turn(Colour.BLUE, Colour.GREEN, view_of(steward).intent.builds)
    steward.book.advance(Phase.FLIPPING, Event.OK, "flipped")
    world.clock.time += 100
    following = world.steward()
    began = world.clock.time
    following.course.take_on()
    following.course.run()
    assert view_of(following).phase is Phase.PROMOTED
    assert world.clock.time - began >= WATCH.lasts
    assert "the steward was cut off: the watch begins anew" in following.told("p-1")


def test_cut_off_between_the_end_of_the_flip_and_its_entry_it_goes_on(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    steward.helm.turn(Colour.BLUE, Colour.GREEN, view_of(steward).intent.builds)
    following = world.steward()
    following.course.take_on()
    assert view_of(following).phase is Phase.WATCHING


def test_cut_off_before_the_flip_was_done_it_goes_back(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    following = world.steward()
    following.course.take_on()
    following.course.run()
    assert view_of(following).phase is Phase.ROLLED_BACK
    serves(world, following, Colour.BLUE)


@pytest.mark.parametrize("phase", [Phase.PREFLIGHT, Phase.DEPLOYING, Phase.SMOKING])
def test_cut_off_in_the_command_lines_own_phases_nothing_happens_by_itself(world: World, phase: Phase) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    while view_of(steward).phase is not phase:
        steward.book.advance(view_of(steward).phase, Event.OK, "on")
    following = world.steward()
    following.course.take_on()
    assert view_of(following).phase is phase


def test_settle_takes_nothing_over_that_the_journal_never_meant(world: World) -> None:
    steward = world.live()
    world.map_file.write(Colour.GREEN, 77)
    with pytest.raises(SwitchFault) as odd:
        steward.helm.settle()
    assert odd.value.code == "disagreement"
    assert world.switch.entry() == (Colour.BLUE, 1)


def test_settle_sets_run_time_to_what_the_file_says(world: World) -> None:
    steward = world.live()
    world.switch.entry_now = (Colour.GREEN, 50)
    steward.helm.settle()
    assert world.switch.entry() == (Colour.BLUE, 1)


def test_an_unreadable_map_is_written_anew_only_where_nothing_contradicts_it(world: World) -> None:
    steward = world.live()
    world.map_file.path.write_text("activ")
    world.switch.entry_now = (Colour.GREEN, 9)
    with pytest.raises(SwitchFault, match="the journal says blue"):
        steward.helm.mend_map()
    assert world.map_file.path.read_text() == "activ"
    world.switch.entry_now = (Colour.BLUE, 1)
    steward.helm.mend_map()
    assert world.map_file.read() == (Colour.BLUE, 1)


def test_a_map_that_the_journal_never_meant_is_written_anew_only_where_the_switch_is_with_the_journal(
    world: World,
) -> None:
    steward = world.live()
    world.map_file.write(Colour.GREEN, 77)
    world.switch.entry_now = (Colour.GREEN, 77)  # a switch that was started since then
    with pytest.raises(SwitchFault, match="the journal says blue"):
        steward.helm.mend_map()
    world.switch.entry_now = (Colour.BLUE, 1)
    steward.helm.mend_map()
    assert world.map_file.read() == (Colour.BLUE, 1)


def test_a_map_that_was_spoilt_in_a_turn_is_written_anew_as_the_switch_says(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    steward.helm._set(Colour.BLUE, Colour.GREEN)
    turned = world.map_file.read()
    world.map_file.path.write_text("activ")
    following = world.steward()
    following.helm.mend_map()
    assert world.map_file.read() == turned == world.switch.entry()


def test_a_way_back_whose_map_could_not_be_written_is_gone_on_with_by_recover(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Map and switch say then what an earlier turn of the promotion meant, and the journal's last turn does not."""
    steward = world.live()
    flip, write = world.switch.flip, MapFile.write

    def unheard(*words: Any, **more: Any) -> str:
        world.switch.flip = flip  # type: ignore[method-assign]
        flip(*words, **more)
        raise SwitchFault("no answer", code="switch-away")

    def full(file: MapFile, colour: Colour, epoch: int) -> None:
        if colour is Colour.BLUE:
            raise SwitchFault("the map file cannot be written: no space", code="map-write")
        write(file, colour, epoch)

    world.switch.flip = unheard  # type: ignore[method-assign]
    with monkeypatch.context() as patch:
        patch.setattr(MapFile, "write", full)
        steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    steward.helm.mend_map()
    assert world.map_file.read() == world.switch.entry() == (Colour.GREEN, 2)
    steward.course.settle_stranded()
    steward.course.run()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


def test_a_flip_that_was_cut_off_before_the_map_file_is_told_as_none(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    steward.book.turn(Colour.BLUE, Colour.GREEN, steward.book.new_epoch(), Stage.INTENT)
    world.close()
    again = world.steward()
    assert again.course.take_on()
    again.course.run()
    serves(world, again, Colour.BLUE)
    assert "every listener answers from blue" in again.told("p-1")
    assert "not turned: the map file says blue" in again.told("p-1")
    assert flips([event for _, event in again.book.events("p-1", 0)]) == ()
