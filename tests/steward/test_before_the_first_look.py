"""What fails between the turn and the watch's first look is the new release's: hooks that hang may take half a minute
there, a steward that is started again begins its looks anew, and what is stranded waits for a person."""

from collections.abc import Callable

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.promotion import Phase
from otagate.core.traffic import Happening, Kind
from otagate.steward.traffic import Start, before_the_turn
from tests.steward.pairs import other
from tests.steward.switches import FakeSwitch
from tests.steward.test_hung_release import recovered
from tests.steward.test_kept import kept
from tests.steward.world import Steward, World, serves, view_of

Meanwhile = Callable[[], None]


def answered(switch: FakeSwitch, answers: int, errors: int = 0) -> None:
    """So many more at green's listener."""
    switch.answers["web_green"] = switch.answers.get("web_green", 0) + answers
    switch.errors["web_green"] = switch.errors.get("web_green", 0) + errors


def begun_anew(switch: FakeSwitch, answers: int, errors: int) -> None:
    """Started again, it counted so many since."""
    switch.answers, switch.errors = {"web_green": answers}, {"web_green": errors}


def promoted_by_hooks_that_hang(world: World, steward: Steward, meanwhile: Meanwhile) -> None:
    """The first hook after the turn takes half a minute; from then on green answers as it should."""
    called: list[str] = []

    def hangs(name: str) -> None:
        if name == "call" and world.switch.entry()[0] is Colour.GREEN and not called:
            called.append(name)
            world.clock.time += 30
            meanwhile()

    world.services.before = hangs
    world.clock.on_sleep = lambda: answered(world.switch, 5)
    steward.promote()
    assert called


def test_errors_while_a_hook_hangs_after_the_turn_are_gone_back_from(world: World) -> None:
    steward = world.live()
    answered(world.switch, 10_000, 500)
    promoted_by_hooks_that_hang(world, steward, lambda: answered(world.switch, 1500, 200))
    assert view_of(steward).phase is Phase.ROLLED_BACK
    assert view_of(steward).reason == "web: 200 errors in 1500 answers of the watch"
    serves(world, steward, Colour.BLUE)


def test_so_are_those_while_the_old_colour_that_hangs_is_asked_to_stand_down(world: World) -> None:
    """There is nothing to go back to then, and it says why it would."""
    steward = world.live()
    world.services.hung.add("blue-web")
    promoted_by_hooks_that_hang(world, steward, lambda: answered(world.switch, 1500, 200))
    assert view_of(steward).phase is Phase.STRANDED
    assert view_of(steward).reason.startswith("web: 200 errors in 1500 answers of the watch")


def test_what_releases_before_it_had_wrong_is_not_its_own(world: World) -> None:
    steward = world.live()
    answered(world.switch, 10_000, 500)
    promoted_by_hooks_that_hang(world, steward, lambda: answered(world.switch, 1500))
    assert view_of(steward).phase is Phase.PROMOTED


@pytest.mark.parametrize(("errors", "ends"), [(10, Phase.ROLLED_BACK), (0, Phase.PROMOTED)])
def test_a_switch_that_is_started_again_meanwhile_has_counted_only_what_it_says(
    world: World, errors: int, ends: Phase
) -> None:
    steward = world.live()
    answered(world.switch, 10_000, 500)
    promoted_by_hooks_that_hang(world, steward, lambda: begun_anew(world.switch, 50, errors))
    assert view_of(steward).phase is ends


@pytest.mark.parametrize(("errors", "ends"), [(10, Phase.ROLLED_BACK), (0, Phase.PROMOTED)])
def test_of_a_pair_either_is_counted_from_what_it_had_counted_itself(pair: World, errors: int, ends: Phase) -> None:
    steward = pair.live()
    answered(pair.switch, 10_000, 500)
    answered(other(pair), 20_000, 900)

    def meanwhile() -> None:
        answered(pair.switch, 20)
        begun_anew(other(pair), 50, errors)

    promoted_by_hooks_that_hang(pair, steward, meanwhile)
    assert view_of(steward).phase is ends
    if errors:
        assert view_of(steward).reason == "web: 10 errors in 70 answers of the watch"


def test_a_steward_that_is_started_again_counts_from_the_turn_too(world: World) -> None:
    steward = world.live()
    answered(world.switch, 10_000, 500)
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    steward.to_flip()

    def killed() -> None:
        raise KeyboardInterrupt

    world.clock.on_sleep = killed
    with pytest.raises(KeyboardInterrupt):
        steward.course.run()
    answered(world.switch, 1500, 200)
    world.clock.on_sleep = lambda: answered(world.switch, 5)
    again = world.steward()
    again.course.take_on()
    again.course.run()
    assert view_of(again).reason == "web: 200 errors in 1500 answers of the watch"
    assert view_of(again).phase is Phase.ROLLED_BACK


def stranded_as_green_serves(world: World, errors: int) -> Steward:
    """Away from what hangs to what refuses `activate`, which answers for minutes until somebody sees to it."""
    steward = world.live()
    answered(world.switch, 10_000, 500)
    world.services.hung.add("blue-web")
    whole = world.services.call

    def call(url: str, deadline: float) -> bool:
        if url == "http://green-web:8080/hooks/activate":
            raise ProbeFault(f"{url} answers 500")
        return whole(url, deadline)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.services, "call", call)
        steward.promote()
    assert view_of(steward).phase is Phase.STRANDED
    assert world.switch.entry()[0] is Colour.GREEN, "control: it serves"
    answered(world.switch, 1500, errors)
    world.clock.on_sleep = lambda: answered(world.switch, 5)
    return steward


def test_what_fails_while_it_is_stranded_is_its_own_and_ends_by_a_persons_word_alone(world: World) -> None:
    steward = stranded_as_green_serves(world, 200)
    assert recovered(steward) is Phase.STRANDED
    assert "web: 200 errors in 1500 answers of the watch" in view_of(steward).reason
    assert recovered(steward) is Phase.STRANDED, "control: nothing else ends it"
    assert kept(steward) is Phase.PROMOTED


def test_it_is_gone_back_from_once_what_hung_answers(world: World) -> None:
    steward = stranded_as_green_serves(world, 200)
    assert recovered(steward) is Phase.STRANDED
    world.services.hung.clear()
    assert recovered(steward) is Phase.ROLLED_BACK
    serves(world, steward, Colour.BLUE)


def test_what_served_well_while_it_was_stranded_is_promoted(world: World) -> None:
    assert recovered(stranded_as_green_serves(world, 0)) is Phase.PROMOTED


def test_a_journal_that_does_not_hold_it_is_watched_from_the_first_look_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    steward = world.live()
    answered(world.switch, 10_000, 500)
    tell = steward.book.tell

    def as_before(happening: Happening, message: str, **data: object) -> None:
        tell(happening, message, **{name: said for name, said in data.items() if name != "start"})

    monkeypatch.setattr(steward.book, "tell", as_before)
    promoted_by_hooks_that_hang(world, steward, lambda: answered(world.switch, 1500, 200))
    assert view_of(steward).phase is Phase.PROMOTED
    assert before_the_turn([event for _, event in steward.book.events("p-1", 0)], Colour.GREEN) == {}


def test_it_is_what_each_switch_had_counted_of_each_door_when_the_colour_was_proven(pair: World) -> None:
    steward = pair.live()
    answered(pair.switch, 10, 1)
    answered(other(pair), 20)
    pair.switch.times = {"web_green": {3: 10}}
    steward.promote()
    starts = before_the_turn([event for _, event in steward.book.events("p-1", 0)], Colour.GREEN)
    assert starts.keys() == {"web", "dicom"}
    first, second = starts["web"]
    assert (first.answers, first.errors, second.answers, second.errors) == (10, 1, 20, 0)
    assert first.times is not None
    assert (first.times[3], sum(first.times)) == (10, 10)
    assert all(isinstance(start, Start) for start in starts["dicom"])
