"""What preflight says no to: each with its code, nothing touched and production as it was."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from otagate.core.cloud import Cloud, Colour
from otagate.core.judge import Mark
from otagate.core.promotion import Event, Phase
from otagate.core.record import Record
from otagate.flows import incidents, promote, rollback
from otagate.ports import StoredRun
from tests.flows.scene import CLAIM, Scene, cases, raised
from tests.flows.test_promote import go, judged, live, proven


def by_hand(scene: Scene, run: str) -> None:
    assert go(scene, run).record.view.phase is Phase.PROMOTED
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)


def by_the_watch(scene: Scene, run: str) -> None:
    scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "errors")}
    assert go(scene, run).record.view.phase is Phase.ROLLED_BACK
    scene.steward.outcomes = {}


@pytest.mark.parametrize("bring_back", [by_hand, by_the_watch])
def test_a_release_that_was_brought_back_needs_a_cleared_incident_and_a_new_run(
    bring_back: Callable[[Scene, str], None],
) -> None:
    scene, run = proven()
    other = judged(scene, "hello/web:1.1")
    bring_back(scene, run)
    for old in (run, other):
        assert "release-held" in refused_by(scene, old)
    incidents.clear(scene.platform, scene.ports, CLAIM, scene.steward.incidents()[0].incident, "the store was full")
    for old in (run, other):
        assert refused_by(scene, old) == ["brought-back"]
    scene.world.clock.advance(1.0)
    assert go(scene, judged(scene, "hello/web:1.1")).record.view.phase is Phase.PROMOTED


def refused_by(scene: Scene, run: str) -> list[str]:
    candidate = promote.look_for_promotion(scene.platform, run, scene.ports)
    return [o.code for o in promote.check(scene.platform, candidate, scene.ports)]


def refusal(scene: Scene, run: str) -> list[str]:
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert live(scene) is Colour.BLUE
    assert "p-green-web" not in scene.world.containers
    return [o.code for o in attempt.objections]


def test_a_verdict_that_is_not_approve_is_not_promoted() -> None:
    scene = raised()
    scene.suites.results = {"technical": replace(cases(), metrics={})}
    assert refusal(scene, judged(scene, "hello/web:1.1")) == ["not-approved"]


def failing(stored: StoredRun) -> StoredRun:
    """Every finding fails, and the decision is left as it was."""
    findings = tuple(replace(f, mark=Mark.FAIL) for f in stored.verdict.findings)
    return replace(stored, verdict=replace(stored.verdict, findings=findings))


ALTERED: list[Callable[[StoredRun], StoredRun]] = [
    failing,
    lambda stored: replace(stored, record=Record({}, {}, None, None)),
    lambda stored: replace(stored, record=replace(stored.record, faults=("the engine went away",))),
    lambda stored: replace(stored, record=replace(stored.record, crashes=None)),
    lambda stored: replace(stored, verdict=replace(stored.verdict, findings=stored.verdict.findings[1:])),
    lambda stored: replace(stored, expires=4e9),
    lambda stored: replace(stored, ended=4e9 - 60, expires=4e9),
]


@pytest.mark.parametrize("alter", ALTERED)
def test_a_record_that_does_not_come_to_its_verdict_is_an_alarm_and_not_promoted(
    alter: Callable[[StoredRun], StoredRun],
) -> None:
    scene, run = proven()
    scene.store.saved["p"][run] = alter(scene.store.saved["p"][run])
    attempt = go(scene, run)
    assert [(o.code, o.alarm) for o in attempt.objections] == [("record-altered", True)]
    assert (attempt.record.view.phase, live(scene)) == (Phase.ABANDONED, Colour.BLUE)


def test_an_old_verdict_is_not_promoted() -> None:
    scene, run = proven()
    scene.world.clock.advance(25 * 3600)
    assert refusal(scene, run) == ["expired"]


def test_a_production_that_changed_since_the_test_voids_the_verdict() -> None:
    scene, run = proven()
    scene.world.containers["p-shared-store"].changed["user"] = "root"
    attempt = go(scene, run)
    assert [o.alarm for o in attempt.objections if o.code == "production-changed"] == [True]


def test_a_clock_that_is_off_is_objected() -> None:
    scene, run = proven()
    scene.engine.skew[Cloud.GREEN] = 3.0
    assert refusal(scene, run) == ["clocks"]


def test_a_changed_suite_or_policy_voids_the_verdict() -> None:
    scene, run = proven()
    scene.suites.digests = dict.fromkeys(scene.suites.digests, "sha256:" + "0" * 64)
    assert refusal(scene, run) == ["changed"]
    scene, run = proven()
    scene.world.images["hello/suite:1.0"] = "sha256:" + "9" * 64
    assert refusal(scene, run) == ["changed"]
    scene, run = proven()
    scene.platform = replace(scene.platform, watch=replace(scene.platform.watch, lasts=1.0, error_share=0.99))
    assert refusal(scene, run) == ["changed"]
    scene, run = proven()
    scene.platform = replace(scene.platform, policy=replace(scene.platform.policy, max_age=60.0))
    assert refusal(scene, run) == ["changed"]


def test_the_live_release_is_not_promoted_again() -> None:
    scene, run = proven("hello/web:1.0")
    assert refusal(scene, run) == ["already-live"]
