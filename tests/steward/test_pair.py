"""Two switches: both turn or neither, and where they do not tell the same it is red until recover makes them agree."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from otagate.adapters.probe import Answer
from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.flips import flips
from otagate.core.promotion import Phase
from otagate.core.replacement import Reach
from otagate.core.topology import Door
from otagate.core.traffic import Claim, Holder, Scope
from otagate.steward.book import MAP, Book
from otagate.steward.exchange import Exchange
from otagate.steward.outside import RealSwitches
from otagate.steward.pair import SPLIT, Pair
from tests.steward.pairs import both, other, told
from tests.steward.switches import FakeSwitch
from tests.steward.world import WATCH, Killed, World

HOLDER = Holder(Claim(Scope.PLATFORM, "alice", "here", "otagate switch replace", "a test"), 0.0, 7)


@pytest.fixture
def world(pair: World) -> World:
    return pair


def test_a_promotion_turns_both_and_each_is_asked_in_front(world: World) -> None:
    steward = world.live()
    assert both(world) == (Colour.BLUE, Colour.BLUE)
    steward.promote()
    assert steward.book.current().phase is Phase.PROMOTED
    assert both(world) == (Colour.GREEN, Colour.GREEN)
    assert told(steward) == ()


def refuses(switch: FakeSwitch) -> None:
    switch.refuses = "no server up: web_green"


def lies(switch: FakeSwitch) -> None:
    switch.lies = True


def breaks(switch: FakeSwitch) -> None:
    def before(name: str) -> None:
        if name == "flip":
            switch.before = lambda _name: None
            raise SwitchFault("the switch did not answer", code="switch-away")

    switch.before = before


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("spoils", [refuses, lies, breaks])
def test_where_one_would_not_turn_the_other_is_set_back(
    world: World, which: int, spoils: Callable[[FakeSwitch], None]
) -> None:
    steward = world.live()
    spoils((world.switch, other(world))[which])
    steward.promote()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert both(world) == (Colour.BLUE, Colour.BLUE)
    assert world.map_file.read()[0] is Colour.BLUE is steward.book.account.live
    assert told(steward) == ()


def test_what_the_first_served_until_the_second_would_not_is_left_as_one_that_served(world: World) -> None:
    steward = world.live()
    refuses(other(world))
    steward.promote()
    account = steward.book.account
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert Colour.GREEN in world.switch.served
    (incident,) = account.incidents
    assert (incident.colour, incident.promotion) == (Colour.GREEN, "p-1")
    assert [written.count for written in incident.written] == [0], "it was asked"
    assert "quarantine green-web" in [name for name, _ in world.services.told]
    (flip,) = flips([event for _, event in steward.book.events("p-1", 0)])
    assert (flip.came, flip.to, flip.turned, flip.answered) == ("blue", "green", None, None)
    assert "would not follow the other, which was set back: no server up" in steward.book.current().reason
    assert told(steward) == ()


def test_a_way_back_that_the_second_would_not_follow_leaves_one_tale_to_recover_from(world: World) -> None:
    steward = world.live()

    def bad() -> None:
        world.switch.down.add("web_green")
        refuses(other(world))

    world.clock.on_sleep = bad
    steward.promote()
    assert steward.book.current().phase is Phase.STRANDED
    assert both(world) == (Colour.GREEN, Colour.GREEN)
    assert told(steward) == (), "a switch that is started again reads what the others say"
    other(world).refuses = ""
    world.clock.on_sleep = lambda: None
    steward.course.settle_stranded()
    steward.course.run()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert both(world) == (Colour.BLUE, Colour.BLUE)


def test_control_what_the_first_of_them_refused_never_served(world: World) -> None:
    steward = world.live()
    refuses(world.switch)
    steward.promote()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert Colour.GREEN not in world.switch.served | other(world).served
    assert steward.book.account.incidents == ()
    assert "not turned: the map file says blue" in steward.told("p-1")


def test_a_colour_that_one_of_them_does_not_see_is_not_turned_to(world: World) -> None:
    steward = world.live()
    other(world).down.add("web_green")
    steward.promote()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert "sees no server up: web_green" in steward.book.current().reason
    assert Colour.GREEN not in world.switch.served | other(world).served, "neither was asked to"


def test_a_second_front_door_that_answers_otherwise_goes_back(world: World) -> None:
    """The control: the run time of both says green, and one door still leads to blue."""
    steward = world.live()
    asked = world.services.ask

    def ask(door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        back = host == "switch-second" and other(world).entry()[0] is Colour.GREEN
        return asked(door, door.backs["blue"] if back else host, port, deadline, tls=tls)

    world.services.ask = ask  # type: ignore[method-assign]
    steward.promote()
    assert steward.book.current().phase is Phase.ROLLED_BACK
    assert both(world) == (Colour.BLUE, Colour.BLUE)


def test_two_that_do_not_tell_the_same_are_red_and_settled_by_the_file(world: World) -> None:
    steward = world.live()
    other(world).entry_now = (Colour.GREEN, 9)
    (said,) = told(steward)
    assert said == "the switches do not agree: the first says blue of epoch 1, the second says green of epoch 9"
    steward.helm.settle()
    assert both(world) == (Colour.BLUE, Colour.BLUE)
    assert told(steward) == ()


def test_two_of_which_one_is_turned_already_are_red_only_if_one_does_not_answer(world: World) -> None:
    steward = world.live()
    seen = []

    def before(name: str) -> None:
        if name == "flip":
            seen.append(told(steward))
            world.switch.away = True
            seen.append(told(steward))
            world.switch.away = False

    other(world).before = before
    steward.promote()
    assert seen == [(), ("the first switch: the switch did not answer entry",)]
    assert steward.book.current().phase is Phase.PROMOTED


def test_an_unreadable_map_is_not_written_anew_over_two_that_do_not_agree(world: World) -> None:
    steward = world.live()
    other(world).entry_now = (Colour.GREEN, 9)
    (world.volume / MAP).write_text("activ")
    with pytest.raises(SwitchFault) as split:
        steward.helm.mend_map()
    assert split.value.code == SPLIT


@pytest.mark.parametrize("at", range(1, 19))
@pytest.mark.parametrize("which", [0, 1])
def test_killed_at_any_call_to_either_both_come_to_the_same(world: World, at: int, which: int) -> None:
    steward = world.live()
    seen = [0]

    def before(_name: str) -> None:
        seen[0] += 1
        if seen[0] == at:
            raise Killed

    (world.switch, other(world))[which].before = before
    killed = False
    try:
        steward.promote()
    except Killed:
        killed = True
    world.switch.before = other(world).before = lambda _name: None
    assert killed or at > 10, "there are so many calls at least"
    world.close()
    again = world.steward()
    if again.course.take_on():
        again.course.run()
    assert again.book.current().phase in (Phase.PROMOTED, Phase.ROLLED_BACK)
    assert len(set(both(world))) == 1
    assert both(world)[0] is again.book.account.live is world.map_file.read()[0]


@pytest.mark.parametrize("at", range(1, 19))
def test_killed_where_the_second_would_not_follow_what_served_is_known_and_nobody_is_left_turned(
    world: World, at: int
) -> None:
    steward = world.live()
    refuses(other(world))
    seen = [0]

    def before(_name: str) -> None:
        seen[0] += 1
        if seen[0] == at:
            raise Killed

    world.switch.before = before
    with contextlib.suppress(Killed):
        steward.promote()
    assert seen[0] >= min(at, 12), "there are so many calls at least"
    world.switch.before = lambda _name: None
    world.close()
    again = world.steward()
    if again.course.take_on():
        again.course.run()
    assert again.book.current().phase is Phase.ROLLED_BACK
    assert both(world) == (Colour.BLUE, Colour.BLUE)
    assert told(again) == ()
    assert Colour.GREEN not in world.switch.served or again.book.account.incidents


def test_sessions_and_counts_of_both_are_one_account_and_each_cut_goes_to_its_own(world: World) -> None:
    world.live()
    pair = Pair((world.switch, other(world)))
    world.switch.sessions["dicom_blue"], other(world).sessions["dicom_blue"] = 1, 2
    world.switch.answers["web_blue"], other(world).answers["web_blue"] = 3, 4
    counts = pair.counts()
    assert (counts["dicom_blue"].sessions, counts["web_blue"].answers) == (3, 7)
    for session in pair.open_sessions():
        assert pair.cut(session)
    assert (world.switch.sessions["dicom_blue"], other(world).sessions["dicom_blue"]) == (0, 0)


def test_one_that_is_started_again_in_the_watch_does_not_have_the_others_history_booked_to_the_release(
    world: World,
) -> None:
    steward = world.live()
    first, second = world.switch, other(world)
    first.answers["web_green"], second.answers["web_green"] = 600, 10_000
    second.errors["web_green"] = 500  # of releases that green held before

    def serving() -> None:
        again = world.clock.monotonic() > looking + 1 and first.answers["web_green"] >= 600
        first.answers["web_green"] = 0 if again else first.answers["web_green"] + 20
        second.answers["web_green"] += 20

    looking = world.clock.monotonic()
    world.clock.on_sleep = serving
    steward.promote(watch=replace(WATCH, lasts=5.0))
    assert first.answers["web_green"] < 600, "it was started again"
    assert steward.book.current().phase is Phase.PROMOTED, steward.book.current().reason
    assert "watched: 380 answers, nothing against it" in steward.told("p-1")


def test_a_hold_is_on_both_or_on_neither(world: World) -> None:
    world.live()
    pair = Pair((world.switch, other(world)))
    for switch in (world.switch, other(world)):
        switch.bound, switch.monotonic = 4.0, world.clock.monotonic
    assert pair.hold(1) == ""
    assert (world.switch.holds(), other(world).holds()) == (True, True)
    pair.release()
    other(world).held_until = 1e9
    assert pair.hold(1) == "the second switch: held already"
    assert not world.switch.holds()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("at", ["hold", "release"])
def test_one_that_does_not_answer_keeps_no_new_work_waiting_at_the_other(world: World, which: int, at: str) -> None:
    """Of a platform with a hold; the bound would let it go, late."""
    held = replace(world.topology, hold=4.0)
    steward = world.live()
    helm = replace(steward.helm, topology=held)
    pair = (world.switch, other(world))
    for switch in pair:
        switch.bound, switch.monotonic = 4.0, world.clock.monotonic

    def before(name: str) -> None:
        if name == at and any(switch.holds() for switch in pair):
            raise SwitchFault("the switch did not answer", code="switch-away")

    pair[which].before = before
    with contextlib.suppress(SwitchFault), helm.hold.on(Colour.BLUE, 1, helm.hooks.drain, cut=False):
        assert world.switch.holds() or other(world).holds()
    assert not pair[1 - which].holds()


def test_one_that_does_not_answer_is_named_and_is_not_a_pair_that_waits_for_its_first_map(world: World) -> None:
    steward = world.live()
    for which, place in ((world.switch, "first"), (other(world), "second")):
        which.away = True
        (said,) = told(steward)
        assert said.startswith(f"the {place} switch: ")
        assert steward.helm.is_awake(), "the other one serves"
        which.away = False
    world.switch.away = other(world).away = True
    assert not steward.helm.is_awake()


def test_a_first_release_that_one_of_them_serves_already_is_not_unmade(world: World) -> None:
    """The control: what goes back to nothing takes the map away from under a switch that serves."""
    steward = world.steward()
    other(world).away = True
    world.map_file.write(Colour.BLUE, 1)
    with pytest.raises(Refused, match="nothing to go back to"):
        steward.helm.unmake()
    assert world.map_file.read() == (Colour.BLUE, 1)


def test_each_has_a_file_of_its_own_that_is_made_to_say_what_the_journal_says(world: World) -> None:
    steward = world.live()
    exchange = Exchange(steward.helm, steward.book, world.volume)
    exchange.begin(HOLDER, 5, second=True)
    exchange.give_up("no image")
    for file in (world.volume / "serving", world.volume / "second" / "serving"):
        file.write_text("7\n")
    exchange.resume()
    assert [(world.volume / name).read_text() for name in ("serving", "second/serving")] == ["1\n", "1\n"]


def test_the_numbers_are_the_pairs_and_each_of_them_serves_under_its_own(world: World) -> None:
    steward = world.live()
    exchange = Exchange(steward.helm, steward.book, world.volume)
    for second, new in ((False, 2), (True, 3)):
        assert exchange.begin(HOLDER, 5, second=second).new == new
        side = world.switches.other if second else world.switches
        assert side is not None
        side.standing[new] = FakeSwitch(world.volume / MAP)
        side.standing[new].start()
        steward.book.reach(Reach.TAKING)
        exchange.run()
        exchange.tidied()
    assert (steward.book.account.serving, steward.book.account.serving_second) == (2, 3)
    assert Book.opened(world.volume, world.clock).account == steward.book.account
    steward.promote()
    assert steward.book.current().phase is Phase.PROMOTED
    assert both(world) == (Colour.BLUE, Colour.BLUE), "the old ones are asked nothing more"


def test_the_real_ones_stand_at_two_sockets(tmp_path: Path) -> None:
    real = RealSwitches(tmp_path)
    paths = {real.at_doors(n, second=second).path for n in (1, 2) for second in (False, True)}
    paths |= {real.rehearsing(n, second=second).path for n in (1, 2) for second in (False, True)}
    assert len(paths) == 8
    assert Path(real.at_doors(1).path) == tmp_path / "admin.sock"
    assert Path(real.rehearsing(2, second=True).path) == tmp_path / "second" / "rehearsal-2.sock"
