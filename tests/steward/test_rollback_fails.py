"""A person's rollback that ends where it began: it can be asked for again, and still knows since when what it leaves
served."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from otagate.core.wayback import against_return
from otagate.steward.account import Account, Stage, add
from otagate.steward.journal import Entry
from otagate.steward.map_file import MapFile
from tests.steward.test_aftermath import only
from tests.steward.world import Killed, Steward, World, serves, view_of

AT_ONCE = WatchPolicy(lasts=0.0, every=0.5, unhealthy=3)


def rolled(steward: Steward, name: str) -> None:
    steward.begin(Kind.ROLLBACK, Colour.BLUE, name, watch=AT_ONCE)
    steward.to_flip()
    steward.course.run()


def killed(world: World, steward: Steward) -> Steward:
    """Just after the map file was written; the next one goes on."""
    whole = MapFile.write

    def write(file: MapFile, colour: Colour, epoch: int) -> None:
        whole(file, colour, epoch)
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MapFile, "write", write)
        with pytest.raises(Killed):
            rolled(steward, "r-1")
    world.close()
    following = world.steward()
    assert following.course.take_on()
    following.course.run()
    return following


def unanswered(world: World, steward: Steward) -> Steward:
    """The switch turned, and its answer was lost."""
    whole = world.switch.flip

    def flip(came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        world.switch.flip = whole  # type: ignore[method-assign]
        whole(came, to, epoch, held=held)
        raise SwitchFault("no answer", code="switch-away")

    world.switch.flip = flip  # type: ignore[method-assign]
    rolled(steward, "r-1")
    return steward


def down(world: World, steward: Steward) -> Steward:
    """At three looks of its own watch."""
    world.clock.on_sleep = lambda: world.switch.down.add("web_blue")
    rolled(steward, "r-1")
    world.clock.on_sleep = lambda: None
    world.switch.down.clear()
    return steward


@pytest.mark.parametrize("broken", [killed, unanswered, down])
def test_it_can_be_asked_for_again_and_knows_since_when_what_it_leaves_served(
    world: World, broken: Callable[[World, Steward], Steward]
) -> None:
    steward = world.live()
    steward.promote()
    intents = [event.at for _, event in steward.book.events("p-1", 0) if event.data.get("stage") == "intent"]
    world.clock.time += 4 * 3600
    steward = broken(world, steward)
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.GREEN)
    colours = steward.book.account.colours
    assert (colours["blue"].warm, colours["green"].warm) == (True, False)
    assert against_return(Colour.BLUE, colours["blue"], colours["green"], {}) == ()
    rolled(steward, "r-2")
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)
    assert only(steward).since == intents[0]


def test_a_way_back_that_the_switch_refuses_does_not_make_what_serves_one_that_never_did(world: World) -> None:
    steward = world.live()
    steward.promote()
    since = steward.book.account.served["green"]
    steward.begin(Kind.ROLLBACK, Colour.BLUE, "r-1", watch=AT_ONCE)
    for stage in (Stage.INTENT, Stage.VOID):
        steward.book.turn(Colour.BLUE, Colour.GREEN, steward.book.account.epoch + (stage is Stage.INTENT), stage)
    assert steward.book.account.served["green"] == since


def test_what_an_override_went_for_is_no_warmer_for_having_failed(world: World) -> None:
    steward = world.live()
    steward.promote()
    account = steward.book.account
    cold = {name: replace(view, warm=False) for name, view in account.colours.items()}
    steward.begin(Kind.ROLLBACK, Colour.BLUE, "r-1", watch=AT_ONCE)
    steward.to_flip()
    view, at = view_of(steward), world.clock.now()
    body = {"before": view.phase, "event": Event.ABORT, "after": Phase.ROLLED_BACK, "message": "back"}
    entry = Entry(steward.book.account.seq + 1, at, "advance", "r-1", body)
    after: Account = add(replace(steward.book.account, colours=cold), entry)
    assert not after.colours["blue"].warm
