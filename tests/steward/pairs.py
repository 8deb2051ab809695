"""What the tests of a pair ask of its world."""

from otagate.core.cloud import Colour
from otagate.steward.outlook import Outlook
from tests.steward.switches import FakeSwitch
from tests.steward.world import Steward, World


def other(world: World) -> FakeSwitch:
    assert world.switches.other is not None
    return world.switches.other.standing[1]


def both(world: World) -> tuple[Colour, Colour]:
    return world.switch.entry()[0], other(world).entry()[0]


def told(steward: Steward) -> tuple[str, ...]:
    return Outlook("s", steward.helm, lambda: ()).disagreements()
