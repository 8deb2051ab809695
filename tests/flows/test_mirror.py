from otagate.core.cloud import Binding, Colour
from otagate.flows.gate import look_for_test
from otagate.flows.mirror import Mirror, compare_mirror, lower_mirror, plan_lowering, plan_mirror, raise_mirror
from tests.flows.scene import Scene, raised


def planned(scene: Scene, run: str = "r1") -> Mirror:
    subject = look_for_test(scene.platform, {}, scene.ports)
    return plan_mirror(scene.platform, subject.production, subject.candidate, scene.ports, run)


def test_a_second_raise_of_an_unchanged_mirror_changes_nothing() -> None:
    scene = raised()
    assert raise_mirror(scene.platform, planned(scene), scene.ports, "/f")
    assert raise_mirror(scene.platform, planned(scene, "r2"), scene.ports, "/f") == ()


def test_the_mirror_stands_in_the_idle_cloud_and_its_sides_do_not_overlap() -> None:
    mirror = planned(raised())
    assert mirror.candidate.colour is Colour.GREEN
    candidate, baseline = (set(mirror.containers(b)) for b in (Binding.CANDIDATE, Binding.BASELINE))
    assert candidate == {f"p-green-candidate-{s}" for s in ("web", "store", "switch")}
    assert baseline == {f"p-green-baseline-{s}" for s in ("web", "store")}


def test_what_departs_in_production_itself_is_drift_too() -> None:
    scene = raised()
    scene.world.containers["p-shared-switch"].running = False
    subject = look_for_test(scene.platform, {}, scene.ports)
    raise_mirror(scene.platform, planned(scene), scene.ports, "/f")
    found = compare_mirror(scene.platform, subject.production, subject.candidate, scene.ports)
    assert "switch" in {d.service for d in found.drift}


def test_a_container_of_the_mirror_that_does_not_run_is_drift_and_one_that_does_is_not() -> None:
    scene = raised()
    subject = look_for_test(scene.platform, {}, scene.ports)
    raise_mirror(scene.platform, planned(scene), scene.ports, "/f")
    assert compare_mirror(scene.platform, subject.production, subject.candidate, scene.ports).drift == ()
    scene.world.containers["p-green-candidate-web"].running = False
    (drift,) = compare_mirror(scene.platform, subject.production, subject.candidate, scene.ports).drift
    assert (drift.service, drift.field, drift.mirror) == ("web", "running", "no")


def test_lowering_takes_the_mirrors_state_and_nothing_of_production() -> None:
    scene = raised()
    before = (set(scene.world.containers), set(scene.world.volumes), set(scene.world.networks))
    raise_mirror(scene.platform, planned(scene), scene.ports, "/f")
    lower_mirror(scene.platform, scene.ports)
    assert (set(scene.world.containers), set(scene.world.volumes), set(scene.world.networks)) == before


def test_a_dry_run_names_the_containers_that_lowering_removes() -> None:
    scene = raised()
    raise_mirror(scene.platform, planned(scene), scene.ports, "/f")
    before = set(scene.names())
    told = plan_lowering(scene.platform, scene.ports).steps
    assert set(scene.names()) == before
    lower_mirror(scene.platform, scene.ports)
    assert {step.subject for step in told} == before - set(scene.names()) != set()
