"""The mirror alone: raise it, compare it with production, lower it."""

from collections.abc import Sequence
from dataclasses import dataclass

from otagate.core.cloud import Binding
from otagate.core.container import Stage
from otagate.core.mirror import Comparison, ObservedCloud, ObservedContainer, compare
from otagate.core.plan import Action, Plan, Step, steps_of
from otagate.core.platform import Platform
from otagate.core.release import Release
from otagate.core.stages import Place, mirror_stage
from otagate.flows.look import Production
from otagate.ports import Ports

SIDES = (Binding.CANDIDATE, Binding.BASELINE)


@dataclass(frozen=True)
class Mirror:
    """Both sides as they were raised, in the idle colour's cloud."""

    candidate: Place
    baseline: Place
    stages: tuple[Stage, ...]

    def place(self, binding: Binding) -> Place:
        return self.candidate if binding is Binding.CANDIDATE else self.baseline

    def containers(self, binding: Binding) -> tuple[str, ...]:
        stage = self.stages[SIDES.index(binding)]
        return tuple(container.name for container in stage.containers)


def plan_mirror(platform: Platform, production: Production, candidate: Release, ports: Ports, run: str) -> Mirror:
    """The candidate with a switch of its own, and the live release freshly started beside it."""
    idle = production.live.other
    places = {side: Place(platform.name, side, idle) for side in SIDES}
    releases = {Binding.CANDIDATE: candidate, Binding.BASELINE: production.release}

    def stage(side: Binding) -> Stage:
        def secret(name: str) -> bytes:
            return ports.secrets.of(platform.name, side, name)

        return mirror_stage(
            platform, releases[side], production.images, places[side], secret, production.edge.switch, run
        )

    return Mirror(places[Binding.CANDIDATE], places[Binding.BASELINE], tuple(stage(side) for side in SIDES))


def plan_text(mirror: Mirror, observed: Sequence[ObservedCloud], suites: Sequence[str]) -> Plan:
    """What `test` and `mirror up` would do; nothing of production is touched."""
    steps = steps_of(mirror.stages, observed)
    runs = tuple(Step(Action.RUN, f"suite {name}", "evidence for the policy's rules") for name in suites)
    return Plan(f"mirror in the {mirror.candidate.colour} cloud", (*steps, *runs))


def raise_mirror(platform: Platform, mirror: Mirror, ports: Ports, folder: str) -> tuple[str, ...]:
    """Names of what changed; a second raise of an unchanged mirror changes nothing."""
    return ports.provisioner.apply(platform.name, mirror.stages, folder, ports.tell)


def compare_mirror(platform: Platform, production: Production, candidate: Release, ports: Ports) -> Comparison:
    """Mirror against production, and production against its own definition."""
    clouds = ports.engine.observe(platform.name, [Binding.CANDIDATE])
    tested = {name: build.digest for name, build in candidate.builds.items()}
    found = compare(_containers(production.clouds), _containers(clouds), platform.allowed, tested)
    return Comparison(found.compared, (*found.differences, *production.departures))


def lower_mirror(platform: Platform, ports: Ports) -> tuple[str, ...]:
    """Everything that bears a mirror's label goes, its state too; production is not touched."""
    return ports.engine.remove(platform.name, list(SIDES), state=True, tell=ports.tell)


def _containers(clouds: Sequence[ObservedCloud]) -> list[ObservedContainer]:
    return [container for cloud in clouds for container in cloud.containers]
