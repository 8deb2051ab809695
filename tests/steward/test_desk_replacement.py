"""A replacement of the switch whose command line is gone at the worst moment."""

import threading
import time

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Refused, SwitchFault
from otagate.core.replacement import Reach, Replacement
from otagate.steward.book import MAP
from otagate.steward.desk import Caller
from tests.steward.switches import FakeSwitch
from tests.steward.test_desk import CLAIM, Slow
from tests.steward.world import World


def beside(world: World) -> tuple[Slow, Caller, FakeSwitch]:
    """A new switch that waits to be proven, and who raised it."""
    slow, caller = Slow(world.live()), Caller(lambda: False)
    slow.desk.ask(caller, "acquire", {"claim": CLAIM, "wait": 0})
    slow.desk.ask(caller, "replace-switch", {"drain": 5, "second": False})
    new = world.switches.standing[2] = FakeSwitch(world.volume / MAP)
    new.start()
    return slow, caller, new


def now(slow: Slow) -> Replacement:
    replacement = slow.steward.book.account.replacement
    assert replacement is not None
    return replacement


def test_who_lost_its_lease_while_the_new_one_was_proven_gives_it_no_door(world: World) -> None:
    """Whoever waited for the lease began a promotion: of two at the doors it would turn one, and two colours serve."""
    slow, caller, new = beside(world)

    def dies(_name: str) -> None:
        new.before = lambda _name: None
        slow.desk.leave(caller, "the connection ended")
        slow.begin("p-1", Colour.GREEN)

    new.before = dies
    with pytest.raises(SwitchFault) as late:
        slow.desk.ask(caller, "take-doors", {})
    assert late.value.code == "lease-lost"
    assert now(slow).reach is Reach.BESIDE
    assert world.switches.in_front("web") is world.switch


def test_who_gives_up_what_takes_the_doors_just_now_gives_up_nothing(world: World) -> None:
    """An interrupted command line withdraws, and its own word to take the doors is still at work."""
    slow, caller, _ = beside(world)
    said = []

    def give_up() -> None:
        with pytest.raises(Refused, match="it is taking") as no:
            slow.desk.ask(caller, "give-up", {"reason": "interrupted"})
        said.append(no.value.code)

    asking = threading.Thread(target=give_up)
    with slow.steward.book.locked():
        asking.start()
        time.sleep(0.2)  # it has looked by now, if it looks before it may write
        slow.steward.book.reach(Reach.TAKING)
    asking.join(10)
    assert said == ["out-of-order"]
    assert now(slow).reach is Reach.TAKING
