"""The keeper: work is where traffic is, and who changed something past the steward is seen."""

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.traffic import Kind
from otagate.steward.keeper import Keeper
from otagate.steward.outlook import Outlook
from tests.steward.world import Steward, World


@pytest.fixture
def steward(world: World) -> Steward:
    return world.live()


def outlook_of(steward: Steward) -> Outlook:
    return Outlook("sha256:s", steward.helm, lambda: ())


@pytest.fixture
def keeper(steward: Steward) -> Keeper:
    return Keeper(steward.helm, outlook_of(steward))


def test_a_service_that_was_restarted_works_again(world: World, keeper: Keeper) -> None:
    world.services.active.clear()
    keeper.round()
    assert world.services.active == {"blue-web"}


def test_an_idle_colour_that_began_to_work_is_made_passive_first(world: World, keeper: Keeper) -> None:
    world.services.active = {"green-web"}
    world.services.most_active = 0
    keeper.round()
    assert world.services.active == {"blue-web"}
    assert world.services.most_active == 1


def test_before_anything_is_live_nobody_is_called(world: World) -> None:
    steward = world.steward()
    Keeper(steward.helm, outlook_of(steward)).round()
    assert world.services.calls == []


def test_an_idle_colour_that_is_not_there_is_no_trouble(
    world: World, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    world.services.absent.add("green-web")
    keeper.round()
    assert caplog.records == []


def test_a_live_service_that_hangs_is_said_once(world: World, keeper: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    world.services.hung.add("blue-web")
    keeper.round()
    keeper.round()
    assert [r.message for r in caplog.records] == [
        "hooks: http://blue-web:8080/hooks/activate does not answer within 1 s"
    ]


def test_it_asks_again_who_is_live_where_a_turn_came_in_between(world: World, steward: Steward) -> None:
    """Green is flipped to just as the keeper is about to tell the idle colour to be passive."""
    told = world.services.before

    def flip(name: str) -> None:
        world.services.before = told
        if name == "call":
            steward.promote()

    world.services.before = flip
    steward.helm.hooks.keep(1.0)
    steward.helm.hooks.keep(1.0)
    assert steward.book.account.live is Colour.GREEN
    assert world.services.active == {"green-web"}


class TestDisagreements:
    def test_none_where_all_tell_one_story(self, steward: Steward) -> None:
        assert outlook_of(steward).status().disagreements == ()

    def test_a_flip_at_run_time_alone(self, world: World, steward: Steward) -> None:
        world.switch.entry_now = (Colour.GREEN, 9)
        assert outlook_of(steward).status().disagreements == (
            "the map file says blue of epoch 1, the switch itself says green of epoch 9",
        )

    def test_a_flip_in_the_file_alone(self, world: World, steward: Steward) -> None:
        world.map_file.write(Colour.GREEN, 9)
        (first, second) = outlook_of(steward).status().disagreements
        assert first == "the journal says blue of epoch 1, the map file says green of epoch 9"
        assert second == "the map file says green of epoch 9, the switch itself says blue of epoch 1"

    def test_a_flip_in_both_that_the_journal_knows_nothing_of(self, world: World, steward: Steward) -> None:
        world.map_file.write(Colour.GREEN, 9)
        world.switch.entry_now = (Colour.GREEN, 9)
        assert outlook_of(steward).status().disagreements == (
            "the journal says blue of epoch 1, the map file says green of epoch 9",
        )

    def test_an_unreadable_map(self, world: World, steward: Steward) -> None:
        world.map_file.path.write_text("activ")
        status = outlook_of(steward).status()
        assert "the map file cannot be read" in status.disagreements[0]
        assert status.switch.file_colour is None

    def test_a_missing_map(self, world: World, steward: Steward) -> None:
        world.map_file.remove()
        assert "the map file says nothing" in outlook_of(steward).status().disagreements[0]

    def test_a_switch_that_does_not_answer(self, world: World, steward: Steward) -> None:
        world.switch.away = True
        status = outlook_of(steward).status()
        assert status.disagreements == ("the switch did not answer entry",)
        assert (status.switch.run_colour, status.switch.up) == (None, {})

    def test_a_map_before_anything_was_live(self, world: World) -> None:
        steward = world.steward()
        assert outlook_of(steward).status().disagreements == ()
        world.map_file.write(Colour.GREEN, 1)
        assert outlook_of(steward).status().disagreements[0].startswith("the journal says nothing, the map file says")

    def test_none_while_a_turn_is_being_made(self, world: World, steward: Steward) -> None:
        seen = []
        world.switch.before = lambda _name: seen.append(outlook_of_now())
        outlook = outlook_of(steward)

        def outlook_of_now() -> tuple[str, ...]:
            world.switch.before = lambda _name: None
            return outlook.disagreements()

        steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
        steward.to_flip()
        steward.course.run()
        assert seen == [()]

    def test_a_switch_that_is_waited_for_is_one_that_does_not_answer(self, world: World, steward: Steward) -> None:
        """While a steward waits for it to settle what it says."""
        seen = set()
        world.switch.away = True
        world.clock.on_sleep = lambda: seen.add(outlook_of(steward).disagreements())
        with pytest.raises(SwitchFault):
            steward.helm.settle()
        assert seen == {("the switch did not answer entry",)}

    def test_they_are_journalled_when_they_come_and_when_they_go(
        self, world: World, steward: Steward, keeper: Keeper
    ) -> None:
        world.switch.entry_now = (Colour.GREEN, 9)
        keeper.round()
        keeper.round()
        world.switch.entry_now = (Colour.BLUE, 1)
        keeper.round()
        seen = [e.body["message"] for e in steward.book._journal.entries() if e.kind == "seen"]
        assert seen == [
            "the map file says blue of epoch 1, the switch itself says green of epoch 9",
            "journal, map file and switch agree again",
        ]
