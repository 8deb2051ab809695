"""What the watch sees beside health and errors: each alarm goes off, and none on healthy traffic."""

from dataclasses import replace
from typing import Any

import pytest

from otagate.core.answer_times import bucket, edge
from otagate.core.cloud import Colour
from otagate.core.invariant import Invariant
from otagate.core.promotion import Phase
from otagate.core.slow import SlowPolicy
from otagate.core.topology import HookCall
from otagate.core.traffic import Kind
from tests.steward.world import HOSTS, TOPOLOGY, WATCH, Steward, World, serves, view_of

LONG = replace(WATCH, lasts=30.0)
HOOK = HookCall("web", "invariants", HOSTS, 8080, "/hooks/invariants", 5.0)
INVARIANTS = (Invariant("store", "web", is_true=True), Invariant("waiting", "web", most=3))
GOOD = {"store": True, "waiting": 0, "other": "x"}


@pytest.fixture
def asking(world: World) -> World:
    world.topology = replace(TOPOLOGY, hooks=(*TOPOLOGY.hooks, HOOK))
    world.services.says["invariants"] = GOOD
    return world


def busy(world: World, name: str, took: float, answers: int = 20) -> None:
    world.switch.answers[name] = world.switch.answers.get(name, 0) + answers
    times = world.switch.times.setdefault(name, {})
    times[bucket(took)] = times.get(bucket(took), 0) + answers


def promoted(steward: Steward, world: World, before: float, after: float, policy: Any = LONG) -> None:
    """Blue answers in `before` seconds up to the flip, green in `after` from then on."""
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1", watch=policy)
    steward.helm.note_traffic(times=True)
    world.clock.sleep(10)
    busy(world, "web_blue", before, 500)
    world.clock.on_sleep = lambda: busy(world, "web_green", after)
    steward.to_flip()
    steward.course.run()


def test_answers_much_slower_than_the_old_colours_bring_it_back(world: World) -> None:
    steward = world.live()
    promoted(steward, world, 0.1, 0.4)
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "took longer than" in view_of(steward).reason
    assert "25% may" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)


def test_answers_as_fast_as_before_are_let_pass(world: World) -> None:
    steward = world.live()
    promoted(steward, world, 0.1, 0.12)
    assert view_of(steward).phase is Phase.PROMOTED
    (sees,) = [line for line in steward.told("p-1") if line.startswith("the watch sees")]
    assert "web: error shares from" in sees
    assert "95 % sure at 50.0 answers/s" in sees
    assert "answers over 0.1" in sees
    assert "dicom: 3 sessions refused or broken off" in sees


def test_a_declared_limit_needs_no_answers_from_before(world: World) -> None:
    steward = world.live()
    world.clock.on_sleep = lambda: busy(world, "web_green", 0.4)
    steward.promote(watch=replace(LONG, slow=SlowPolicy(limit=0.2)))
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "took longer than 0.2" in view_of(steward).reason


@pytest.mark.parametrize(("times", "ends"), [(1.01, Phase.ROLLED_BACK), (0.99, Phase.PROMOTED)])
def test_what_is_slow_begins_where_the_watch_says_and_no_bucket_later(world: World, times: float, ends: Phase) -> None:
    steward = world.live()
    said = edge(bucket(0.5))
    world.clock.on_sleep = lambda: busy(world, "web_green", said * times)
    steward.promote(watch=replace(LONG, slow=SlowPolicy(limit=0.5)))
    assert view_of(steward).phase is ends
    assert any(f"answers over {said:.3g} s" in line for line in steward.told("p-1"))


@pytest.mark.parametrize(("before", "policy"), [(50.0, SlowPolicy()), (0.1, SlowPolicy(limit=60.0))])
def test_a_limit_beyond_what_the_switch_tells_apart_is_held_against_nothing_and_it_says_so(
    world: World, before: float, policy: SlowPolicy
) -> None:
    steward = world.live()
    promoted(steward, world, before, 70.0, replace(LONG, slow=policy))
    assert view_of(steward).phase is Phase.PROMOTED
    assert any("no answer times: none can be judged against a limit above 55 s" in line for line in steward.told("p-1"))


def test_without_answers_from_before_and_without_a_limit_times_are_not_judged_and_it_says_so(world: World) -> None:
    steward = world.live()
    world.clock.on_sleep = lambda: busy(world, "web_green", 4.0)
    steward.promote(watch=LONG)
    assert view_of(steward).phase is Phase.PROMOTED
    assert any("no limit to answer times" in line for line in steward.told("p-1"))


def test_a_watch_begun_anew_compares_with_the_same_old_colour(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1", watch=LONG)
    steward.helm.note_traffic(times=True)
    busy(world, "web_blue", 0.1, 500)
    steward.to_flip()

    def killed() -> None:
        raise KeyboardInterrupt

    world.clock.on_sleep = killed
    with pytest.raises(KeyboardInterrupt):
        steward.course.run()
    assert view_of(steward).phase is Phase.WATCHING
    world.clock.on_sleep = lambda: busy(world, "web_green", 0.4)
    again = world.steward()
    again.course.take_on()
    again.course.run()
    assert "took longer than" in view_of(again).reason


def test_a_healthy_switch_that_cannot_tell_answer_times_is_no_blind_one_and_it_says_so(world: World) -> None:
    steward = world.live()
    world.switch.tells_times = False
    world.clock.on_sleep = lambda: busy(world, "web_green", 0.1)
    steward.promote(watch=LONG)
    assert view_of(steward).phase is Phase.PROMOTED
    (sees,) = [line for line in steward.told("p-1") if line.startswith("the watch sees")]
    assert "the switch was made before it could tell answer times: not judged" in sees


def test_a_declared_limit_that_no_answer_times_can_be_held_against_is_blind(world: World) -> None:
    steward = world.live()
    world.switch.tells_times = False
    world.clock.on_sleep = lambda: busy(world, "web_green", 0.1)
    steward.promote(watch=replace(LONG, slow=SlowPolicy(limit=0.2)))
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "not with answer times" in view_of(steward).reason
    (sees,) = [line for line in steward.told("p-1") if line.startswith("the watch sees")]
    assert "otagate switch replace" in sees
    serves(world, steward, Colour.BLUE)


def test_errors_and_waiting_requests_bring_it_back_also_where_the_switch_tells_no_times(world: World) -> None:
    steward = world.live()
    world.switch.tells_times = False

    def wrong() -> None:
        busy(world, "web_green", 0.1)
        world.switch.errors["web_green"] = world.switch.errors.get("web_green", 0) + 10

    def piling() -> None:
        world.switch.sessions["web_green"] = world.switch.sessions.get("web_green", 0) + 60

    world.clock.on_sleep = wrong
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "errors in" in view_of(steward).reason
    world.clock.on_sleep = piling
    steward.promote(Colour.GREEN, "p-2")
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "requests wait" in view_of(steward).reason


def test_requests_that_pile_up_bring_it_back_and_long_sessions_do_not(world: World) -> None:
    steward = world.live()

    def piling() -> None:
        world.switch.sessions["web_green"] = world.switch.sessions.get("web_green", 0) + 60

    def many() -> None:
        world.switch.sessions["dicom_green"] = world.switch.sessions.get("dicom_green", 0) + 60

    world.clock.on_sleep = many
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    world.switch.sessions.clear()
    world.clock.on_sleep = piling
    steward.promote(Colour.BLUE, "p-2")
    assert view_of(steward).phase is Phase.PROMOTED, "what waits at the old colour says nothing against the new one"
    world.switch.sessions.clear()
    steward.promote(Colour.GREEN, "p-3")
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "requests wait" in view_of(steward).reason


def test_three_refused_associations_bring_it_back_and_two_of_many_do_not(world: World) -> None:
    steward = world.live()

    def some() -> None:
        world.switch.answers["dicom_green"] = world.switch.answers.get("dicom_green", 0) + 100
        world.switch.errors["dicom_green"] = 2

    world.clock.on_sleep = some
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    steward.promote(Colour.BLUE, "p-2")

    def refused() -> None:
        for counted in (world.switch.answers, world.switch.errors):
            counted["dicom_green"] = counted.get("dicom_green", 0) + 1

    world.clock.on_sleep = refused
    steward.promote(Colour.GREEN, "p-3")
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "dicom: 3 sessions refused or broken off of 3" in view_of(steward).reason


def test_invariants_that_hold_are_let_pass(asking: World) -> None:
    steward = asking.live()
    steward.promote(watch=replace(WATCH, invariants=INVARIANTS))
    assert view_of(steward).phase is Phase.PROMOTED
    assert {who for who, _ in asking.services.told} == {"invariants green-web"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({**GOOD, "waiting": 4}, "web: invariant waiting was not at most 3 at 3 looks in a row"),
        ({**GOOD, "store": False}, "web: invariant store was not true at 3 looks in a row"),
        ({"waiting": 0}, "web: invariant store could not be read 4 looks in a row"),
        ({**GOOD, "waiting": "0"}, "web: invariant waiting could not be read 4 looks in a row"),
        (None, "web: invariant store could not be read 4 looks in a row"),
    ],
)
def test_an_invariant_that_is_broken_or_unread_brings_it_back(asking: World, answer: Any, said: str) -> None:
    steward = asking.live()
    asking.services.says["invariants"] = answer
    steward.promote(watch=replace(WATCH, invariants=INVARIANTS))
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert said in view_of(steward).reason
    serves(asking, steward, Colour.BLUE)


def test_a_service_that_went_away_or_hangs_is_unread(asking: World) -> None:
    steward = asking.live()
    asking.clock.on_sleep = lambda: asking.services.hung.add("green-web")
    steward.promote(watch=replace(WATCH, invariants=INVARIANTS))
    assert "could not be read" in view_of(steward).reason
    assert steward.book.account.live is Colour.BLUE


def test_a_hook_that_the_steward_does_not_know_is_unread(world: World) -> None:
    steward = world.live()
    steward.promote(watch=replace(WATCH, invariants=INVARIANTS))
    assert "could not be read" in view_of(steward).reason
