"""What every Provisioner keeps to."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from otagate.adapters.ansible.provisioner import AnsibleProvisioner
from otagate.core.cloud import LABEL_PLATFORM, Binding
from otagate.core.container import Attachment, Container, Network, Stage
from otagate.core.errors import ProvisionFault
from otagate.ports import Provisioner
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.world import World
from tests.playbooks.scenery import AT_ONCE, NEVER, SLOWLY, Scene, scene

DYING, SICK = "sha256:" + "d" * 64, "sha256:" + "e" * 64


@dataclass
class Bench:
    """A provisioner and the world that it works on."""

    provisioner: Provisioner
    scene: Scene
    folder: str
    world: World | None = None
    client: docker.DockerClient | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    def apply(self, *stages: Stage) -> tuple[str, ...]:
        return self.provisioner.apply(self.scene.platform, stages, self.folder, self.scene.tell)

    def id(self, name: str) -> str:
        if self.world is not None:
            return self.world.containers[name].id
        return str(self._client().containers.get(name).id)

    def stop(self, name: str) -> None:
        if self.world is not None:
            self.world.containers[name].running = False
        else:
            self._client().containers.get(name).stop(timeout=0)

    def running(self, name: str) -> bool:
        if self.world is not None:
            return self.world.containers[name].running
        return bool(self._client().containers.get(name).status == "running")

    def started_at(self, name: str) -> str:
        if self.world is not None:
            return self.world.containers[name].id
        return str(self._client().containers.get(name).attrs["State"]["StartedAt"])

    def there(self, name: str) -> bool:
        if self.world is not None:
            return name in self.world.containers
        return bool(self._client().containers.list(all=True, filters={"name": f"^/{name}$"}))

    def dying(self, service: str, **wanted: Any) -> Container:
        if self.world is not None:
            return self.scene.container(service, image=DYING, **wanted)
        return self.scene.container(service, command=("sh", "-c", "echo fatal: cannot begin; exit 1"), **wanted)

    def sick(self, service: str) -> Container:
        image = SICK if self.world is not None else self.scene.image
        return self.scene.container(service, image=image, healthcheck=NEVER)

    def _client(self) -> docker.DockerClient:
        assert self.client is not None
        return self.client


@pytest.fixture(params=["fake", pytest.param("ansible", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "fake":
        world = World(dying={DYING}, sick={SICK})
        yield Bench(FakeProvisioner(world), Scene("t-prov-fake", "sha256:" + "1" * 64), str(tmp_path), world=world)
        return
    client = request.getfixturevalue("engine")
    with scene(client) as stage:
        yield Bench(AnsibleProvisioner({}), stage, str(tmp_path / "run"), client=client)


def test_it_adds_what_is_missing_and_a_second_run_changes_nothing(bench: Bench) -> None:
    scene = bench.scene
    web, store = scene.container("web", after=(scene.name("store"),)), scene.container("store", healthcheck=AT_ONCE)
    stage = scene.stage(web, store, volumes=(scene.volume("data"),))

    changed = bench.apply(stage)

    assert set(changed) == {scene.network(), f"{scene.platform}-data", web.name, store.name}
    assert bench.started_at(store.name) < bench.started_at(web.name)
    lines = [told for told in scene.told if told.subject == "blue-store"]
    assert lines[-1].message == "healthy"
    assert lines[-1].total == 2
    assert bench.apply(stage) == ()


def test_stages_come_in_order_and_share_what_they_made(bench: Bench) -> None:
    scene = bench.scene
    first = scene.stage(scene.container("store"), name="first")
    second = scene.stage(scene.container("web"), name="second", networks=())

    changed = bench.apply(first, second)

    assert changed == (scene.network(), scene.name("store"), scene.name("web"))
    assert [told.step for told in scene.told if told.message in ("running", "healthy")] == ["first", "second"]


def test_replace_touches_only_what_is_specified_otherwise(bench: Bench) -> None:
    scene = bench.scene
    bench.apply(scene.stage(scene.container("web"), scene.container("store")))
    before = {name: bench.id(scene.name(name)) for name in ("web", "store")}
    newer = scene.stage(scene.container("web", environment={"SIZE": "2"}), scene.container("store"))

    assert bench.apply(replace(newer, replace=False)) == ()
    assert bench.id(scene.name("web")) == before["web"]
    assert bench.apply(newer) == (scene.name("web"),)
    assert bench.id(scene.name("web")) != before["web"]
    assert bench.id(scene.name("store")) == before["store"]


def test_a_stage_that_is_made_anew_creates_and_leaves_alone_what_stands(bench: Bench) -> None:
    scene = bench.scene
    web, store = scene.container("web"), scene.container("store")
    anew = scene.stage(web, store, replace=False, anew=True)
    assert bench.apply(anew) == (scene.network(), web.name, store.name)
    before = bench.id(web.name)
    other = scene.stage(scene.container("web", environment={"SIZE": "2"}), scene.container("late"), anew=True)

    for stage in (anew, other, replace(other, replace=False)):
        with pytest.raises(ProvisionFault, match="stands already") as caught:
            bench.apply(stage)
        assert caught.value.at in (web.name, store.name)

    assert bench.id(web.name) == before
    assert bench.running(web.name)
    assert not bench.there(scene.name("late"))


def test_a_stopped_container_is_started_again(bench: Bench) -> None:
    scene = bench.scene
    stage = scene.stage(scene.container("web"), replace=False)
    bench.apply(stage)
    bench.stop(scene.name("web"))

    assert bench.apply(stage) == (scene.name("web"),)
    assert bench.running(scene.name("web"))


def test_a_container_that_ends_is_named_with_its_last_words(bench: Bench) -> None:
    scene = bench.scene
    web = scene.container("web", after=(scene.name("store"),))

    with pytest.raises(ProvisionFault, match=r"ended \(exit 1\)") as caught:
        bench.apply(scene.stage(bench.dying("store"), web))

    assert caught.value.at == scene.name("store")
    assert "fatal: cannot begin" in caught.value.message


@pytest.mark.parametrize(
    ("sick", "well"), [(Binding.CANDIDATE, Binding.BASELINE), (Binding.BASELINE, Binding.CANDIDATE)]
)
def test_a_side_that_fails_does_not_stop_the_other(bench: Bench, sick: Binding, well: Binding) -> None:
    scene = bench.scene
    dying = bench.dying("store", binding=sick)
    store = scene.container("store", binding=well, healthcheck=SLOWLY)
    web = scene.container("web", binding=well, after=(store.name,))
    sides = tuple(Network(scene.network(side), True, scene.labels(binding=side)) for side in (sick, well))

    with pytest.raises(ProvisionFault, match=r"ended \(exit 1\)") as caught:
        bench.apply(scene.stage(dying, store, web, networks=sides))

    assert caught.value.at == dying.name
    assert bench.running(web.name)


def test_a_container_that_never_gets_healthy_is_named_at_the_deadline(bench: Bench) -> None:
    scene = bench.scene
    sick = bench.sick("store")

    with pytest.raises(ProvisionFault, match=r"is (unhealthy|starting)") as caught:
        bench.apply(scene.stage(sick, scene.container("web"), deadline=6.0))

    assert caught.value.at == scene.name("store")
    assert "after 6 s" in caught.value.message


def test_a_network_that_nobody_made_is_a_fault(bench: Bench) -> None:
    stray = bench.scene.container("web", networks=(Attachment("t-prov-nowhere"),))
    with pytest.raises(ProvisionFault, match="t-prov-nowhere does not exist"):
        bench.apply(bench.scene.stage(stray))


def test_a_network_with_a_way_out_is_not_taken_for_a_sealed_one(bench: Bench) -> None:
    scene = bench.scene
    bench.apply(scene.stage())
    sealed = Network(scene.network(), True, scene.labels(binding=Binding.PRODUCTION))

    with pytest.raises(ProvisionFault, match="internal is False"):
        bench.apply(scene.stage(networks=(sealed,)))


def test_a_container_of_another_platform_is_left_alone(bench: Bench) -> None:
    scene = bench.scene
    bench.apply(scene.stage(scene.container("web")))
    before = bench.id(scene.name("web"))
    other = Scene("t-prov-other", scene.image)
    web = other.container("web", name=scene.name("web"), networks=())

    with pytest.raises(ProvisionFault, match="is not of platform t-prov-other"):
        bench.provisioner.apply("t-prov-other", [other.stage(web, networks=())], bench.folder, other.tell)

    assert web.labels[LABEL_PLATFORM] == "t-prov-other"
    assert bench.id(scene.name("web")) == before


def test_a_one_off_runs_to_its_end_and_anew_each_time(bench: Bench) -> None:
    scene = bench.scene
    stage = scene.stage(scene.container("web", command=("sh", "-c", "echo schema 1; sleep 0.5")), once=True)
    assert scene.name("web") in bench.apply(stage)
    first = bench.id(scene.name("web"))
    assert not bench.running(scene.name("web"))
    assert bench.apply(stage) == (scene.name("web"),)
    assert bench.id(scene.name("web")) != first


def test_a_one_off_that_ends_badly_is_the_guilty_one(bench: Bench) -> None:
    with pytest.raises(ProvisionFault, match="exit 1") as fault:
        bench.apply(bench.scene.stage(bench.dying("web"), once=True))
    assert fault.value.at == bench.scene.name("web")
