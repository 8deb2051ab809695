"""A pair's way back while one of them is gone: it waits for who may pass traffic, and for nobody else."""

from collections.abc import Callable

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.promotion import Phase
from otagate.steward.keeper import Keeper
from otagate.steward.outlook import Outlook
from tests.steward.pairs import both, other, told
from tests.steward.world import Steward, World


@pytest.fixture
def world(pair: World) -> World:
    return pair


def goes_bad_while(world: World, happens: Callable[[], None]) -> Steward:
    """A promotion whose colour falls ill in its watch, and what happens just then; a watch that cannot count at both is
    blind, and goes back for that as well."""
    steward = world.live()

    def ill() -> None:
        if steward.book.current().phase is Phase.WATCHING:
            world.clock.on_sleep = lambda: None
            world.switch.down.add("web_green")
            other(world).down.add("web_green")
            happens()

    world.clock.on_sleep = ill
    steward.promote()
    return steward


@pytest.mark.parametrize("which", [0, 1])
def test_a_way_back_does_not_wait_for_one_that_is_gone(world: World, which: int) -> None:
    one, another = world.switch, other(world)
    lost, stays = (one, another) if which == 0 else (another, one)
    stays.sessions["dicom_green"] = 1
    steward = goes_bad_while(world, lambda: setattr(lost, "gone", True))
    view = steward.book.current()
    assert stays.sessions == {"dicom_green": 0}, "nor do those who reached the failed colour by the other"
    assert [debt for debt in view.debts if debt.startswith("1 session of green cut")]
    assert view.phase is Phase.ROLLED_BACK
    assert stays.entry() == world.map_file.read() == (Colour.BLUE, steward.book.account.live_epoch)
    assert steward.book.account.live is Colour.BLUE
    place = ("first", "second")[which]
    assert f"the {place} switch is gone and was not turned: it follows when it is started" in view.debts
    assert told(steward), "and it is red until it stands again"
    lost.start()
    assert told(steward) == ()
    assert both(world) == (Colour.BLUE, Colour.BLUE)


def test_one_that_its_engine_starts_again_is_turned_with_the_other(world: World) -> None:
    def ends_as_the_way_back_begins() -> None:
        def entry(name: str) -> None:
            if name == "entry":
                other(world).before = lambda _name: None
                other(world).gone = True
                world.clock.on_sleep = other(world).start
                raise SwitchFault("the switch did not answer entry", code="switch-gone")

        other(world).before = entry

    steward = goes_bad_while(world, ends_as_the_way_back_begins)
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert not [debt for debt in steward.book.current().debts if "gone" in debt]
    assert both(world) == (Colour.BLUE, Colour.BLUE)


def test_one_that_read_the_old_map_while_the_other_went_back_is_turned_after_it(world: World) -> None:
    def ends() -> None:
        before = other(world).entry()
        other(world).gone = True

        def comes(name: str) -> None:
            if name == "call":  # a hook: the first one is turned by then
                world.services.before = lambda _name: None
                other(world).gone, other(world).entry_now = False, before

        world.services.before = comes

    steward = goes_bad_while(world, ends)
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert both(world) == (Colour.BLUE, Colour.BLUE)


def test_of_two_that_are_gone_the_one_that_comes_back_goes_back_alone(world: World) -> None:
    def end() -> None:
        world.switch.gone = other(world).gone = True
        until = world.clock.monotonic() + 5  # of the watch, which is blind, and then of the way back

        def later() -> None:
            if world.clock.monotonic() >= until:
                world.clock.on_sleep = lambda: None
                world.switch.start()

        world.clock.on_sleep = later

    steward = goes_bad_while(world, end)
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert world.switch.entry()[0] is Colour.BLUE


def test_one_late_answer_of_the_one_that_stands_does_not_strand_both(world: World) -> None:
    def ends() -> None:
        other(world).gone = True
        asked = []

        def late(name: str) -> None:
            asked.append(name)
            if asked.count("entry") == 2 and name == "entry":
                raise SwitchFault("the switch did not answer entry", code="switch-away")

        world.switch.before = late

    steward = goes_bad_while(world, ends)
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert world.switch.entry()[0] is Colour.BLUE


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("at", range(1, 13))
def test_one_that_ends_at_any_call_of_the_way_back_does_not_keep_the_other(world: World, at: int, which: int) -> None:
    pair = (world.switch, other(world))
    lost, stays = pair[which], pair[1 - which]
    seen: list[str] = []

    def ends(name: str) -> None:
        if steward.book.current().phase is Phase.ROLLING_BACK:
            seen.append(name)
            if len(seen) == at:
                lost.gone = True
                raise SwitchFault(f"the switch did not answer {name}", code="switch-gone")

    steward = world.live()
    lost.before = ends

    def ill() -> None:
        if steward.book.current().phase is Phase.WATCHING:
            world.switch.down.add("web_green")
            other(world).down.add("web_green")

    world.clock.on_sleep = ill
    steward.promote()
    assert lost.gone or at > 4, "so many calls there are at least"
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert stays.entry()[0] is steward.book.account.live is world.map_file.read()[0] is Colour.BLUE


def test_one_that_comes_late_with_the_map_of_before_follows(world: World) -> None:
    before: list[tuple[Colour, int]] = []

    def ends() -> None:
        before.append(other(world).entry())
        other(world).gone = True

    steward = goes_bad_while(world, ends)
    other(world).gone, other(world).entry_now = False, before[0]
    assert both(world) == (Colour.BLUE, Colour.GREEN), "control: nothing else turns it"
    Keeper(steward.helm, Outlook("s", steward.helm, lambda: ())).round()
    assert both(world) == (Colour.BLUE, Colour.BLUE)
    assert told(steward) == ()


@pytest.mark.parametrize("epoch", [1, 9])
def test_one_that_somebody_turned_is_left_to_recover(world: World, epoch: int) -> None:
    """At an epoch that is not older it was no late start."""
    steward = world.live()
    other(world).entry_now = (Colour.GREEN, epoch)
    Keeper(steward.helm, Outlook("s", steward.helm, lambda: ())).round()
    assert both(world) == (Colour.BLUE, Colour.GREEN)


@pytest.mark.parametrize("silent", [(0,), (1,), (0, 1)])
def test_one_that_is_silent_may_pass_traffic_and_is_not_left_out(world: World, silent: tuple[int, ...]) -> None:
    """Its process may stand still and serve: one colour for all is more than a way back for some."""
    pair = (world.switch, other(world))

    def fall_silent() -> None:
        for which in silent:
            pair[which].away = True

    steward = goes_bad_while(world, fall_silent)
    assert steward.book.current().phase is Phase.STRANDED
    assert world.map_file.read()[0] is Colour.GREEN, "nothing was moved"
    for switch in pair:
        switch.away = False
    steward.course.settle_stranded()
    steward.course.run()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert both(world) == (Colour.BLUE, Colour.BLUE)


def test_of_two_that_are_gone_neither_is_left_out(world: World) -> None:
    def end() -> None:
        world.switch.gone = other(world).gone = True

    steward = goes_bad_while(world, end)
    assert steward.book.current().phase is Phase.STRANDED
    assert world.map_file.read()[0] is Colour.GREEN


def test_nothing_is_turned_forward_with_one_that_is_gone(world: World) -> None:
    steward = world.live()
    other(world).gone = True
    steward.promote()
    assert steward.book.account.live is Colour.BLUE
    assert world.switch.entry()[0] is Colour.BLUE
    assert Colour.GREEN not in world.switch.served
