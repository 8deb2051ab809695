"""The steward's phases over a world in memory: forward, back and stranded."""

import pytest

from otagate.core.cloud import Colour
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind, PromotionView
from otagate.core.watch import Enough, WatchPolicy
from tests.steward.world import World, serves, view_of


def test_a_promotion_turns_watches_and_keeps_the_old_colour_warm(world: World) -> None:
    steward = world.live()
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.GREEN)
    colours = steward.book.account.colours
    assert (colours["blue"].warm, colours["green"].warm) == (True, False)


def test_every_step_is_written_before_the_next_is_done(world: World) -> None:
    steward = world.live()
    steward.promote()
    steps = steward.told("p-1")
    order = [s for s in steps if "epoch" in s or "map file" in s or "read back" in s or "every listener answers" in s]
    assert order == [
        "about to turn blue → green, epoch 2",
        "map file says green",
        "switch turned to green and read back",
        "every listener answers from green",
    ]


def test_passive_comes_before_active_so_that_never_two_work(world: World) -> None:
    steward = world.live()
    world.services.calls.clear()
    steward.promote()
    assert world.services.calls == ["passive blue-web", "activate green-web"]
    assert world.services.most_active == 1


def test_errors_in_the_watch_bring_the_old_colour_back(world: World) -> None:
    steward = world.live()

    def worse() -> None:
        world.switch.answers["web_green"] = world.switch.answers.get("web_green", 0) + 50
        world.switch.errors["web_green"] = world.switch.errors.get("web_green", 0) + 10

    world.clock.on_sleep = worse
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert view_of(steward).reason.startswith("web: ")
    assert "errors in" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)
    assert not any(colour.warm for colour in steward.book.account.colours.values())


def test_a_door_that_fails_is_not_hidden_by_a_busy_one(world: World) -> None:
    steward = world.live()

    def busy() -> None:
        world.switch.answers["web_green"] = world.switch.answers.get("web_green", 0) + 5000
        world.switch.answers["dicom_green"] = world.switch.answers.get("dicom_green", 0) + 20
        world.switch.errors["dicom_green"] = world.switch.errors.get("dicom_green", 0) + 20

    world.clock.on_sleep = busy
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert view_of(steward).reason.startswith("dicom: ")


def test_a_colour_that_goes_down_in_the_watch_is_left(world: World) -> None:
    steward = world.live()
    world.clock.on_sleep = lambda: world.switch.down.add("dicom_green")
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


def test_a_watch_without_eyes_goes_back_once_the_switch_answers_again(world: World) -> None:
    steward = world.live()
    slept = [0]

    def restart() -> None:
        slept[0] += 1
        world.switch.away = slept[0] < 8
        if not world.switch.away:
            world.switch.start()

    world.clock.on_sleep = restart
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "did not answer" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)


def test_a_target_that_is_not_there_is_not_flipped_to(world: World) -> None:
    steward = world.live()
    world.services.absent.add("green-web")
    before = world.map_file.read()
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert world.map_file.read() == before
    assert "about to turn" not in " ".join(steward.told("p-1"))


def test_a_target_with_another_build_than_judged_is_not_flipped_to(world: World) -> None:
    steward = world.live()
    world.services.builds["green-web"] = "sha256:" + "0" * 64
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "was not judged" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)


def test_a_target_that_the_switch_sees_down_is_waited_for_and_then_refused(world: World) -> None:
    steward = world.live()
    world.switch.down.add("web_green")
    began = world.clock.time
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "the switch sees no server up: web_green" in view_of(steward).reason
    assert world.clock.time - began >= 5


def test_a_switch_that_refuses_leaves_the_map_as_it_was(world: World) -> None:
    steward = world.live()
    before = world.map_file.read()
    world.switch.refuses = "no server up: web_green"
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()
    world.clock.on_sleep = lambda: None
    steward.course.run()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert world.map_file.read() == before
    assert "not turned: the map file says blue" in steward.told("p-1")
    serves(world, steward, Colour.BLUE)


def test_a_switch_that_lies_is_found_by_reading_back(world: World) -> None:
    steward = world.live()
    world.switch.lies = True
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "does not show it" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)


def test_the_warm_side_is_proven_before_anything_moves_and_else_it_is_stranded(world: World) -> None:
    steward = world.live()
    world.both_go_bad()
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.STRANDED
    assert "blue-web:8080 does not answer" in view.reason
    assert "web: down" in view.reason, "the first reason stays"
    assert world.map_file.read()[0] is Colour.GREEN, "not moved to what is not proven"


def test_stranded_comes_back_once_the_warm_side_answers(world: World) -> None:
    test_the_warm_side_is_proven_before_anything_moves_and_else_it_is_stranded(world)
    steward = world.steward()
    steward.course.settle_stranded()
    assert view_of(steward).phase is Phase.STRANDED
    world.services.hung.clear()
    world.clock.on_sleep = lambda: None
    steward.course.settle_stranded()
    steward.course.run()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


def test_a_failed_colour_that_does_not_take_passive_is_a_debt_and_no_hindrance(world: World) -> None:
    steward = world.live()

    def hang() -> None:
        world.switch.down.add("web_green")
        world.services.hung.add("green-web")

    world.clock.on_sleep = hang
    steward.promote()
    view = view_of(steward)
    assert view.phase is Phase.ROLLED_BACK
    assert any("hooks/passive" in debt for debt in view.debts)
    assert steward.book.account.live is Colour.BLUE


def test_an_old_colour_that_does_not_take_passive_is_returned_to(world: World) -> None:
    """Else two might work at once."""
    steward = world.live()
    before = world.services.call

    def call(url: str, deadline: float) -> bool:
        if url.endswith("passive") and "blue" in url and world.switch.entry()[0] is Colour.GREEN:
            world.services.hung.add("blue-web")
            try:
                return before(url, deadline)
            finally:
                world.services.hung.discard("blue-web")
        return before(url, deadline)

    world.services.call = call  # type: ignore[method-assign]
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


def test_a_watch_over_traffic_that_somebody_moved_is_no_watch(world: World) -> None:
    steward = world.live()

    def moved() -> None:
        world.switch.entry_now = (Colour.BLUE, 99)

    world.clock.on_sleep = moved
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "did not agree at the end of the watch" in view_of(steward).reason


def test_an_abort_in_the_watch_goes_back(world: World) -> None:
    steward = world.live()
    world.clock.on_sleep = steward.course.abort
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


def test_a_bug_in_the_watch_takes_the_way_back_and_says_so(world: World) -> None:
    steward = world.live()

    def broken() -> None:
        world.clock.on_sleep = lambda: None
        raise ZeroDivisionError("planted")

    world.clock.on_sleep = broken
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "bug of the steward: ZeroDivisionError: planted" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)


def test_a_colour_holds_the_run_of_its_release_whatever_comes_to_nothing_beside_it(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1", run="run-1")
    steward.to_flip()
    steward.course.run()
    steward.begin(Kind.PROMOTE, Colour.BLUE, "p-2", run="run-2")
    steward.book.advance(Phase.PREFLIGHT, Event.REFUSED, "the way back is kept")
    runs = {name: held.run for name, held in steward.book.account.colours.items()}
    assert runs == {"blue": "", "green": "run-1"}, "of blue, the first release, no run is known"
    world.close()
    assert {name: held.run for name, held in world.steward().book.account.colours.items()} == runs


def test_a_rollback_leaves_no_way_back_to_what_was_left(world: World) -> None:
    steward = world.live()
    steward.promote()
    steward.begin(Kind.ROLLBACK, Colour.BLUE, "r-1", watch=WatchPolicy(lasts=0.0, every=0.5))
    steward.to_flip()
    steward.course.run()
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.BLUE)
    assert not any(colour.warm for colour in steward.book.account.colours.values())


@pytest.mark.parametrize("door", ["web", "dicom"])
def test_a_rollback_stays_where_the_colour_it_went_to_answers_a_few_errors(world: World, door: str) -> None:
    steward = world.live()
    steward.promote()

    def erring() -> None:
        for counted, more in ((world.switch.answers, 20), (world.switch.errors, 1)):
            counted[f"{door}_blue"] = counted.get(f"{door}_blue", 0) + more

    world.clock.on_sleep = erring
    steward.begin(Kind.ROLLBACK, Colour.BLUE, "r-1", watch=WatchPolicy(lasts=0.0, every=0.5))
    steward.to_flip()
    steward.course.run()
    assert view_of(steward).phase is Phase.PROMOTED
    assert "blue is healthy, its answers are not judged" in steward.told("r-1")
    serves(world, steward, Colour.BLUE)


def test_a_watch_that_breaks_where_there_is_a_way_back_takes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    steward = world.live()
    ended: list[str] = []

    def still_there(view: PromotionView, seen: Enough) -> tuple[Event, str]:
        ended.append(f"{view.phase} {seen.answers}")
        return Event.FAULT, "journal, map file and switch did not agree"

    monkeypatch.setattr(steward.course, "_still_there", still_there)
    steward.promote()
    assert len(ended) == 1
    assert view_of(steward).phase is Phase.ROLLED_BACK


def test_a_flip_is_refused_while_the_accounts_differ(world: World) -> None:
    steward = world.live()
    world.switch.entry_now = (Colour.GREEN, 50)
    steward.promote()
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert "do not agree on what serves" in view_of(steward).reason
    serves(world, steward, Colour.BLUE)
