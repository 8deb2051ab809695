"""The way back by a person: where it leads, what is refused and why, what an override lifts and what it cannot."""

from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import Alarm, Refused, SwitchFault, UsageError
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Kind
from otagate.flows import rollback
from tests.flows.scene import CLAIM, Scene, raised
from tests.flows.test_promote import WEB_1, go, judged, live, proven


def back(scene: Scene, override: str = "", wait: float = 0.0) -> rollback.Return:
    return rollback.rollback(scene.platform, scene.ports, CLAIM, wait=wait, override=override)


def test_rollback_goes_to_the_warm_colour_and_says_so() -> None:
    scene, run = proven()
    go(scene, run)
    attempt = back(scene)
    assert attempt.record.view.phase is Phase.PROMOTED
    assert live(scene) is Colour.BLUE


def test_who_loses_the_steward_once_it_is_done_is_told_how_it_ended() -> None:
    scene, run = proven()
    go(scene, run)

    asked: list[str] = []

    def lost(name: str) -> None:
        asked.append(name)
        if name == "status" and "follow" in asked and asked[asked.index("follow") :].count("status") == 2:
            raise SwitchFault("the engine that runs the steward did not answer", code="engine", hint="is it up?")

    scene.steward.before = lost
    with pytest.raises(SwitchFault, match="the rollback ended promoted; what serves cannot be asked") as told:
        back(scene)
    assert told.value.hint == "otagate status says what serves"


def test_one_that_ended_where_it_began_is_asked_for_again() -> None:
    scene, run = proven()
    go(scene, run)
    scene.steward.outcomes[Phase.WATCHING] = (Event.REFUSED, "web: down")
    assert back(scene).record.view.phase is Phase.ROLLED_BACK
    assert live(scene) is Colour.GREEN
    scene.steward.outcomes.clear()
    assert back(scene).record.view.phase is Phase.PROMOTED
    assert live(scene) is Colour.BLUE


def test_it_names_the_run_whose_release_it_leaves_also_when_it_is_asked_for_again() -> None:
    scene, run = proven()
    go(scene, run)
    scene.steward.outcomes[Phase.WATCHING] = (Event.REFUSED, "web: down")
    assert back(scene).record.view.intent.run == run
    scene.steward.outcomes.clear()
    assert back(scene).record.view.intent.run == run


def test_it_names_the_run_it_leaves_also_after_the_next_promotion_was_refused() -> None:
    """As the refusal's own hint says: wait, or roll back if the live release must go."""
    scene = raised()
    scene.platform = replace(scene.platform, policy=replace(scene.platform.policy, warm=3600.0))
    run = judged(scene, "hello/web:1.1")
    go(scene, run)
    refused = go(scene, judged(scene, "hello/web:1.2"))
    assert (refused.record.view.phase, [o.code for o in refused.objections]) == (Phase.ABANDONED, ["way-back-kept"])
    assert back(scene).record.view.intent.run == run


def test_each_rollback_names_the_run_whose_release_it_leaves_and_of_the_first_release_none() -> None:
    scene, run = proven()
    go(scene, run)
    left = [back(scene, override).record.view.intent.run for override in ("", "the old one burns", "and the new one")]
    assert left == [run, "", run]


def test_there_is_no_rollback_without_a_warm_colour() -> None:
    with pytest.raises(Refused, match="green holds no release"):
        rollback.rollback(raised().platform, raised().ports, CLAIM, wait=0.0)


def test_a_warm_colour_that_does_not_answer_is_left_standing_and_nothing_is_turned() -> None:
    scene, run = proven()
    go(scene, run)
    scene.world.containers[WEB_1].running = False
    attempt = back(scene)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert live(scene) is Colour.GREEN
    assert WEB_1 in scene.world.containers


def test_what_went_live_while_it_waited_is_not_left() -> None:
    """Somebody else has promoted a release meanwhile that this person has never seen."""
    scene, run = proven()
    go(scene, run)
    newer = judged(scene, "hello/web:1.2")

    def waits(name: str) -> None:
        if name == "lease":
            scene.steward.before = lambda _: None
            assert go(scene, newer).record.view.phase is Phase.PROMOTED

    scene.steward.before = waits
    with pytest.raises(Refused, match="was to be left, and since then blue serves") as no:
        back(scene, wait=60.0)
    assert no.value.code == "changed-meanwhile"
    assert live(scene) is Colour.BLUE
    assert back(scene).record.view.phase is Phase.PROMOTED, "asked again it leaves what serves now"
    assert live(scene) is Colour.GREEN


def test_it_says_what_it_will_do_before_it_does_and_what_serves_after() -> None:
    scene, run = proven()
    go(scene, run)
    scene.told.clear()
    done = back(scene)
    told = [p.message for p in scene.told if p.step == "rollback"]
    plan = rollback.plan_rollback
    assert told[0] == "roll back from green to blue"
    assert any("green → blue, all listeners at once" in line for line in told)
    assert scene.told.index(next(p for p in scene.told if p.step == "rollback")) == 0
    assert done.status.live is Colour.BLUE
    assert set(done.addresses) == {"web", "dicom"}
    with pytest.raises(Refused):
        plan(scene.platform, scene.ports)


def test_the_plan_touches_nothing() -> None:
    scene, run = proven()
    go(scene, run)
    before = scene.steward.status()
    assert "green → blue" in rollback.plan_rollback(scene.platform, scene.ports).text()
    assert scene.steward.status() == before


def test_towards_the_very_release_that_is_live_it_is_refused_with_the_reason() -> None:
    scene, run = proven()
    go(scene, run)
    colours = scene.steward._colours
    colours["blue"] = replace(colours["green"], warm=True)
    with pytest.raises(Refused, match="the very release that is live") as no:
        back(scene)
    assert no.value.code == "identical-release"
    assert "--override" in no.value.hint
    assert live(scene) is Colour.GREEN


def test_an_override_lifts_a_refusal_and_stands_in_the_journal_as_unsigned() -> None:
    scene, run = proven()
    go(scene, run)
    back(scene)
    with pytest.raises(Refused) as no:
        back(scene)
    assert no.value.code == "no-warm-side"
    done = back(scene, "the old one burns")
    assert (done.record.view.phase, live(scene)) == (Phase.PROMOTED, Colour.GREEN)
    assert done.record.view.intent.override == "the old one burns"
    assert f"no-warm-side: lifted by {CLAIM.by}, unsigned: the old one burns" in scene.steward.notes


def test_no_override_makes_a_release_where_there_is_none_or_proves_one_that_does_not_answer() -> None:
    scene = raised()
    with pytest.raises(Refused) as no:
        back(scene, "at any price")
    assert no.value.code == "no-release"
    scene, run = proven()
    go(scene, run)
    scene.world.containers[WEB_1].running = False
    assert back(scene, "at any price").record.view.phase is Phase.ABANDONED
    assert live(scene) is Colour.GREEN


def test_where_the_accounts_disagree_it_is_an_alarm() -> None:
    scene, run = proven()
    go(scene, run)
    scene.steward.disagreements = ("the map file says blue",)
    with pytest.raises(Alarm, match="map file says blue"):
        back(scene)


def test_before_production_there_is_nothing_to_go_back_from() -> None:
    with pytest.raises(UsageError):
        back(Scene())


def watched(scene: Scene, run: str, rests: Phase) -> None:
    """A promotion whose command line is gone, resting in a phase of the steward's own."""
    scene.steward.rests = rests
    go(scene, run)
    scene.steward.rests = rests


@pytest.mark.parametrize("phase", [Phase.FLIPPING, Phase.WATCHING, Phase.ROLLING_BACK])
def test_what_the_steward_is_doing_is_gone_back_from_and_nothing_more(phase: Phase) -> None:
    scene, run = proven()
    if phase is Phase.ROLLING_BACK:
        from otagate.core.promotion import Event

        scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "errors")}
    watched(scene, run, phase)
    if phase is Phase.ROLLING_BACK:
        scene.steward.rests = None
    done = back(scene)
    assert (done.record.view.intent.kind, done.record.view.phase) == (Kind.PROMOTE, Phase.ROLLED_BACK)
    assert live(scene) is Colour.BLUE


def test_what_is_just_finalized_is_ended_and_then_rolled_back() -> None:
    scene, run = proven()
    watched(scene, run, Phase.FINALIZING)
    done = back(scene)
    assert (done.record.view.intent.kind, done.record.view.phase) == (Kind.ROLLBACK, Phase.PROMOTED)
    assert live(scene) is Colour.BLUE


def test_what_was_cut_off_before_the_flip_is_left_to_recover() -> None:
    scene, run = proven()
    go(scene, run)
    run = judged(scene, "hello/web:1.2")
    with scene.steward.lease(replace(CLAIM, by="bob"), 0.0) as hold:
        hold.begin(replace(scene.steward.current().intent, promotion="p-cut", to=Colour.BLUE))
    with pytest.raises(Refused) as no:
        back(scene)
    assert no.value.code == "unfinished"
    assert "recover" in no.value.hint
