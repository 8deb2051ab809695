"""A hold-flip: new work waits while the old colour ends its own, and never longer than the bound."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.flips import flips
from otagate.core.promotion import Phase
from otagate.core.topology import HookCall
from otagate.steward.hooks import MOST
from tests.steward.world import HOSTS, TOPOLOGY, Killed, World, serves, view_of

BOUND = 4.0
DRAIN = HookCall("web", "drain", HOSTS, 8080, "/hooks/drain", 5.0)
HELD = replace(TOPOLOGY, hold=BOUND, hooks=(*TOPOLOGY.hooks, DRAIN))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, HELD)
    yield made
    made.close()


def test_the_old_colour_ends_its_work_and_stands_down_before_the_turn(world: World) -> None:
    steward, order = world.live(), list[str]()
    world.switch.sessions["web_blue"] = 2
    world.switch.before = lambda name: order.append(name) if name in ("hold", "flip", "release") else None
    world.services.calls = order
    world.clock.on_sleep = lambda: world.switch.sessions.update(web_blue=0)
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    hold = order.index("hold")
    told = [
        step for step in order[hold:] if step.startswith(("hold", "passive", "flip", "activate", "drain", "release"))
    ]
    assert told[:6] == ["hold", "drain blue-web", "passive blue-web", "flip", "activate green-web", "release"]
    (said,) = [line for line in steward.told("p-1") if line.startswith("new work was held")]
    assert "it waited 0.250 s at most" in said
    assert not world.switch.holds()
    serves(world, steward, Colour.GREEN)


def test_without_a_hold_nothing_waits(tmp_path: Path) -> None:
    plain = World(tmp_path)
    steward, asked = plain.live(), list[str]()
    plain.switch.before = asked.append
    plain.switch.sessions["web_blue"] = 2
    plain.clock.on_sleep = lambda: plain.switch.sessions.update(web_blue=0)
    steward.promote()
    assert "flip" in asked
    assert not {"hold", "release"} & set(asked)
    plain.close()


def test_work_that_does_not_end_refuses_the_flip_within_the_bound_and_the_old_colour_goes_on(world: World) -> None:
    steward = world.live()
    world.switch.sessions["dicom_blue"] = 1
    began = world.clock.monotonic()
    let_go: list[float] = []
    world.switch.before = lambda name: let_go.append(world.clock.monotonic() - began) if name == "release" else None
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.ROLLED_BACK
    assert "1 session of blue did not end while new work was held" in view.reason
    assert next(at for at in let_go if at) < BOUND
    assert world.switch.served == {Colour.BLUE}
    assert world.switch.sessions["dicom_blue"] == 1, "it was not cut"
    serves(world, steward, Colour.BLUE)


def test_a_hold_that_passed_is_no_hold(world: World) -> None:
    """A passive hook that hangs: what was let go meanwhile went to the old colour, which must keep it."""
    steward = world.live()

    def hangs(call: str) -> None:
        if call == "call" and world.switch.holds():
            world.clock.time += BOUND + 1

    world.services.before = hangs
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.ROLLED_BACK
    assert "the hold has passed" in view.reason
    serves(world, steward, Colour.BLUE)


def test_on_the_way_back_the_failed_colours_sessions_are_cut_at_the_end_of_their_time(world: World) -> None:
    steward = world.live()

    def fails() -> None:
        if world.switch.entry_now and world.switch.entry_now[0] is Colour.GREEN:
            world.switch.sessions["web_green"] = max(1, world.switch.sessions.get("web_green", 0))
            world.switch.down.add("dicom_green")

    world.clock.on_sleep = fails
    world.switch.before = lambda name: world.switch.sessions.update(web_green=0) if name == "flip" else None
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.ROLLED_BACK
    assert view.debts == ("1 session of green cut while new work was held: web 10.0.0.1:104 open 1s",)
    forth, back = flips([event for _, event in steward.book.events("p-1", 0)])
    assert (forth.cut, back.cut) == (0, 1)
    (told,) = [event.data["cut"] for _, event in steward.book.events("p-1", 0) if "cut" in event.data]
    assert told == [{"listener": "web", "client": "10.0.0.1:104", "age": "1s"}]
    serves(world, steward, Colour.BLUE)


def test_what_hangs_is_left_by_the_mended_build_though_its_sessions_do_not_end(world: World) -> None:
    """The control: those of a colour that answers refuse the flip, see above."""
    steward = world.live()
    world.services.hung.add("blue-web")
    world.switch.sessions["dicom_blue"] = 1
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.PROMOTED
    assert "1 session of blue cut while new work was held: dicom 10.0.0.1:104 open 1s" in view.debts
    (flip,) = flips([event for _, event in steward.book.events("p-1", 0)])
    assert flip.cut == 1
    assert world.switch.entry()[0] is Colour.GREEN is steward.book.account.live
    assert not world.switch.holds()


@pytest.mark.parametrize("bound", [0.0, BOUND])
def test_a_failed_colour_whose_hook_hangs_neither_outlasts_the_hold_nor_keeps_the_warm_one_from_its_work(
    tmp_path: Path, bound: float
) -> None:
    """What waits past the hold goes to the failed colour."""
    slow = tuple(replace(hook, deadline=30.0) for hook in HELD.hooks)
    services = tuple(replace(hook, service=name) for hook in slow for name in ("web", "other"))
    world = World(tmp_path, replace(HELD, hold=bound, hooks=services))
    steward, whole = world.live(), world.services.call
    held: list[bool] = []
    at: dict[str, float] = {}

    def call(url: str, deadline: float) -> bool:
        if url in ("http://green-web:8080/hooks/passive", "http://green-web:8080/hooks/drain"):
            world.clock.time += deadline
            raise ProbeFault(f"{url} does not answer within {deadline:g} s")
        if url == "http://blue-web:8080/hooks/activate":
            at["roused"] = world.clock.time
        return whole(url, deadline)

    def fails() -> None:
        if world.switch.entry_now and world.switch.entry_now[0] is Colour.GREEN:
            world.switch.down.add("dicom_green")
            world.switch.sessions.setdefault("dicom_green", 1)

    def before(name: str) -> None:
        if name == "flip":
            held.append(world.switch.holds())
            at["turned"] = world.clock.time

    world.services.call = call  # type: ignore[method-assign]
    world.clock.on_sleep, world.switch.before = fails, before
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert held == [bool(bound), bool(bound)]
    assert at["roused"] - at["turned"] <= 2 * 30 + MOST, "each is told once at full length, and once more in short"
    assert [debt for debt in view_of(steward).debts if debt.startswith("green may still work on its own: ")]
    world.close()


def test_a_switch_that_would_not_hold_is_no_reason_to_stay_with_a_failed_colour(world: World) -> None:
    steward = world.live()

    def fails() -> None:
        if world.switch.entry_now and world.switch.entry_now[0] is Colour.GREEN:
            world.switch.down.add("dicom_green")
            world.switch.hold = lambda epoch: f"it has lost epoch {epoch}"  # type: ignore[method-assign]

    world.clock.on_sleep = fails
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.ROLLED_BACK
    assert [debt for debt in view.debts if "was not held: it has lost" in debt]
    serves(world, steward, Colour.BLUE)


@pytest.mark.parametrize("at", ["hold", "counts", "flip", "entry", "release", "entry after the flip"])
def test_killed_inside_the_hold_another_steward_lets_go_and_one_colour_serves(world: World, at: str) -> None:
    steward = world.live()
    dead: list[bool] = []

    def kill(name: str) -> None:
        turned = world.switch.entry_now is not None and world.switch.entry_now[0] is Colour.GREEN
        named = name == at if not at.endswith("the flip") else name == "entry" and turned
        if named and not dead and (world.switch.holds() or at == "hold"):
            dead.append(True)
            raise Killed

    world.switch.before = kill
    with pytest.raises(Killed):
        steward.promote()
    world.clock.time += 0.5
    again = world.steward()
    again.course.take_on()
    again.course.run()
    assert view_of(again).phase in (Phase.ROLLED_BACK, Phase.PROMOTED)
    assert not world.switch.holds()
    live = again.book.account.live
    assert live is not None
    serves(world, again, live)
