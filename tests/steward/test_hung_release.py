"""A live release that hangs can be left: by a rollback, and by the mended build."""

from collections.abc import Callable

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.promotion import Phase
from otagate.steward.keeper import Keeper
from otagate.steward.outlook import Outlook
from tests.steward.test_aftermath import only
from tests.steward.test_rollback_fails import rolled
from tests.steward.world import Steward, World, serves, view_of

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
