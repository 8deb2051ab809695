from dataclasses import replace

from otagate.core.cloud import LABEL_SPEC, Colour
from otagate.core.mirror import ObservedCloud, ObservedContainer
from otagate.core.plan import Action, Plan, Step, steps_of
from otagate.core.release import release_of
from otagate.core.stages import colour_stage
from tests.core.platforms import build, platform

P = platform()
STAGE = colour_stage(P, release_of(P, {"web": build()}), Colour.BLUE, lambda _: b"x", fresh=True)
NAME, SPEC = STAGE.containers[0].name, STAGE.containers[0].labels[LABEL_SPEC]


def seen(*, spec: str = SPEC, running: bool = True) -> list[ObservedCloud]:
    container = ObservedContainer(
        NAME, "id", "web", "blue", "blue", "production", "i", running, "healthy", 0.0, 0, {}, {}, {}, {LABEL_SPEC: spec}
    )
    return [ObservedCloud("blue", {}, (container,))]


def test_what_is_missing_is_created() -> None:
    assert [s.action for s in steps_of([STAGE], [])] == [Action.CREATE]


def test_what_is_as_specified_is_kept_and_what_stopped_is_started() -> None:
    assert [s.action for s in steps_of([STAGE], seen())] == [Action.KEEP]
    assert [s.action for s in steps_of([STAGE], seen(running=False))] == [Action.START]


def test_another_specification_is_replaced_only_where_the_stage_may_replace() -> None:
    assert [s.action for s in steps_of([replace(STAGE, replace=True)], seen(spec="other"))] == [Action.REPLACE]
    assert [s.action for s in steps_of([replace(STAGE, replace=False)], seen(spec="other"))] == [Action.KEEP]


def test_a_plan_prints_every_step_with_its_cause() -> None:
    plan = Plan("promote", (Step(Action.CREATE, "p-blue-web", "because"), Step(Action.TURN, "switch", "blue → green")))
    assert plan.text() == ("promote\n  create   p-blue-web  because\n  turn     switch      blue → green")
