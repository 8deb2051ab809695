"""What a promotion's dry run says, against what is then done."""

from otagate.core.plan import Action
from otagate.core.promotion import Event, Phase
from otagate.flows import promote
from tests.flows.test_promote import go, proven


def test_the_plan_of_a_promotion_says_what_would_be_refused() -> None:
    scene, run = proven()
    scene.world.clock.advance(25 * 3600)
    candidate = promote.look_for_promotion(scene.platform, run, scene.ports)
    text = promote.plan_promotion(scene.platform, candidate, scene.ports).text()
    assert "would refuse" in text
    assert "blue → green" in text


def test_a_dry_run_says_that_what_stands_in_the_idle_colour_is_made_afresh() -> None:
    scene, run = proven()
    scene.steward.outcomes = {Phase.WATCHING: (Event.REFUSED, "errors")}
    go(scene, run)
    assert "p-green-web" in scene.world.containers, "it stands there still"
    candidate = promote.look_for_promotion(scene.platform, run, scene.ports)
    plan = promote.plan_promotion(scene.platform, candidate, scene.ports)
    said = [(step.action, step.subject) for step in plan.steps if step.subject == "p-green-web"]
    assert said == [(Action.REMOVE, "p-green-web"), (Action.CREATE, "p-green-web")]
