from dataclasses import replace

import pytest

from otagate.core.errors import Alarm, UsageError
from otagate.core.platform import Platform
from otagate.core.policy import Policy
from otagate.core.shadow import Body, ShadowRule
from otagate.flows.look import addresses, host_ports, look_at_production, look_at_suites, policy_digest
from tests.flows.scene import Scene, raised


def test_production_as_defined_has_no_departures() -> None:
    scene = raised()
    seen = look_at_production(scene.platform, scene.ports)
    assert seen.departures == ()
    assert seen.live == "blue"


def test_a_colour_that_does_not_serve_is_not_part_of_production() -> None:
    scene = raised()
    blue = scene.world.containers["p-blue-web"]
    labels = {**blue.container.labels, "otagate.colour": "green"}
    green = replace(blue.container, name="p-green-web", labels=labels)
    scene.world.containers["p-green-web"] = replace(blue, container=green)
    seen = look_at_production(scene.platform, scene.ports)
    assert "p-green-web" not in {c.name for cloud in seen.clouds for c in cloud.containers}


def test_no_production_and_a_disagreement_are_told_apart() -> None:
    scene = Scene()
    with pytest.raises(UsageError, match="no production"):
        look_at_production(scene.platform, scene.ports)
    scene.up()
    scene.steward.disagreements = ("x",)
    with pytest.raises(Alarm):
        look_at_production(scene.platform, scene.ports)


def test_a_listener_keeps_the_port_it_was_given_at_genesis() -> None:
    scene = raised()
    assert host_ports(scene.platform, scene.ports) == host_ports(scene.platform, scene.ports)
    shown = addresses(scene.platform, scene.ports)
    assert shown["dicom"] == ("127.0.0.1:10400",)
    assert set(shown) == {"web", "dicom"}


def test_a_listener_has_the_same_port_at_both_addresses_of_a_pair() -> None:
    scene = Scene(platform=replace(Scene().platform, second="127.0.0.2"))
    scene.world.taken.add(("127.0.0.2", 40_000))  # the first that is free at the other address
    scene.up()
    ports = host_ports(scene.platform, scene.ports)
    assert ports["web"] > 40_000
    assert ports["dicom"] == 10400
    shown = addresses(scene.platform, scene.ports)
    assert shown == {name: (f"127.0.0.1:{port}", f"127.0.0.2:{port}") for name, port in ports.items()}


@pytest.mark.parametrize("gone", ["p-shared-holder", "p-shared-holder-second"])
def test_whichever_holder_is_missing_gets_the_ports_that_the_other_has(gone: str) -> None:
    scene = raised(second="127.0.0.2")
    before = host_ports(scene.platform, scene.ports)
    del scene.world.containers[gone]
    scene.world.taken.clear()  # a port that was given away is nobody's once its holder is gone
    assert host_ports(scene.platform, scene.ports) == before


@pytest.mark.parametrize("second", ["declared", "free"])
def test_a_port_that_is_taken_at_the_second_address_is_told(second: str) -> None:
    scene = Scene(platform=replace(Scene().platform, second="127.0.0.2"))
    taken = [10400] if second == "declared" else range(40_000, 40_100)
    scene.world.taken |= {("127.0.0.2", port) for port in taken}
    with pytest.raises(UsageError, match="in use by something else"):
        scene.up()
    assert scene.names() == []


def test_any_change_of_policy_allowed_differences_data_or_shadow_changes_its_digest() -> None:
    p = Scene().platform

    def shadowed(rule: ShadowRule) -> Platform:
        return replace(p, listeners={**p.listeners, "web": replace(p.listeners["web"], shadow=rule)})

    strict = ShadowRule(5.0, 100, 20, 0, (), Body.EXACT)
    digests = {
        policy_digest(shadowed(strict)),
        policy_digest(shadowed(replace(strict, unexplained=None))),
        policy_digest(p),
        policy_digest(replace(p, policy=Policy())),
        policy_digest(replace(p, policy=replace(p.policy, approvals=1))),
        policy_digest(replace(p, mirror_data="snapshot")),
        policy_digest(replace(p, watch=replace(p.watch, lasts=1.0))),
        policy_digest(replace(p, watch=replace(p.watch, error_share=0.99))),
    }
    assert len(digests) == 8


def test_any_change_of_what_a_suite_runs_changes_its_digest() -> None:
    scene = Scene()
    spec = scene.platform.suites["technical"]
    before = look_at_suites(scene.platform, scene.ports)
    assert before.images["technical"].digest == scene.world.images["hello/suite:1.0"]
    assert look_at_suites(scene.platform, scene.ports) == before
    seen = {before.digests["technical"]}
    for other in (replace(spec, environment={"A": "1"}), replace(spec, secrets=("key",)), replace(spec, deadline=1.0)):
        changed = replace(scene.platform, suites={"technical": other})
        seen.add(look_at_suites(changed, scene.ports).digests["technical"])
    scene.world.images["hello/suite:1.0"] = "sha256:" + "9" * 64
    seen.add(look_at_suites(scene.platform, scene.ports).digests["technical"])
    scene.suites.digests[spec.folder] = "sha256:" + "8" * 64
    seen.add(look_at_suites(scene.platform, scene.ports).digests["technical"])
    assert len(seen) == 6
