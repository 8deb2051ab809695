from dataclasses import replace

import pytest

from otagate.core.build import Build
from otagate.core.container import Stage
from otagate.core.errors import Busy, ProvisionFault, UsageError
from otagate.core.judge import Decision, Mark, Reason
from otagate.core.suite import Outcome
from otagate.flows import gate
from otagate.ports import StoredRun, SuiteRun
from tests.flows.scene import MIRROR, Scene, cases, raised

ASKED = {"web": "hello/web:1.1"}


def tried(scene: Scene, asked: dict[str, str] | None = None, *, keep: bool = False) -> StoredRun:
    return gate.test(scene.platform, asked or ASKED, scene.ports, MIRROR, wait=0.0, keep=keep)


def test_an_honest_build_is_approved_and_kept_with_the_digests_it_was_judged_by() -> None:
    scene = raised()
    stored = tried(scene)
    assert stored.verdict.decision is Decision.APPROVE
    assert stored.header.builds == (Build("web", "hello/web:1.1", scene.world.images["hello/web:1.1"]),)
    assert scene.store.run("p", "") == stored
    assert stored.expires > stored.ended


def test_production_is_as_it_was_and_the_mirror_is_gone_afterwards() -> None:
    scene = raised()
    before = {name: s.id for name, s in scene.world.containers.items()}
    tried(scene)
    assert {name: s.id for name, s in scene.world.containers.items()} == before


def test_the_mirror_stays_when_asked_and_does_not_taint_the_next_test() -> None:
    scene = raised()
    tried(scene, keep=True)
    assert "p-green-candidate-web" in scene.world.containers
    first = scene.world.containers["p-green-candidate-store"].id
    tried(scene, keep=True)
    assert scene.world.containers["p-green-candidate-store"].id != first


def test_the_candidate_stands_beside_a_fresh_start_of_the_live_release() -> None:
    scene = raised()
    seen: dict[str, str] = {}

    def during(run: SuiteRun) -> None:
        seen.update({name: s.container.image for name, s in scene.world.containers.items()})
        assert run.networks == ("p-green-candidate", "p-green-baseline")

    scene.suites.during = during
    tried(scene)
    assert seen["p-green-candidate-web"] == scene.world.images["hello/web:1.1"]
    assert seen["p-green-baseline-web"] == scene.world.images["hello/web:1.0"]


def test_a_failed_case_refuses() -> None:
    scene = raised()
    scene.suites.results["technical"] = cases(Outcome.FAILED)
    stored = tried(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert [f.rule for f in stored.verdict.failed()] == ["technical"]


def test_a_crash_during_a_suite_is_judged_once_by_its_own_rule() -> None:
    scene = raised()
    failed = cases(Outcome.FAILED)

    def during(_: SuiteRun) -> None:
        scene.world.end("p-green-candidate-web", "exit 1")
        now = scene.world.clock.now()
        first, second = failed.report.cases
        found = (first, replace(second, started=now - 0.1, ended=now + 0.1))
        scene.suites.results["technical"] = replace(failed, report=replace(failed.report, cases=found))

    scene.suites.during = during
    stored = tried(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert [(f.rule, f.reason) for f in stored.verdict.failed()] == [("crash", Reason.CRASHED)]
    assert {f.rule: f.mark for f in stored.verdict.findings}["technical"] is Mark.UNKNOWN


def test_a_broken_stream_of_events_is_unknown_not_a_pass() -> None:
    scene = raised()
    scene.suites.during = lambda _: setattr(scene.engine.watches[-1], "deaf", True)
    stored = tried(scene)
    assert stored.verdict.decision is Decision.INCONCLUSIVE


def test_drift_between_mirror_and_production_refuses() -> None:
    scene = raised()
    scene.world.containers["p-shared-store"].changed["limit.memory"] = "1"
    stored = tried(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert [f.rule for f in stored.verdict.failed()] == ["drift"]


def test_a_build_that_never_gets_healthy_beside_a_healthy_baseline_is_refused() -> None:
    scene = raised()
    scene.world.sick.add(scene.world.images["hello/web:1.1"])
    stored = tried(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert [f.rule for f in stored.verdict.failed()] == ["crash"]


def test_a_build_that_is_started_again_and_again_is_refused_though_it_is_up_at_the_moment_of_the_look() -> None:
    scene = raised()

    def ends(stage: Stage) -> None:
        for container in stage.containers:
            scene.world.raise_container(container, stage.cloud)
        scene.world.end("p-green-candidate-web", "exit 3")
        raise ProvisionFault("container p-green-candidate-web ended (exit 3)", at="p-green-candidate-web")

    scene.provisioner.before = ends
    stored = tried(scene)
    assert stored.verdict.decision is Decision.REFUSE
    assert stored.record.crashes is not None
    assert [crash.reason for crash in stored.record.crashes] == ["exit 3"]


def test_when_the_baseline_is_unhealthy_too_it_is_a_fault_outside() -> None:
    scene = raised()
    scene.world.sick.update(scene.world.images[f"hello/web:1.{n}"] for n in (0, 1))
    with pytest.raises(ProvisionFault):
        tried(scene)
    assert not [name for name in scene.world.containers if "candidate" in name or "baseline" in name]


@pytest.mark.parametrize("asked", [{"webb": "hello/web:1.1"}, {"store": "hello/store:1.0"}])
def test_what_is_not_of_the_release_tier_is_refused_by_name(asked: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not a release-tier service"):
        tried(raised(), asked)


def test_an_image_that_does_not_exist_is_told_before_anything_is_raised() -> None:
    scene = raised()
    with pytest.raises(UsageError, match=r"hello/web:9\.9"):
        tried(scene, {"web": "hello/web:9.9"})
    assert len(scene.provisioner.applied) == 4


def test_an_empty_suite_folder_ends_before_anything_is_raised() -> None:
    scene = raised()
    scene.suites.digests.clear()
    with pytest.raises(UsageError, match="no test file"):
        tried(scene)


def test_without_production_there_is_nothing_to_mirror() -> None:
    with pytest.raises(UsageError, match="no production yet"):
        tried(Scene())


def test_two_tests_at_once_exclude_each_other() -> None:
    scene = raised()
    with scene.steward.lease(MIRROR, 0.0), pytest.raises(Busy):
        tried(scene)


def test_an_interrupt_takes_the_mirror_down() -> None:
    scene = raised()

    def interrupt(_: SuiteRun) -> None:
        raise KeyboardInterrupt

    scene.suites.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        tried(scene)
    assert not [name for name in scene.world.containers if "candidate" in name or "baseline" in name]
    assert scene.store.saved == {}


def test_the_standing_mirror_can_be_compared() -> None:
    scene = raised()
    with pytest.raises(UsageError, match="no mirror stands"):
        gate.compare_standing(scene.platform, scene.ports)
    tried(scene, keep=True)
    assert gate.compare_standing(scene.platform, scene.ports).drift == ()
    scene.world.containers["p-green-candidate-store"].changed["user"] = "root"
    assert [d.field for d in gate.compare_standing(scene.platform, scene.ports).drift] == ["user"]


def test_a_dry_run_names_every_container_and_suite() -> None:
    scene = raised()
    plan = gate.plan_test(scene.platform, ASKED, scene.ports)
    assert "p-green-candidate-web" in plan.text()
    assert "suite technical" in plan.text()
    assert "p-green-candidate-web" not in scene.world.containers


def test_an_approval_that_lifts_a_refusal_of_the_same_release_says_so() -> None:
    scene = raised()
    scene.suites.results = {"technical": cases(Outcome.FAILED)}
    refused = tried(scene, {"web": "hello/web:1.1"})
    scene.suites.results = {"technical": cases()}
    approved, again = tried(scene, {"web": "hello/web:1.1"}), tried(scene, {"web": "hello/web:1.1"})
    assert (refused.verdict.decision, refused.lifts) == (Decision.REFUSE, "")
    assert (approved.verdict.decision, approved.lifts) == (Decision.APPROVE, refused.header.run)
    assert again.lifts == ""
    assert tried(scene, {"web": "hello/web:1.2"}).lifts == ""
