"""What the steward ended is kept though nobody followed it: `go` alone is a command line that died before it stored."""

from dataclasses import replace

import pytest

from otagate.core.promotion import Event, Phase
from otagate.core.record import PromotionRecord
from otagate.core.traffic import Kind
from otagate.flows import keeping, rollback
from tests.flows.scene import CLAIM, Scene
from tests.flows.test_promote import go, proven


def kept(scene: Scene, run: str) -> PromotionRecord | None:
    keeping.keep_last(scene.platform, scene.ports)
    return next(reversed(scene.store.promotions_of("p", run)), None)


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ({}, Phase.PROMOTED),
        ({Phase.WATCHING: (Event.REFUSED, "errors")}, Phase.ROLLED_BACK),
        (
            {Phase.WATCHING: (Event.REFUSED, "errors"), Phase.ROLLING_BACK: (Event.FAULT, "dead")},
            Phase.STRANDED,
        ),
    ],
)
def test_an_end_that_nobody_followed_is_kept_with_all_that_was_told(
    outcomes: dict[Phase, tuple[Event, str]], end: Phase
) -> None:
    scene, run = proven()
    scene.steward.outcomes = outcomes
    go(scene, run)
    scene.told.clear()
    record = kept(scene, run)
    assert record is not None
    assert record.view == scene.steward.status().promotion
    assert record.view.phase is end
    assert record.events == tuple(scene.steward.follow(record.view.intent.promotion))
    assert scene.told == []


def test_what_is_kept_already_stays_as_it_is() -> None:
    scene, run = proven()
    figured = replace(go(scene, run).record, figures={"requests": 3})
    scene.store.save_promotion("p", figured)
    assert kept(scene, run) == figured


def test_a_stranded_one_that_ended_since_takes_the_place_of_what_was_kept() -> None:
    scene, run = proven()
    scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "errors"), Phase.ROLLING_BACK: (Event.FAULT, "dead")}
    scene.store.save_promotion("p", go(scene, run).record)
    scene.steward.outcomes = {}
    scene.steward.recover(CLAIM, 0.0)
    record = kept(scene, run)
    assert record is not None
    assert record.view.phase is Phase.ROLLED_BACK


def test_a_rollback_is_kept_beside_the_promotion_that_it_left_and_once() -> None:
    scene, run = proven()
    made = go(scene, run).record
    scene.store.save_promotion("p", made)
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    back = kept(scene, run)
    assert back is not None
    assert (back.view.intent.kind, back.view.phase) == (Kind.ROLLBACK, Phase.PROMOTED)
    figured = replace(back, figures={"requests": 3})
    scene.store.save_promotion("p", figured)
    keeping.keep_last(scene.platform, scene.ports)
    assert scene.store.promotions_of("p", run) == (made, figured)


def test_one_that_is_under_way_is_left_to_who_follows_it() -> None:
    scene, run = proven()
    scene.steward.rests = Phase.WATCHING
    go(scene, run)
    assert kept(scene, run) is None


def test_where_there_is_no_production_nothing_is_kept() -> None:
    scene = Scene()
    keeping.keep_last(scene.platform, scene.ports)
    assert scene.store.promotions == {}
