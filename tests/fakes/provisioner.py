"""ports.Provisioner over the shared world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from otagate.core.cloud import LABEL_PLATFORM, LABEL_SPEC
from otagate.core.container import Container, Stage
from otagate.core.errors import ProvisionFault
from otagate.ports import Progress, Tell
from tests.fakes.world import Standing, World


@dataclass
class FakeProvisioner:
    """`before` is called with every stage first: it may raise whatever should break there. `applied` keeps them all."""

    world: World
    before: Callable[[Stage], None] = lambda _: None
    applied: list[Stage] = field(default_factory=list)

    def apply(self, platform: str, stages: Sequence[Stage], folder: str, tell: Tell) -> tuple[str, ...]:  # noqa: ARG002
        if self.world.silent:
            raise ProvisionFault("the engine does not answer", code="engine", hint="otagate doctor")
        changed: list[str] = []
        for stage in stages:
            self.before(stage)
            self.applied.append(stage)
            if stage.anew and (stands := {c.name for c in stage.containers} & self.world.containers.keys()):
                name = min(stands)
                raise ProvisionFault(f"container {name} stands already: another made it, and it is left alone", at=name)
            changed += self._objects(stage)
            changed += self._containers(platform, stage, tell)
        return tuple(changed)

    def _objects(self, stage: Stage) -> list[str]:
        changed = []
        for network in stage.networks:
            there = self.world.networks.get(network.name)
            if there is not None and there.internal != network.internal:
                raise ProvisionFault(f"network {network.name} exists, but internal is {there.internal}")
            if there is None:
                self.world.networks[network.name] = network
                changed.append(network.name)
        for volume in stage.volumes:
            if volume.name not in self.world.volumes:
                self.world.volumes[volume.name] = volume
                changed.append(volume.name)
        return changed

    def _containers(self, platform: str, stage: Stage, tell: Tell) -> list[str]:
        changed, faults = [], []
        failed: set[str] = set()
        for done, container in enumerate(ordered(stage.containers), 1):
            if failed & set(container.after):
                failed.add(container.name)
                continue
            word = self._once(stage, container) if stage.once else self._converge(platform, stage, container)
            if word != "unchanged":
                changed.append(container.name)
            fault = self._fault(self.world.containers[container.name], stage)
            if fault is not None:
                failed.add(container.name)
                faults.append(fault)
                continue
            tell(Progress(stage.name, container.name.removeprefix(f"{platform}-"), word, done, len(stage.containers)))
        if faults:
            raise faults[0]
        return changed

    def _once(self, stage: Stage, container: Container) -> str:
        self.world.run_once(container, stage.cloud)
        return "ended"

    def _converge(self, platform: str, stage: Stage, container: Container) -> str:
        lost = [a.network for a in container.networks if a.network not in self.world.networks]
        lost += [m.volume for m in container.mounts if m.volume not in self.world.volumes]
        if lost:
            raise ProvisionFault(f"{', '.join(lost)} does not exist")
        there = self.world.containers.get(container.name)
        if there is not None and there.label(LABEL_PLATFORM) != platform:
            raise ProvisionFault(f"container {container.name} exists and is not of platform {platform}")
        outdated = there is not None and there.label(LABEL_SPEC) != container.labels[LABEL_SPEC]
        if there is None or (stage.replace and outdated):
            self.world.raise_container(container, stage.cloud)
            return "healthy"
        if not there.running:
            self.world.raise_container(there.container, stage.cloud)
            return "healthy"
        return "unchanged"

    def _fault(self, standing: Standing, stage: Stage) -> ProvisionFault | None:
        name = standing.container.name
        well = standing.running and standing.health in ("healthy", "none")
        if well or (stage.once and standing.container.image not in self.world.dying):
            return None
        if standing.running:
            self.world.clock.sleep(stage.deadline)
        what = f"is {standing.health} after {stage.deadline:g} s" if standing.running else "ended (exit 1)"
        log = "\n".join(standing.log)
        return ProvisionFault(f"Raise the containers: container {name} {what}\n{log}", at=name)


def ordered(containers: Sequence[Container]) -> list[Container]:
    """Each after those that it waits for."""
    left, found = list(containers), list[Container]()
    while left:
        names = {c.name for c in left}
        free = [c for c in left if not names & set(c.after)]
        if not free:
            raise ProvisionFault(f"containers wait for each other: {', '.join(sorted(names))}")
        found += free
        left = [c for c in left if c not in free]
    return found
