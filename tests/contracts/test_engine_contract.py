"""What every Engine keeps to."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from otagate.core.cloud import LABEL_ONCE, LABEL_SERVICE, LABEL_SPEC, Binding, Cloud
from otagate.core.container import Container, File, Port, VolumeMount
from otagate.core.errors import EngineFault, UsageError
from otagate.core.mirror import against_definition, compare, production_digest
from otagate.core.places import holder_name
from otagate.core.suite import Crash
from otagate.ports import CrashWatch
from tests.contracts.engine_bench import KINDS, Bench, benches
from tests.fakes.world import EDGE
from tests.playbooks.scenery import AT_ONCE, BASE, NEVER


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from benches(request)


def test_a_reference_means_one_digest(bench: Bench) -> None:
    build = bench.engine.resolve("web", BASE)

    assert build.service == "web"
    assert build.reference == BASE
    assert build.digest == bench.scene.image
    assert bench.engine.resolve("web", build.digest).digest == build.digest


def test_an_image_that_is_nowhere_is_the_callers_mistake(bench: Bench) -> None:
    with pytest.raises(UsageError, match="t-prov/none:1") as caught:
        bench.engine.resolve("web", "t-prov/none:1")
    assert caught.value.code == "no-image"


def test_what_was_raised_is_what_is_observed(bench: Bench) -> None:
    scene = bench.scene
    files = (File("/etc/t/peers", b"one", 0o444), File("/run/secrets/pw", b"two", 0o444, secret=True))
    web = scene.container("web", files=files, memory=64 << 20, cpus=0.5, healthcheck=AT_ONCE, environment={"A": "b"})
    stage = bench.raise_(web)

    clouds = bench.engine.observe(scene.platform, [Binding.PRODUCTION])
    seen = bench.seen()["web"]

    assert [cloud.cloud for cloud in clouds] == ["blue", "green", "shared"]
    assert all(cloud.facts["engine.version"] for cloud in clouds)
    assert (seen.name, seen.image, seen.running, seen.health) == (web.name, scene.image, True, "healthy")
    assert (seen.cloud, seen.binding, seen.labels[LABEL_SPEC]) == ("blue", "production", web.labels[LABEL_SPEC])
    assert seen.addresses[scene.network()].count(".") == 3
    assert seen.fields["limit.memory"] == str(64 << 20)
    assert seen.fields["secret./run/secrets/pw"] == "present"
    assert seen.fields["network.colour"] == "web"
    assert "b" not in (seen.fields["env.A"], "")
    assert against_definition([stage], clouds) == ()


def test_only_the_bindings_asked_for_are_answered(bench: Bench) -> None:
    bench.raise_(bench.scene.container("web"))
    bench.raise_(bench.scene.container("web", binding=Binding.CANDIDATE), binding=Binding.CANDIDATE)

    assert [c.binding for c in bench.seen().values()] == ["production"]
    assert [c.binding for c in bench.seen(Binding.CANDIDATE).values()] == ["candidate"]
    assert len(bench.names()) == 2


def test_the_digest_of_production_outlives_a_second_look_and_tells_a_change(bench: Bench) -> None:
    scene = bench.scene
    bench.raise_(scene.container("web"))
    first = production_digest(bench.engine.observe(scene.platform, [Binding.PRODUCTION]))

    assert production_digest(bench.engine.observe(scene.platform, [Binding.PRODUCTION])) == first
    bench.raise_(scene.container("web", environment={"A": "b"}))
    assert production_digest(bench.engine.observe(scene.platform, [Binding.PRODUCTION])) != first


def test_production_and_mirror_of_one_definition_do_not_drift(bench: Bench) -> None:
    """Names, networks, volumes, colours and addresses differ by their making; none of that is drift."""
    scene = bench.scene

    def web(binding: Binding, volume: str) -> Container:
        return scene.container(
            "web",
            binding=binding,
            tier="release",
            environment={"OTAGATE_COLOUR": "blue", "OTAGATE_BUILD": scene.image},
            mounts=(VolumeMount(f"{scene.platform}-{volume}", "/data"),),
        )

    bench.raise_(web(Binding.PRODUCTION, "data"))
    bench.raise_(web(Binding.CANDIDATE, "blue-candidate-data"), binding=Binding.CANDIDATE)
    production, mirror = bench.seen(), bench.seen(Binding.CANDIDATE)

    found = compare(list(production.values()), list(mirror.values()), [], {"web": scene.image})

    assert found.compared > 10
    assert found.drift == ()
    assert found.fidelity == 1.0


def test_waiting_ends_when_all_are_healthy(bench: Bench) -> None:
    names = [bench.scene.name(service) for service in ("web", "store")]
    bench.raise_(bench.scene.container("web", healthcheck=AT_ONCE), bench.scene.container("store"))

    bench.engine.wait_healthy(names, 10.0, bench.scene.tell)

    assert bench.scene.told[-1].done == 2


def test_waiting_names_who_is_not_healthy(bench: Bench) -> None:
    sick = bench.scene.container("web", image=bench.sick_image, healthcheck=NEVER)
    with pytest.raises(Exception, match="web"):
        bench.up(replace(bench.scene.stage(sick), deadline=1.0))

    with pytest.raises(EngineFault, match="web") as caught:
        bench.engine.wait_healthy([sick.name], 0.5, bench.scene.tell)
    assert caught.value.at == sick.name


def test_a_container_that_nobody_has_is_a_fault(bench: Bench) -> None:
    for ask in (
        lambda: bench.engine.wait_healthy(["t-prov-none"], 0.5, bench.scene.tell),
        lambda: bench.engine.log_tail("t-prov-none", 5),
        lambda: bench.engine.restart("t-prov-none", 5.0),
    ):
        with pytest.raises(EngineFault, match="t-prov-none"):
            ask()


def heard(watch: CrashWatch) -> tuple[Crash, ...]:
    """What was seen once there is anything: an engine kills first and tells a moment later."""
    until = time.monotonic() + 10
    while not (seen := watch.seen()) and time.monotonic() < until:
        time.sleep(0.05)
    return seen or ()


def test_a_crash_is_seen_and_an_end_that_was_asked_for_is_not(bench: Bench) -> None:
    scene, side = bench.scene, Binding.CANDIDATE
    web, store = scene.container("web", binding=side), scene.container("store", binding=side)
    bench.raise_(web, store, binding=side)

    with bench.engine.watch_crashes(scene.platform, side) as watch:
        assert watch.seen() == ()
        with watch.expect(web.name):
            bench.engine.restart(web.name, 10.0)
        with watch.expect(web.name):
            bench.engine.kill(web.name, 10.0)
        assert watch.seen() == ()
        bench.crash(store.name)
        seen = heard(watch)

    assert [(c.service, c.container, c.reason) for c in seen] == [("store", store.name, "killed by signal 9")]


def test_a_crash_beside_an_expected_end_is_seen(bench: Bench) -> None:
    """The control: to expect one container's end hides no other's."""
    scene, side = bench.scene, Binding.CANDIDATE
    web, store = scene.container("web", binding=side), scene.container("store", binding=side)
    bench.raise_(web, store, binding=side)

    with bench.engine.watch_crashes(scene.platform, side) as watch, watch.expect(web.name):
        bench.crash(store.name)
        assert [c.container for c in heard(watch)] == [store.name]


def test_crashes_of_another_binding_are_not_this_ones(bench: Bench) -> None:
    web = bench.scene.container("web")
    bench.raise_(web)
    with bench.engine.watch_crashes(bench.scene.platform, Binding.CANDIDATE) as watch:
        bench.crash(web.name)
        time.sleep(0.2)
        assert watch.seen() == ()


def test_only_a_mirrors_containers_are_started_again(bench: Bench) -> None:
    web = bench.scene.container("web")
    bench.raise_(web)
    for again in (bench.engine.restart, bench.engine.kill):
        with pytest.raises(UsageError, match="not a mirror's"):
            again(web.name, 5.0)


def test_started_again_is_running_since_later(bench: Bench) -> None:
    side = Binding.BASELINE
    web = bench.scene.container("web", binding=side)
    bench.raise_(web, binding=side)
    before = bench.seen(side)["web"]
    time.sleep(0.01)

    bench.engine.kill(web.name, 10.0)

    after = bench.seen(side)["web"]
    assert after.running
    assert after.id == before.id
    assert after.started_at >= before.started_at


def test_the_switchs_ports_are_known_and_taken(bench: Bench) -> None:
    scene = bench.scene
    assert bench.engine.published(scene.platform) == {}
    port = bench.engine.free_port("127.0.0.1")
    switch = scene.container("switch", ports=(Port("127.0.0.1", port, 20001),))
    assert switch.labels[LABEL_SERVICE] == "switch"

    bench.raise_(switch)

    assert bench.engine.published(scene.platform) == {20001: ("127.0.0.1", port)}
    assert bench.engine.port_taken("127.0.0.1", port)
    assert not bench.engine.port_taken("127.0.0.1", bench.engine.free_port("127.0.0.1") + 1)


def test_the_ports_of_a_pairs_other_doors_are_told_apart(bench: Bench) -> None:
    scene = bench.scene
    port = bench.engine.free_port("127.0.0.1")
    hosts = ("127.0.0.1", "127.0.0.2")
    first, other = (
        replace(
            scene.container("holder", ports=(Port(host, port, 20001),)),
            name=holder_name(scene.platform, second=host == hosts[1]),
        )
        for host in hosts
    )
    bench.raise_(first)
    assert bench.engine.published(scene.platform, second=True) == {}
    assert not bench.engine.port_taken(hosts[1], port)
    bench.raise_(other)
    assert bench.engine.published(scene.platform) == {20001: (hosts[0], port)}
    assert bench.engine.published(scene.platform, second=True) == {20001: (hosts[1], port)}
    assert bench.engine.port_taken(hosts[1], port)


def test_every_engines_clock_is_a_time(bench: Bench) -> None:
    for cloud in Cloud:
        assert bench.engine.clock(cloud) > 1_700_000_000


def test_the_edges_images_are_those_that_were_built(bench: Bench) -> None:
    assert bench.engine.images() == EDGE


def test_what_a_one_off_said_is_collected_once_and_nothing_else_ever(bench: Bench) -> None:
    scene = bench.scene
    said = scene.container("web", command=("sh", "-c", "echo schema 1"))
    said = replace(said, labels={**said.labels, LABEL_ONCE: "look"})
    bench.up(scene.stage(said, scene.container("store", command=("true",)), once=True))

    assert bench.engine.collect(said.name, 5).strip() == "schema 1"
    assert said.name not in bench.names()
    with pytest.raises(UsageError) as other:
        bench.engine.collect(scene.name("store"), 5)
    assert other.value.code == "not-once"
    with pytest.raises(EngineFault):
        bench.engine.collect(said.name, 5)
