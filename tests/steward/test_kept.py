"""Stranded on a well colour, with nothing to go back to: it ends there by a person's word, and by nothing less."""

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Refused
from otagate.core.promotion import Phase
from otagate.core.traffic import Kind
from otagate.steward.desk import Caller
from otagate.steward.journal import JournalFull
from otagate.steward.map_file import MapFile
from tests.steward.test_desk import CLAIM, Slow
from tests.steward.test_hung_release import gone_back_unproven, recovered
from tests.steward.world import Killed, Steward, World, view_of

WORD = {"claim": {**CLAIM, "by": "bob"}, "wait": 0, "override": "blue burnt down"}


def kept(steward: Steward) -> Phase:
    """As the desk is asked, and waited for until all is done."""
    slow = Slow(steward)
    slow.desk.ask(Caller(lambda: False), "recover", WORD)
    return view_of(steward).phase


@pytest.fixture(params=["hung", "died"])
def stranded(world: World, request: pytest.FixtureRequest) -> Steward:
    """Green was promoted away from what hangs, or from what died in its watch, and given up though it is well."""
    steward = world.live()
    if request.param == "hung":
        world.services.hung.add("blue-web")

    def give_up() -> None:
        if view_of(steward).phase is Phase.WATCHING:
            world.services.hung.add("blue-web")
            steward.course.abort()

    world.clock.on_sleep = give_up
    steward.promote()
    world.clock.on_sleep = lambda: None
    assert view_of(steward).phase is Phase.STRANDED
    assert recovered(steward) is Phase.STRANDED, "nothing else ends it"
    return steward


def test_it_ends_promoted_by_name_unsigned_and_is_not_watched(world: World, stranded: Steward) -> None:
    assert kept(stranded) is Phase.PROMOTED
    view = view_of(stranded)
    assert view.kept is not None
    assert (view.kept.by, view.kept.origin, view.kept.reason) == ("bob", "alice@here:1", "blue burnt down")
    word = "bob from alice@here:1 keeps green, unsigned: blue burnt down"
    assert view.reason.endswith(f"; then {word}")
    assert word in stranded.told("p-1")
    assert "not watched: bob keeps green, unsigned" in stranded.told("p-1")
    assert stranded.book.account.live is Colour.GREEN is world.switch.entry()[0] is world.map_file.read()[0]
    assert not stranded.book.account.colours["blue"].warm
    assert stranded.book.account.incidents == ()
    stranded.promote(Colour.BLUE, "p-2")
    assert view_of(stranded).phase is not Phase.STRANDED, "and the next one may come"


def refused(steward: Steward, said: str) -> None:
    before = steward.book.account
    with pytest.raises(Refused, match=said) as no:
        kept(steward)
    assert no.value.code == "not-kept"
    after = steward.book.account
    assert (after.promotion, after.turn, after.leaving) == (before.promotion, before.turn, before.leaving)


def test_not_where_what_came_before_answers(world: World, stranded: Steward) -> None:
    world.services.hung.clear()
    refused(stranded, "blue can be gone back to")
    assert recovered(stranded) is Phase.ROLLED_BACK


@pytest.mark.parametrize("how", ["not up", "another build"])
def test_what_answers_and_cannot_be_gone_back_to_is_no_way_back_either(
    world: World, stranded: Steward, how: str
) -> None:
    world.services.hung.clear()
    if how == "not up":
        world.switch.down.add("web_blue")
    else:
        world.services.builds["blue-web"] = world.services.builds["green-web"]
    assert recovered(stranded) is Phase.STRANDED
    assert kept(stranded) is Phase.PROMOTED


def test_not_where_it_does_not_answer_itself(world: World, stranded: Steward) -> None:
    world.services.hung.add("green-web")
    refused(stranded, "green is not proven: ")


def test_not_where_it_is_another_build(world: World, stranded: Steward) -> None:
    world.services.builds["green-web"] = world.services.builds["blue-web"]
    refused(stranded, "green is not proven: ")


def test_not_where_the_way_back_was_made_and_is_not_proven(world: World) -> None:
    refused(gone_back_unproven(world), "the map file says blue, not green")


def test_a_switch_that_another_hand_turned_follows_the_map_file_first(world: World, stranded: Steward) -> None:
    world.switch.entry_now = (Colour.BLUE, 50)
    assert kept(stranded) is Phase.PROMOTED
    assert world.switch.entry() == world.map_file.read() == (Colour.GREEN, stranded.book.account.live_epoch)


def test_not_where_nothing_is_stranded(world: World) -> None:
    refused(world.live(), "nothing is stranded")


def test_not_a_first_release_which_is_flipped_and_watched_again(world: World) -> None:
    steward = world.steward()
    steward.begin(Kind.GENESIS, Colour.BLUE, "g-1")
    steward.to_flip()
    world.clock.on_sleep = steward.course.abort
    steward.course.run()
    world.clock.on_sleep = lambda: None
    assert view_of(steward).phase is Phase.STRANDED
    refused(steward, "nothing came before blue")


def test_who_asked_to_go_back_before_is_overruled(world: World) -> None:
    """And until somebody is, `recover` does not turn on to where a person said to leave."""
    steward = world.live()
    world.services.hung.add("blue-web")
    whole = MapFile.write

    def write(file: MapFile, colour: Colour, epoch: int) -> None:
        whole(file, colour, epoch)
        steward.book.write("go-back", "p-1", phase=Phase.FLIPPING, message="bob says to go back")
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MapFile, "write", write)
        with pytest.raises(Killed):
            steward.promote()
    world.close()
    following = world.steward()
    assert following.course.take_on()
    following.course.run()
    assert view_of(following).phase is Phase.STRANDED
    flips = following.told("p-1").count("map file says green")
    assert recovered(following) is Phase.STRANDED
    assert following.told("p-1").count("map file says green") == flips
    assert Phase.WATCHING not in {event.phase for _, event in following.book.events("p-1", 0)}
    assert kept(following) is Phase.PROMOTED


@pytest.mark.parametrize("how", ["hangs", "is not up"])
def test_while_it_is_watched_nobody_goes_back_to_what_fails(world: World, how: str) -> None:
    """Said before anything is given up: the watch goes on, and ends as it would."""
    steward = world.live()
    slow = Slow(steward)
    slow.begin("p-1", Colour.GREEN)
    if how == "hangs":
        world.services.hung.add("blue-web")
    else:
        world.switch.down.add("web_blue")
    noes: list[str] = []

    def back() -> None:
        if view_of(steward).phase is Phase.WATCHING and not noes:
            with pytest.raises(Refused) as no:
                slow.desk.ask(Caller(lambda: False), "go-back", {"claim": CLAIM})
            noes.append(no.value.code)

    world.clock.on_sleep = back
    for message in ("checked", "deployed", "smoked"):
        slow.report("ok", message)
    assert noes == ["way-back-fails"]
    assert view_of(steward).phase is Phase.PROMOTED
    assert not steward.book.account.leaving


def keep(steward: Steward) -> None:
    """In this thread."""
    slow = Slow(steward)
    slow.set_off = slow.run  # type: ignore[method-assign]
    slow.desk.ask(Caller(lambda: False), "recover", WORD)


@pytest.mark.parametrize("entry", [0, 1, 2, 3, 4])
def test_cut_off_at_any_entry_of_it_it_can_be_told_again(world: World, stranded: Steward, entry: int) -> None:
    """Killed just before its n-th entry is journalled."""
    whole, left = stranded.book.write, [entry]

    def write(kind: str, promotion: str = "", **body: object) -> object:
        if kind in ("advance", "turn", "hung"):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
        return whole(kind, promotion, **body)

    stranded.book.write = write  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        keep(stranded)
    world.close()
    following = world.steward()
    if following.course.take_on():
        following.course.run()
    if view_of(following).phase is Phase.STRANDED:
        assert kept(following) is Phase.PROMOTED
    assert view_of(following).phase is Phase.PROMOTED
    assert following.book.account.live is Colour.GREEN is world.switch.entry()[0] is world.map_file.read()[0]
    assert not following.book.account.colours["blue"].warm
    assert following.told("p-1").count("every listener answers from green") >= 2, "it was proven at the front again"
    assert world.switch.served == {Colour.BLUE, Colour.GREEN}


@pytest.mark.parametrize("cut", [JournalFull("no room"), Killed()])
def test_one_that_failed_is_nobodys_word(world: World, stranded: Steward, cut: BaseException) -> None:
    """Somebody said to go back; once what came before is well again, `recover` does, and nothing says unsigned."""
    stranded.book.write("go-back", "p-1", phase=Phase.STRANDED, message="ann says to go back")
    whole = stranded.book.write

    def write(kind: str, promotion: str = "", **body: object) -> object:
        if kind == "advance":
            raise cut
        return whole(kind, promotion, **body)

    stranded.book.write = write  # type: ignore[method-assign,assignment]
    with pytest.raises(type(cut)):
        keep(stranded)
    world.close()
    following = world.steward()
    assert (view_of(following).phase, view_of(following).kept) == (Phase.STRANDED, None)
    assert following.book.account.leaving
    world.services.hung.clear()
    assert recovered(following) is Phase.ROLLED_BACK
    assert view_of(following).kept is None
