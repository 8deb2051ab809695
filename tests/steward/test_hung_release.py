"""A live release that hangs can be left: by a rollback, by the mended build, and by whoever was cut off in between."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from otagate.adapters.probe import Answer
from otagate.core.canonical import plain
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault, Refused
from otagate.core.promotion import Phase
from otagate.core.topology import Door
from otagate.core.traffic import Kind
from otagate.core.wayback import against_return
from otagate.steward.desk import Caller
from otagate.steward.keeper import Keeper
from otagate.steward.map_file import MapFile
from otagate.steward.outlook import Outlook
from tests.steward.pairs import both, other
from tests.steward.test_aftermath import only
from tests.steward.test_desk import CLAIM, Slow
from tests.steward.test_rollback_fails import down, rolled
from tests.steward.world import TOPOLOGY, Killed, Steward, World, serves, view_of

OWED = "green may still work on its own: http://green-web:8080/hooks/passive does not answer within"


@pytest.fixture
def steward(world: World) -> Steward:
    """Green is live, and blue is warm."""
    steward = world.live()
    steward.promote()
    return steward


def late_passive(world: World) -> None:
    """Only that: it ends a plan first."""
    whole = world.services.call

    def call(url: str, deadline: float) -> bool:
        if url == "http://green-web:8080/hooks/passive":
            raise ProbeFault(f"{url} does not answer within {deadline:g} s")
        return whole(url, deadline)

    world.services.call = call  # type: ignore[method-assign]


def hung(world: World) -> None:
    world.services.hung.add("green-web")


def to_blue(steward: Steward, kind: Kind, name: str = "r-1") -> None:
    if kind is Kind.ROLLBACK:
        rolled(steward, name)
    else:
        steward.promote(Colour.BLUE, name)


@pytest.mark.parametrize("bad", [late_passive, hung])
def test_a_rollback_leaves_it_and_owes_its_passive(
    world: World, steward: Steward, bad: Callable[[World], None]
) -> None:
    bad(world)
    rolled(steward, "r-1")
    view = view_of(steward)
    assert view.phase is Phase.PROMOTED
    assert [debt[: len(OWED)] for debt in view.debts] == [OWED]
    assert steward.book.account.live is Colour.BLUE is world.switch.entry()[0] is world.map_file.read()[0]
    assert "blue-web" in world.services.active
    assert only(steward).colour is Colour.GREEN


def test_what_it_owes_is_asked_again_until_it_takes(world: World, steward: Steward) -> None:
    hung(world)
    rolled(steward, "r-1")
    assert world.services.active == {"blue-web", "green-web"}, "control: it works on its own still"
    keeper = Keeper(steward.helm, Outlook("s", steward.helm, lambda: ()))
    keeper.round()
    world.services.hung.clear()
    keeper.round()
    serves(world, steward, Colour.BLUE)


def test_the_mended_build_is_promoted_away_from_it(world: World) -> None:
    steward = world.live()
    world.services.hung.add("blue-web")
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.PROMOTED
    assert [debt for debt in view.debts if debt.startswith("blue may still work on its own: ")]
    assert steward.book.account.live is Colour.GREEN is world.switch.entry()[0]
    assert "green-web" in world.services.active


def test_what_it_left_is_no_way_back_that_the_next_build_would_have_to_wait_for(world: World) -> None:
    """A rollback to it could only fail; and `way-back-kept` would keep the next build away, and name that rollback."""
    steward = world.live()
    world.services.hung.add("blue-web")
    steward.promote()
    colours = steward.book.account.colours
    assert not colours["blue"].warm
    assert [no.code for no in against_return(Colour.BLUE, colours["blue"], colours["green"], {})] == ["no-warm-side"]
    assert [said for said in steward.told("p-1") if said.startswith("blue is no way back: it did not answer; ")]
    assert not [said for said in steward.told("p-1") if "stays warm" in said]
    world.services.hung.clear()
    steward.promote(Colour.BLUE, "p-2")
    assert steward.book.account.colours["green"].warm, "control: what answers is"


def recovered(steward: Steward) -> Phase:
    steward.course.settle_stranded()
    steward.course.run()
    return view_of(steward).phase


def test_a_build_that_is_refused_ends_by_recover_where_it_was_and_the_next_one_may_come(world: World) -> None:
    """Stranded, for what serves is not proven; but nothing was turned, and nobody may be kept from turning."""
    steward = world.live()
    world.services.hung.add("blue-web")
    world.switch.down.add("web_green")
    steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    assert recovered(steward) is Phase.ROLLED_BACK
    assert view_of(steward).reason.endswith("nothing was turned, blue is live as it was before")
    assert world.switch.served == {Colour.BLUE}
    world.switch.down.clear()
    steward.promote(name="p-2")
    assert view_of(steward).phase is Phase.PROMOTED
    assert steward.book.account.live is Colour.GREEN


@pytest.mark.parametrize("kind", [Kind.PROMOTE, Kind.ROLLBACK])
def test_so_does_one_that_is_cut_off_before_anything_was_turned(world: World, steward: Steward, kind: Kind) -> None:
    hung(world)
    following = in_the_flip(world, lambda: to_blue(steward, kind), "before")
    assert view_of(following).phase is Phase.STRANDED
    assert recovered(following) is Phase.ROLLED_BACK
    assert following.book.account.live is Colour.GREEN is world.switch.entry()[0] is world.map_file.read()[0]
    assert following.book.account.incidents == (), "it never served"
    to_blue(following, kind, "r-2")
    assert view_of(following).phase is Phase.PROMOTED


@pytest.mark.parametrize("hangs", [True, False])
def test_the_very_release_that_was_cut_off_so_may_come_again(world: World, *, hangs: bool) -> None:
    """Nothing may hold it while the live one hangs; nor is it known to have done anything where that is well."""
    steward = world.live()
    world.services.hung.update({"blue-web"} if hangs else ())
    following = in_the_flip(world, steward.promote, "before")
    if hangs:
        assert view_of(following).phase is Phase.STRANDED
        recovered(following)
    view = view_of(following)
    assert view.phase is Phase.ROLLED_BACK
    again = Slow(following)
    again.desk.ask(again.caller, "acquire", {"claim": CLAIM, "wait": 0})
    again.desk.ask(again.caller, "begin", {"intent": plain(replace(view.intent, promotion="p-2"))})
    for message in ("checked", "deployed", "smoked"):
        again.report("ok", message)
    assert view_of(following).phase is Phase.PROMOTED


def test_one_that_was_cut_off_after_the_map_file_said_it_may_have_served(world: World) -> None:
    """The control: a switch that was started meanwhile served it, and what it wrote is looked at."""
    following = in_the_flip(world, world.live().promote, "after")
    assert view_of(following).phase is Phase.ROLLED_BACK
    assert only(following).colour is Colour.GREEN


def test_nothing_else_than_recover_ends_it(world: World) -> None:
    steward = world.live()
    slow = Slow(steward)
    slow.begin("p-1", Colour.GREEN)
    world.services.hung.add("blue-web")
    world.switch.down.add("web_green")
    for message in ("checked", "deployed", "smoked"):
        slow.report("ok", message)
    assert slow.report("abort", "interrupted") is Phase.STRANDED
    with pytest.raises(Refused, match="which the steward does alone"):
        slow.report("ok", "all is well")
    slow.desk.ask(slow.caller, "release", {})
    slow.desk.ask(Caller(lambda: False), "recover", {"claim": CLAIM, "wait": 0})
    assert view_of(steward).phase is Phase.ROLLED_BACK


def test_it_does_not_end_where_map_file_and_switch_do_not_say_so(world: World) -> None:
    """The control: what serves cannot be told."""
    steward = world.live()
    world.services.hung.add("blue-web")
    world.switch.entry_now = (Colour.GREEN, 50)
    world.switch.down.add("web_green")
    steward.promote()
    assert recovered(steward) is Phase.STRANDED


def test_nor_where_it_answers_and_is_not_reached_through_its_front(world: World) -> None:
    """The control: it does not hang."""
    steward = world.live()
    world.switch.down.add("web_green")
    whole = world.services.ask

    def ask(door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        if host == TOPOLOGY.switch:
            raise ProbeFault(f"{host}:{port} does not answer")
        return whole(door, host, port, deadline, tls=tls)

    world.services.ask = ask  # type: ignore[method-assign]
    steward.promote()
    assert recovered(steward) is Phase.STRANDED


def gone_back_unproven(world: World) -> Steward:
    """Blue is live again, and hangs since."""
    steward = world.live()
    world.clock.on_sleep = lambda: world.switch.down.add("web_green")
    whole = world.services.call

    def call(url: str, deadline: float) -> bool:
        if url.endswith("activate") and "blue" in url and steward.book.account.live is Colour.BLUE:
            world.services.hung.add("blue-web")
        return whole(url, deadline)

    world.services.call = call  # type: ignore[method-assign]
    steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    assert steward.book.account.live is Colour.BLUE
    return steward


def test_nor_where_a_way_back_was_made_and_is_not_proven(world: World) -> None:
    """The control: blue is live, but since the promotion alone."""
    steward = gone_back_unproven(world)
    assert recovered(steward) is Phase.STRANDED


def in_the_flip(world: World, act: Callable[[], None], at: str) -> Steward:
    """Killed before or after the map file is written; the next steward goes on."""
    whole = MapFile.write

    def write(file: MapFile, colour: Colour, epoch: int) -> None:
        if at == "after":
            whole(file, colour, epoch)
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MapFile, "write", write)
        with pytest.raises(Killed):
            act()
    world.close()
    following = world.steward()
    assert following.course.take_on()
    following.course.run()
    return following


@pytest.mark.parametrize("kind", [Kind.PROMOTE, Kind.ROLLBACK])
def test_one_that_is_cut_off_in_the_turn_is_stranded_and_goes_on_by_recover(
    world: World, steward: Steward, kind: Kind
) -> None:
    hung(world)
    following = in_the_flip(world, lambda: to_blue(steward, kind), "after")
    assert view_of(following).phase is Phase.STRANDED, "whoever was cut off goes back, and the way back is hung"
    assert recovered(following) is Phase.PROMOTED
    assert following.book.account.live is Colour.BLUE is world.switch.entry()[0] is world.map_file.read()[0]


@pytest.mark.parametrize("kind", [Kind.PROMOTE, Kind.ROLLBACK])
def test_it_does_not_go_on_to_what_does_not_answer_either(world: World, steward: Steward, kind: Kind) -> None:
    hung(world)
    following = in_the_flip(world, lambda: to_blue(steward, kind), "after")
    world.services.hung.add("blue-web")
    before = world.map_file.read()
    assert recovered(following) is Phase.STRANDED
    assert world.map_file.read() == before


def test_a_rollback_whose_own_watch_saw_nothing_up_goes_on_once_it_is(world: World, steward: Steward) -> None:
    hung(world)
    down(world, steward)
    assert view_of(steward).phase is Phase.STRANDED
    assert recovered(steward) is Phase.PROMOTED
    assert steward.book.account.live is Colour.BLUE is world.switch.entry()[0]


def test_what_its_watch_refused_recover_does_not_go_on_to(world: World) -> None:
    """The control: stranded after a watch, both fail."""
    steward = world.live()
    world.both_go_bad()
    steward.promote()
    world.clock.on_sleep = lambda: None
    world.switch.down.clear()
    assert recovered(steward) is Phase.STRANDED
    assert world.switch.entry()[0] is Colour.GREEN


def test_it_is_not_left_by_one_of_a_pair_alone(tmp_path: Path) -> None:
    """The watch of what came could not count at both, and would go back to what hangs."""
    world = World(tmp_path, replace(TOPOLOGY, second="switch-second"))
    steward = world.live()
    world.services.hung.add("blue-web")
    other(world).gone = True
    steward.promote()
    assert Colour.GREEN not in world.switch.served
    assert view_of(steward).phase is Phase.STRANDED
    other(world).start()
    assert recovered(steward) is Phase.ROLLED_BACK
    steward.promote(name="p-2")
    assert both(world) == (Colour.GREEN, Colour.GREEN)
    world.close()
