"""A schema's move in production: made as it was rehearsed, read back, kept and told."""

from dataclasses import replace

import pytest

from otagate.core.cloud import Colour
from otagate.core.errors import ProvisionFault, SwitchFault
from otagate.core.platform import Migrate
from otagate.core.promotion import Phase
from otagate.core.schema import Schema
from otagate.flows import gate, promote, recover, rollback
from otagate.flows.recover import Recovery
from otagate.ports import StoredRun
from tests.flows.scene import CLAIM, IMAGES, MIRROR, Scene
from tests.flows.test_promote import go, live

OLD, NEW = Schema("1", ("1", "2")), Schema("2", ("1", "2"))
STEP = Migrate(("web-migrate", "all"), ("owner",), 20.0)
IMAGE = "hello/web:1.1"


def declare(scene: Scene, schema: Schema, step: Migrate | None = STEP) -> None:
    services = dict(scene.platform.services)
    services["web"] = replace(services["web"], schema=schema, migrate=step)
    secrets = {**scene.platform.secrets, "owner": scene.platform.secrets["password"]}
    scene.platform = replace(scene.platform, services=services, secrets=secrets)


def before() -> Scene:
    """Production at schema 1, and a build that would move it to 2."""
    scene = Scene()
    declare(scene, OLD)
    scene.world.moves = {IMAGES["hello/web:1.0"]: "1", IMAGES[IMAGE]: "2"}
    scene.up()
    declare(scene, NEW)
    return scene


def run_of(scene: Scene, image: str = IMAGE) -> StoredRun:
    return gate.test(scene.platform, {"web": image}, scene.ports, MIRROR, wait=0.0, keep=False)


def state(scene: Scene) -> str:
    return scene.world.schemas.get("p-green", "1")


def test_a_promotion_moves_the_schema_before_the_release_stands_and_reads_it_back() -> None:
    scene = before()
    attempt = go(scene, run_of(scene).header.run)
    assert attempt.record.view.phase is Phase.PROMOTED
    assert attempt.record.view.debts == ()
    assert state(scene) == "2"
    assert scene.steward.status().schemas == {"web": ("2",)}
    told = [event.message for event in attempt.record.events]
    begun, proven = (next(i for i, line in enumerate(told) if word in line) for word in ("about to move", "read back"))
    assert begun < proven < told.index("done", proven)
    assert "p-green-web-migrate" not in scene.names()
    assert "p-green-web" in scene.names()


def test_without_the_evidence_promote_refuses_and_touches_nothing() -> None:
    scene = before()
    declare(scene, OLD)
    run = run_of(scene).header.run
    declare(scene, NEW)
    attempt = go(scene, run)
    assert "migration-unproven" in [o.code for o in attempt.objections]
    assert state(scene) == "1"
    assert attempt.record.view.phase is Phase.ABANDONED


def test_abandoning_after_the_move_records_a_debt_and_the_next_promotion_finds_it_made() -> None:
    scene = before()
    run = run_of(scene).header.run
    scene.steward.listeners["other"] = "nobody"  # smoke fails
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert attempt.record.view.debts == ("the schema of web stays 2, on which the live release was tested",)
    del scene.steward.listeners["other"]
    again = go(scene, run)
    assert again.record.view.phase is Phase.PROMOTED
    assert again.record.view.debts == ()


def cut_off(scene: Scene, in_fact: str) -> Recovery:
    """A promotion's move is cut off; the state is `in_fact` at this label, and nobody has read it."""
    run = run_of(scene).header.run
    scene.provisioner.before = lambda stage: cut(scene) if stage.name == "apply schema of production" else None
    with pytest.raises(SwitchFault):
        go(scene, run)
    scene.world.schemas["p-green"] = in_fact
    scene.steward.lost = False
    scene.provisioner.before = lambda _: None
    return recover.recover(scene.platform, scene.ports, CLAIM, wait=0.0)


def cut(scene: Scene) -> None:
    scene.steward.lost = True
    raise ProvisionFault("the line is cut", code="engine")


def test_cut_off_inside_the_move_recover_says_that_nobody_knows() -> None:
    scene = before()
    found = cut_off(scene, in_fact="1")
    assert found.after is not None
    assert found.after.view.phase is Phase.ABANDONED
    assert found.after.view.debts == ("the schema of web may be 1 or 2: its move was cut off",)
    assert scene.steward.status().schemas == {"web": ("1", "2")}


@pytest.mark.parametrize("in_fact", ["1", "2"])
def test_a_release_without_a_program_must_read_both_labels_after_a_move_that_was_cut_off(in_fact: str) -> None:
    scene = before()
    cut_off(scene, in_fact)
    declare(scene, Schema("1", ("1",)), None)
    attempt = go(scene, run_of(scene, "hello/web:1.2").header.run)
    (objection,) = attempt.objections
    assert objection.code == "incompatible-schema"
    assert "the new release reads web 1, and its state may be 1 or 2: its move was cut off" in objection.message
    assert objection.hint == "first promote a release that reads both labels and writes the old one"
    declare(scene, OLD, None)
    assert go(scene, run_of(scene, "hello/web:1.2").header.run).record.view.phase is Phase.PROMOTED
    assert scene.steward.status().schemas == {"web": ("1", "2")}, "nobody has read it since"


def test_a_release_whose_program_finds_a_state_that_it_cannot_read_does_not_stand() -> None:
    scene = before()
    cut_off(scene, in_fact="2")
    declare(scene, Schema("1", ("1",)))
    run = run_of(scene, "hello/web:1.2").header.run
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert attempt.record.view.reason == (
        "asked after a move that was cut off: the new release reads web 1, not 2; otagate test a build that reads it"
    )
    assert "p-green-web" not in scene.names()
    assert scene.steward.status().schemas == {"web": ("2",)}
    assert [o.code for o in go(scene, run).objections] == ["incompatible-schema"], "now that it is known"


def test_a_release_whose_program_finds_a_state_that_it_reads_goes_live_and_it_is_known_again() -> None:
    scene = before()
    cut_off(scene, in_fact="1")
    declare(scene, Schema("1", ("1",)))
    run = run_of(scene, "hello/web:1.2").header.run
    candidate = promote.look_for_promotion(scene.platform, run, scene.ports)
    plan = promote.plan_promotion(scene.platform, candidate, scene.ports).text()
    assert "look at the schema of web" in plan
    assert "it may be 1 or 2: its move was cut off" in plan
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.PROMOTED
    assert scene.steward.status().schemas == {"web": ("1",)}
    told = [event.message for event in attempt.record.events]
    assert "read back: the schema of web is 1" in told
    assert not any("about to move" in line for line in told)


def test_the_move_that_was_cut_off_is_made_by_the_same_run_again() -> None:
    scene = before()
    cut_off(scene, in_fact="1")
    assert go(scene, next(iter(scene.store.runs("p")))).record.view.phase is Phase.PROMOTED
    assert (state(scene), scene.steward.status().schemas) == ("2", {"web": ("2",)})


def test_a_state_that_somebody_else_moved_is_left_alone() -> None:
    scene = before()
    run = run_of(scene).header.run
    scene.world.schemas["p-green"] = "7"
    attempt = go(scene, run)
    assert attempt.record.view.phase is Phase.ABANDONED
    assert "neither 1 nor 2" in attempt.record.view.reason
    assert state(scene) == "7"
    assert attempt.record.view.debts == ()


def test_after_the_move_the_way_back_is_open_and_a_release_that_cannot_read_it_is_not() -> None:
    scene = before()
    go(scene, run_of(scene).header.run)
    rollback.rollback(scene.platform, scene.ports, CLAIM, wait=0.0)
    assert live(scene) is Colour.BLUE
    declare(scene, Schema("1", ("1",)))
    attempt = go(scene, run_of(scene, "hello/web:1.2").header.run)
    assert [o.code for o in attempt.objections] == ["incompatible-schema"]
    assert "the new release reads web 1, not 2" in attempt.objections[0].message


def test_the_plans_tell_of_it() -> None:
    scene = before()
    assert "migrate web 1 → 2" in gate.plan_test(scene.platform, {"web": IMAGE}, scene.ports).text()
    candidate = promote.look_for_promotion(scene.platform, run_of(scene).header.run, scene.ports)
    assert "migrate web 1 → 2" in promote.plan_promotion(scene.platform, candidate, scene.ports).text()
