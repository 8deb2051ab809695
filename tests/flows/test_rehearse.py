"""A schema's move on the mirror: the live release must bear it before anything is approved."""

import pytest

from otagate.core.errors import ProvisionFault
from otagate.core.judge import Decision, Mark
from otagate.core.suite import Outcome
from tests.flows.scene import IMAGES, cases
from tests.flows.test_migrate import IMAGE, OLD, before, declare, run_of, state
from tests.flows.test_promote import go


def test_the_live_release_runs_its_suites_on_the_migrated_mirror_before_anything_is_approved() -> None:
    scene = before()
    stored = run_of(scene)
    assert stored.verdict.decision is Decision.APPROVE
    assert stored.record.migration is not None
    assert [str(move) for move in stored.record.migration.moves] == ["web 1 → 2"]
    assert [f.mark for f in stored.verdict.findings if f.rule == "migrate"] == [Mark.PASS]
    own, of_live = scene.suites.ran
    assert own.environment["OTAGATE_CANDIDATE_WEB_BUILD"] == IMAGES[IMAGE]
    assert of_live.environment["OTAGATE_CANDIDATE_WEB_BUILD"] == IMAGES["hello/web:1.0"]
    assert of_live.environment["OTAGATE_CANDIDATE_WEB"] == own.environment["OTAGATE_BASELINE_WEB"]
    assert of_live.environment["OTAGATE_DOOR_WEB"] == "p-green-baseline-switch:20001"
    assert of_live.output != own.output
    assert state(scene) == "1"  # production is as it was


def test_only_the_program_holds_the_right_to_change_the_schema() -> None:
    scene = before()
    run_of(scene)
    programs = [s for s in scene.provisioner.applied if s.once]
    (program,) = {c.name: c for s in programs for c in s.containers if "candidate" in c.name}.values()
    assert program.entrypoint == ("web-migrate",)
    assert program.command == ("all",)
    assert [f.path for f in program.files if f.secret] == ["/run/secrets/owner"]
    services = [c for s in scene.provisioner.applied if not s.once for c in s.containers if c.name.endswith("-web")]
    assert {f.path for c in services for f in c.files if f.secret} == {"/run/secrets/password"}


@pytest.mark.parametrize("how", ["fails", "leads elsewhere"])
def test_a_program_that_breaks_on_the_mirror_is_refused(how: str) -> None:
    scene = before()
    if how == "fails":
        scene.world.dying.add(IMAGES[IMAGE])
    else:
        scene.world.moves[IMAGES[IMAGE]] = "3"
    stored = run_of(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert next(f.reason for f in stored.verdict.findings if f.rule == "migrate") == "migration-broke"
    assert not [name for name in scene.names() if "candidate" in name or "baseline" in name]


def test_a_live_release_that_fails_on_the_migrated_mirror_is_a_refusal() -> None:
    scene = before()
    results = [cases(), cases(Outcome.FAILED)]
    scene.suites.during = lambda _: scene.suites.results.update(technical=results.pop(0))
    stored = run_of(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert next(f.reason for f in stored.verdict.findings if f.rule == "migrate") == "live-broken"


def test_without_a_move_nothing_is_run_twice() -> None:
    scene = before()
    declare(scene, OLD)
    stored = run_of(scene)
    assert stored.record.migration is None
    assert len(scene.suites.ran) == 1


def test_the_mirror_is_brought_to_where_production_was_moved() -> None:
    scene = before()
    scene.world.moves[IMAGES["hello/web:1.2"]] = "2"
    go(scene, run_of(scene).header.run)
    scene.world.clock.sleep(1000)
    scene.suites.during = lambda _: seen.append(
        (scene.world.schemas["p-blue-candidate"], scene.world.schemas["p-blue-baseline"])
    )
    seen: list[tuple[str, str]] = []
    assert run_of(scene, "hello/web:1.2").verdict.decision is Decision.APPROVE
    assert seen == [("2", "2")]


def test_a_mirror_that_cannot_be_brought_there_is_no_fault_of_the_candidate() -> None:
    scene = before()
    go(scene, run_of(scene).header.run)
    scene.world.moves[IMAGES[IMAGE]] = "1"
    with pytest.raises(ProvisionFault) as fault:
        run_of(scene, "hello/web:1.2")
    assert fault.value.code == "schema-mirror"
