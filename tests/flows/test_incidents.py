"""Incidents as commands see them: held at preflight, shown, cleared by id or its end."""

import pytest

from otagate.core.errors import Refused, UsageError
from otagate.core.incident import HELD, Written
from otagate.core.promotion import Event, Phase
from otagate.flows import incidents, promote, rollback
from tests.flows.scene import CLAIM, Scene
from tests.flows.test_promote import go, judged, proven


def brought_back() -> tuple[Scene, str, promote.Attempt]:
    scene, run = proven()
    scene.steward.wrote = (Written("web", 3, ("a", "b", "c"), 3),)
    scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "20 errors in 40 answers")}
    attempt = go(scene, run)
    scene.steward.outcomes = {}
    return scene, run, attempt


def test_a_promotion_that_is_brought_back_tells_what_it_left() -> None:
    _, _, attempt = brought_back()
    assert attempt.record.view.phase is Phase.ROLLED_BACK
    assert attempt.incident is not None
    assert (attempt.incident.reason, attempt.incident.impact) == ("20 errors in 40 answers", "K1")
    assert [(w.service, w.count) for w in attempt.incident.written] == [("web", 3)]


def test_a_promotion_that_stays_leaves_nothing() -> None:
    scene, run = proven()
    assert go(scene, run).incident is None


def test_its_release_is_held_at_preflight_with_a_code_and_another_is_not() -> None:
    scene, run, _ = brought_back()
    candidate = promote.look_for_promotion(scene.platform, run, scene.ports)
    (objection,) = promote.check(scene.platform, candidate, scene.ports)
    assert objection.code == HELD
    assert "incident clear" in objection.hint
    with pytest.raises(Refused) as no:
        go(scene, run)
    assert no.value.code == HELD
    assert go(scene, judged(scene, "hello/web:1.2")).record.view.phase is Phase.PROMOTED


def test_cleared_it_may_be_promoted_again_by_a_new_run() -> None:
    scene, run, attempt = brought_back()
    assert attempt.incident is not None
    incidents.clear(scene.platform, scene.ports, CLAIM, attempt.incident.incident[-6:], "the store was full")
    assert [o.code for o in go(scene, run).objections] == ["brought-back"]
    scene.world.clock.advance(1.0)
    again = judged(scene, "hello/web:1.1")
    assert go(scene, again).record.view.phase is Phase.PROMOTED
    assert incidents.listed(scene.platform, scene.ports, every=False) == ()
    assert len(incidents.listed(scene.platform, scene.ports, every=True)) == 1


def test_a_rollback_tells_what_was_written_meanwhile() -> None:
    scene, run = proven()
    go(scene, run)
    scene.steward.wrote = (Written("web", 1, ("a",)),)
    done = rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.incident is not None
    assert [(w.count, w.items) for w in done.incident.written] == [(1, ("a",))]


@pytest.mark.parametrize("name", ["", "i-none"])
def test_what_is_no_incident_is_said(name: str) -> None:
    scene, _, _ = brought_back()
    with pytest.raises(UsageError) as none:
        incidents.clear(scene.platform, scene.ports, CLAIM, name, "seen")
    assert none.value.code == "no-incident"


def test_before_production_there_is_no_list() -> None:
    with pytest.raises(UsageError):
        incidents.listed(Scene().platform, Scene().ports, every=False)
