from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from otagate.core.errors import Alarm, Refused
from otagate.core.plan import Action
from otagate.core.promotion import Event, Phase
from otagate.core.traffic import Claim, Kind, Override, PromotionView
from otagate.flows import environments, recover, rollback
from tests.flows.scene import CLAIM, MIRROR, Scene
from tests.flows.test_promote import WEB_1, Died, at_steward, die, go, live, proven, revive


def test_recover_changes_nothing_when_nothing_is_unfinished() -> None:
    scene, run = proven()
    go(scene, run)
    assert recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0) == recover.Recovery(None, None)


def test_a_disagreement_is_mended_where_nothing_is_unfinished() -> None:
    scene, _ = proven()
    scene.steward.disagreements = ("the switch says green",)
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done == recover.Recovery(None, None, mended=("the switch says green",))
    assert scene.steward.status().disagreements == ()


def test_what_still_disagrees_afterwards_is_not_told_as_mended() -> None:
    scene, _ = proven()
    scene.steward.disagreements = scene.steward.beyond_mending = ("the map file says green, the journal says nothing",)
    with pytest.raises(Alarm, match="still disagree: the map file says green"):
        recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)


def deploying() -> tuple[Scene, str]:
    """Cut off there, with the candidate's containers raised; and the run that was to go live."""
    scene, run = proven()
    die(scene, scene.provisioner, "apply", after=True)
    try:
        go(scene, run)
    except Died:
        revive(scene)
    return scene, run


def test_a_promotion_cut_off_while_deploying_is_undone_and_told() -> None:
    scene, _ = deploying()
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.before is not None
    assert done.before.phase is Phase.DEPLOYING
    assert done.after is not None
    assert done.after.view.phase is Phase.ABANDONED
    assert "p-green-web" not in scene.world.containers
    assert recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0) == recover.Recovery(None, None)


def test_a_down_leaves_to_recover_what_a_promotion_that_is_being_undone_deployed() -> None:
    scene, _ = deploying()
    undone = scene.steward.recover(CLAIM, 0.0)  # and the command ends before it has removed anything
    assert undone is not None
    assert undone.phase is Phase.DISCARDING
    assert environments.plan_down(scene.platform, scene.ports, destroy=None).steps == ()
    assert environments.down(scene.platform, scene.ports, [MIRROR, CLAIM], destroy=None, wait=0.0) == ()
    assert "p-green-web" in scene.world.containers
    recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert "p-green-web" not in scene.world.containers


def steps(scene: Scene) -> list[tuple[Action, str]]:
    return [(s.action, s.subject) for s in recover.plan_recovery(scene.platform, scene.ports).steps]


def test_a_dry_run_names_what_recover_then_removes_and_changes_nothing() -> None:
    scene, _ = deploying()
    before, told = set(scene.names()), steps(scene)
    assert set(scene.names()) == before
    recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert {name for action, name in told if action is Action.REMOVE} == before - set(scene.names()) == {"p-green-web"}
    assert steps(scene) == []


def test_a_dry_run_of_a_rollback_that_was_cut_off_removes_nothing() -> None:
    scene, run = proven()
    go(scene, run)
    at_steward(scene, "prove", 1)
    try:
        rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    except Died:
        revive(scene)
    (only,) = recover.plan_recovery(scene.platform, scene.ports).steps
    assert (only.action, only.cause) == (Action.RUN, "cut off while smoking: abandoned")


def test_a_dry_run_of_a_stranded_promotion_says_that_the_way_back_is_tried() -> None:
    scene, run = proven()
    scene.steward.outcomes = {
        Phase.WATCHING: (Event.REFUSED, "errors"),
        Phase.ROLLING_BACK: (Event.FAULT, "the warm side is dead"),
    }
    go(scene, run)
    assert steps(scene) == [(Action.TURN, "switch")]
    assert live(scene) is not None


def stuck() -> Scene:
    """Stranded where the way back fails however often it is tried."""
    scene, run = proven()
    dead = (Event.FAULT, "blue does not answer")
    scene.steward.outcomes = {
        Phase.WATCHING: (Event.REFUSED, "errors"),
        Phase.ROLLING_BACK: dead,
        Phase.STRANDED: dead,
    }
    go(scene, run)
    return scene


def test_what_is_stranded_is_kept_by_a_persons_word_and_the_dry_run_says_on_which_terms() -> None:
    scene = stuck()
    plan = recover.plan_recovery(scene.platform, scene.ports, override="blue burnt down")
    assert [(step.action, step.cause) for step in plan.steps] == [
        (
            Action.RUN,
            "keeps green, unsigned: only if the map file says green, it answers, and nobody could go back to blue "
            "(blue burnt down)",
        ),
        (Action.KEEP, "ends promoted, not watched; blue is no way back"),
    ]
    assert scene.steward.current().phase is Phase.STRANDED
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0, override="blue burnt down")
    assert done.after is not None
    view = done.after.view
    assert (view.phase, view.kept) == (Phase.PROMOTED, Override("ada", "ada@host:1", "blue burnt down"))
    assert (done.incident, live(scene)) == (None, "green")


@pytest.mark.parametrize("dry", [True, False])
def test_where_nothing_is_stranded_there_is_nothing_to_keep(dry: bool) -> None:
    scene, run = proven()
    go(scene, run)
    act = partial(recover.recover, claim=CLAIM, wait=0.0) if not dry else recover.plan_recovery
    with pytest.raises(Refused, match="nothing is stranded") as no:
        act(scene.platform, scene.ports, override="why")
    assert no.value.code == "not-kept"


def test_a_rollback_of_what_is_stranded_names_both_ways_out() -> None:
    scene = stuck()
    with pytest.raises(Refused) as no:
        rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert no.value.code == "unfinished"
    assert no.value.hint.endswith("; or, to keep green where it serves: otagate recover --override REASON --by NAME")


def test_a_stranded_first_release_goes_forward_and_the_dry_run_says_so() -> None:
    scene, run = proven()
    scene.steward.outcomes = {Phase.ROLLING_BACK: (Event.FAULT, "dead"), Phase.WATCHING: (Event.REFUSED, "errors")}
    go(scene, run)
    scene.steward._view = replace(scene.steward.current(), came=None)
    (only,) = recover.plan_recovery(scene.platform, scene.ports).steps
    assert only.cause == "stranded: nothing came before green: if it served it is flipped and watched again"
    scene.steward.outcomes = {}
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.after is not None
    assert done.after.view.phase is Phase.PROMOTED


def test_a_rollback_that_was_cut_off_leaves_the_warm_colour_standing() -> None:
    scene, run = proven()
    go(scene, run)
    at_steward(scene, "prove", 1)
    try:
        rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    except Died:
        revive(scene)
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.before is not None
    assert done.before.intent.kind is Kind.ROLLBACK
    assert WEB_1 in scene.world.containers
    assert live(scene) is not None


def test_a_stranded_promotion_is_tried_again() -> None:
    scene, run = proven()
    scene.steward.outcomes = {
        Phase.WATCHING: (Event.REFUSED, "errors"),
        Phase.ROLLING_BACK: (Event.FAULT, "the warm side is dead"),
    }
    assert go(scene, run).record.view.phase is Phase.STRANDED
    scene.steward.outcomes = {}
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert done.after is not None
    assert done.after.view.phase is Phase.ROLLED_BACK
    assert done.incident is not None
    assert done.incident.promotion == done.after.view.intent.promotion


def test_what_somebody_else_finished_meanwhile_is_not_removed_again() -> None:
    scene, run = deploying()
    real = scene.steward.recover

    def overtaken(claim: Claim, wait: float, override: str = "") -> PromotionView | None:
        late = real(claim, wait, override)
        scene.steward.recover = real  # type: ignore[method-assign]
        recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
        assert go(scene, run).record.view.phase is Phase.PROMOTED
        return late

    scene.steward.recover = overtaken  # type: ignore[method-assign]
    recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert live(scene) == "green"
    assert scene.world.containers["p-green-web"].running


def test_what_was_begun_and_cut_off_while_it_waited_is_undone_and_told() -> None:
    """When it looked first, the promotion that it waits for had not begun."""
    scene, run = proven()
    real = scene.steward.recover

    def waits(claim: Claim, wait: float, override: str = "") -> PromotionView | None:
        die(scene, scene.provisioner, "apply", after=True)
        with suppress(Died):
            go(scene, run)
        revive(scene)
        return real(claim, wait, override)

    scene.steward.recover = waits  # type: ignore[method-assign]
    done = recover.recover(scene.platform, scene.ports, CLAIM, wait=60.0)
    assert done.before is not None
    assert done.before.intent.run == run
    assert done.after is not None
    assert done.after.view.phase is Phase.ABANDONED
    assert "p-green-web" not in scene.world.containers
