"""An Engine of either kind on a bench, for the suites that each must keep to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import docker
import pytest

from otagate.adapters.engine.docker_engine import DockerEngine
from otagate.core.cloud import Binding
from otagate.core.container import Container, Stage
from otagate.core.mirror import ObservedContainer
from otagate.ports import Engine
from tests.fakes.engine import FakeEngine
from tests.fakes.provisioner import FakeProvisioner
from tests.fakes.world import EDGE, World
from tests.playbooks.scenery import BASE, Scene, raise_stage, scene

IMAGE, SICK = "sha256:" + "1" * 64, "sha256:" + "e" * 64
KINDS = ("fake", pytest.param("docker", marks=pytest.mark.docker))


@dataclass
class Bench:
    """An engine and the world that it looks at. `crash` ends a container unasked, `sick` gives one that never heals."""

    engine: Engine
    scene: Scene
    up: Callable[[Stage], object]
    crash: Callable[[str], None]
    sick_image: str

    def raise_(self, *containers: Container, binding: Binding = Binding.PRODUCTION) -> Stage:
        prefix = f"{self.scene.platform}-"
        volumes = {m.volume.removeprefix(prefix) for c in containers for m in c.mounts}
        stage = self.scene.stage(
            *containers, binding=binding, volumes=tuple(self.scene.volume(v, binding) for v in volumes)
        )
        self.up(stage)
        return stage

    def seen(self, *bindings: Binding) -> dict[str, ObservedContainer]:
        clouds = self.engine.observe(self.scene.platform, bindings or (Binding.PRODUCTION,))
        return {c.service: c for cloud in clouds for c in cloud.containers}

    def names(self) -> set[str]:
        clouds = self.engine.observe(self.scene.platform, list(Binding))
        return {c.name for cloud in clouds for c in cloud.containers}


def benches(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The one in memory or the real one, as the fixture's parameter says."""
    if request.param == "fake":
        world = World(images={BASE: IMAGE}, sick={SICK})
        stage = Scene("t-prov-fake", IMAGE)
        provisioner = FakeProvisioner(world)

        def up(wanted: Stage) -> object:
            return provisioner.apply(stage.platform, [wanted], "/nowhere", stage.tell)

        yield Bench(FakeEngine(world), stage, up, lambda name: world.end(name, "killed by signal 9"), SICK)
        return
    client: docker.DockerClient = request.getfixturevalue("engine")
    with scene(client) as stage, DockerEngine({}, lambda _: EDGE, platform=stage.platform) as engine:
        yield Bench(
            engine,
            stage,
            lambda wanted: raise_stage(client, stage.platform, wanted),
            lambda name: client.containers.get(name).kill(),
            stage.image,
        )
