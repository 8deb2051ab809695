"""What the switch counted around a flip: kept sparsely, and never in the way of the flip."""

from itertools import pairwise

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.promotion import Phase
from otagate.core.switch_counts import BackendCount
from otagate.core.traffic import Happening, Kind
from otagate.steward.journal import JournalFull
from otagate.steward.traffic import Tape, note_traffic
from tests.steward.world import TOPOLOGY, World, serves, view_of


def test_both_colours_are_counted_before_the_flip_at_the_flip_and_after_it(world: World) -> None:
    steward = world.live()
    world.switch.answers, world.switch.sessions = {"web_blue": 40, "dicom_blue": 2}, {"dicom_blue": 1}
    world.clock.on_sleep = lambda: world.switch.answers.update(web_green=world.switch.answers.get("web_green", 0) + 5)
    steward.promote()
    events = [event for _, event in steward.book.events("p-1", 0)]
    kinds = [event.data.get("stage") or event.happening.value for event in events]
    intent, turned = kinds.index("intent"), kinds.index("turned")
    assert "traffic" in kinds[:intent]
    assert kinds[turned + 1] == "traffic"
    assert "traffic" in kinds[turned + 2 :]
    before = next(event for event in events if event.happening is Happening.TRAFFIC)
    assert before.data["blue"] == {"answers": 42, "errors": 0, "sessions": 1, "taken": 0, "aborted": 0}
    last = [event for event in events if event.happening is Happening.TRAFFIC][-1]
    assert last.data["green"]["answers"] > 0


@pytest.mark.parametrize("fault", [JournalFull("no space"), SwitchFault("away")])
def test_a_flip_whose_figures_cannot_be_had_is_a_flip_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: SwitchFault
) -> None:
    steward = world.live()
    tell = steward.book.tell

    def without_figures(happening: Happening, message: str, **data: object) -> None:
        if happening is Happening.TRAFFIC:
            raise fault
        tell(happening, message, **data)

    monkeypatch.setattr(steward.book, "tell", without_figures)
    steward.promote()
    assert view_of(steward).phase is Phase.PROMOTED
    serves(world, steward, Colour.GREEN)


def test_a_colour_that_is_not_counted_whole_is_not_counted(world: World) -> None:
    steward = world.live()
    steward.begin(Kind.PROMOTE, Colour.GREEN, "p-1")
    note_traffic(steward.book, TOPOLOGY.doors[:2], {"web_blue": BackendCount(True, True, 1, 2, 3, 4, 5)})
    event = [event for _, event in steward.book.events("p-1", 0)][-1]
    assert (event.happening, event.data) == (Happening.TRAFFIC, {"blue": None, "green": None})


def test_nothing_is_kept_under_a_promotion_that_has_ended(world: World) -> None:
    steward = world.live()
    steward.promote()
    seq = steward.book.account.seq
    note_traffic(steward.book, TOPOLOGY.doors[:2], world.switch.counts())
    assert steward.book.account.seq == seq


def test_samples_come_often_at_first_and_ever_more_seldom() -> None:
    tape = Tape()
    taken = [at / 10 for at in range(36_000) if tape.due(at / 10)]
    assert taken[:4] == [0.0, 0.5, 1.0, 1.5]
    gaps = [round(after - before, 1) for before, after in pairwise(taken)]
    assert gaps == sorted(gaps)
    assert 100 < len(taken) < 160
