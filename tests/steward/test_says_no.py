"""A live release that says no, or is late once, does not hang: nothing of it is cut, the turn is as strict as ever."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otagate.adapters.probe import Answer
from otagate.core.cloud import Colour
from otagate.core.errors import NO_ANSWER, ProbeFault
from otagate.core.platform import Protocol
from otagate.core.promotion import Phase
from otagate.core.topology import Door
from otagate.steward.hooks import MOST
from tests.steward.test_hold import HELD
from tests.steward.test_hung_release import in_the_flip, recovered
from tests.steward.world import Steward, World, serves, view_of

Saying = Callable[[Door], ProbeFault | None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, HELD)
    yield made
    made.close()


def blue_says(world: World, saying: Saying) -> None:
    whole = world.services.ask

    def ask(door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        if host == "blue-web" and (fault := saying(door)) is not None:
            raise fault
        return whole(door, host, port, deadline, tls=tls)

    world.services.ask = ask  # type: ignore[method-assign]


def rejects(door: Door) -> ProbeFault | None:
    return ProbeFault("dicom://blue-web rejects the association") if door.protocol is Protocol.DICOM else None


def answers_503(door: Door) -> ProbeFault | None:
    return ProbeFault("http://blue-web answers 503, not 200") if door.protocol is Protocol.HTTP else None


def late_once() -> Saying:
    late = [ProbeFault("http://blue-web does not answer within 5 s", code=NO_ANSWER)]
    return lambda _door: late.pop() if late else None


def test_one_that_is_started_again_at_that_moment_does_not_hang(world: World) -> None:
    """It refuses at once, however often it is asked, until it is back."""
    steward, until = world.live(), world.clock.monotonic() + 1.0
    away = ProbeFault("http://blue-web does not answer: Connection refused", code=NO_ANSWER)
    blue_says(world, lambda _door: away if world.clock.monotonic() < until else None)
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    assert not view_of(steward).hung
    assert steward.book.account.colours["blue"].warm


def test_one_that_says_no_at_one_door_and_nothing_at_another_hangs(world: World) -> None:
    steward = world.live()
    silent = ProbeFault("dicom://blue-web does not answer within 5 s", code=NO_ANSWER)
    blue_says(world, lambda door: answers_503(door) or silent)
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    assert view_of(steward).hung


NOES = [rejects, answers_503, late_once()]


@pytest.mark.parametrize("says", NOES, ids=["rejects", "503", "late once"])
def test_its_sessions_are_not_cut_and_refuse_the_turn(world: World, says: Saying) -> None:
    steward = world.live()
    world.switch.sessions["dicom_blue"] = 1
    blue_says(world, late_once() if says is NOES[2] else says)
    steward.promote()
    assert "1 session of blue did not end while new work was held" in view_of(steward).reason
    assert world.switch.sessions["dicom_blue"] == 1, "it was not cut"
    assert Colour.GREEN not in world.switch.served
    serves(world, steward, Colour.BLUE)


def test_a_passive_that_it_refuses_is_no_debt(world: World) -> None:
    steward = world.live()
    blue_says(world, answers_503)
    refuse(world, "passive", "blue")
    steward.promote()
    assert Colour.GREEN not in world.switch.served
    assert view_of(steward).phase is Phase.STRANDED, "nor can anybody prove what serves"
    assert recovered(steward) is Phase.ROLLED_BACK


def refuse(world: World, hook: str, colour: str) -> None:
    whole = world.services.call

    def call(url: str, deadline: float) -> bool:
        if url.endswith(hook) and colour in url:
            raise ProbeFault(f"{url} answers 503")
        return whole(url, deadline)

    world.services.call = call  # type: ignore[method-assign]


def test_of_what_does_hang_an_activate_that_the_candidate_refuses_is_no_debt_either(world: World) -> None:
    """A person's `recover` then makes it one."""
    steward = world.live()
    world.services.hung.add("blue-web")
    refuse(world, "activate", "green")
    steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    assert "http://green-web:8080/hooks/activate answers 503" in view_of(steward).reason
    assert recovered(steward) is Phase.PROMOTED
    assert [debt for debt in view_of(steward).debts if debt.startswith("green may not work on its own yet: ")]


def test_what_hangs_is_not_left_where_journal_map_file_and_switch_do_not_agree(world: World) -> None:
    steward = world.live()
    world.services.hung.add("blue-web")
    world.switch.entry_now = (Colour.GREEN, 50)
    before = world.map_file.read()
    steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    assert "do not agree on what serves; nothing was turned" in view_of(steward).reason
    assert world.map_file.read() == before


@pytest.mark.parametrize("cut_off", [False, True], ids=["whole", "cut off and recovered"])
def test_what_hangs_is_told_in_short_before_its_successor_is_watched(world: World, *, cut_off: bool) -> None:
    """However many services it has, and however long each may take: nobody watches meanwhile."""
    steward: Steward = world.live()
    world.services.hung.add("blue-web")
    if cut_off:
        steward = in_the_flip(world, steward.promote, "after")
        assert view_of(steward).phase is Phase.STRANDED
    waited: list[float] = []
    whole = world.services.call

    def call(url: str, deadline: float) -> bool:
        if "blue" in url and view_of(steward).phase is Phase.FLIPPING:
            waited.append(deadline)
        return whole(url, deadline)

    world.services.call = call  # type: ignore[method-assign]
    if cut_off:
        recovered(steward)
    else:
        steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    assert 0 < sum(waited) <= MOST
