"""The mirror alone: raise it, compare it with production, lower it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from otagate.core.cloud import Binding
from otagate.core.container import Stage
from otagate.core.definition import explained, redefined
from otagate.core.mirror import Comparison, ObservedCloud, ObservedContainer, compare
from otagate.core.places import Place
from otagate.core.plan import Action, Plan, Step, steps_of
from otagate.core.platform import Platform
from otagate.core.release import Release
from otagate.core.stages import mirror_stage, together
from otagate.flows.look import Production
from otagate.ports import Ports

SIDES = (Binding.CANDIDATE, Binding.BASELINE)


@dataclass(frozen=True)
class Mirror:
    """Both sides, raised together in the idle colour's cloud."""

    candidate: Place
    baseline: Place
    stage: Stage

    def place(self, binding: Binding) -> Place:
        return self.candidate if binding is Binding.CANDIDATE else self.baseline

    def containers(self, binding: Binding) -> tuple[str, ...]:
        own = self.place(binding).container("")
        return tuple(container.name for container in self.stage.containers if container.name.startswith(own))


def plan_mirror(
    platform: Platform, production: Production, candidate: Release, ports: Ports, run: str, *, moves: bool = False
) -> Mirror:
    """The candidate with a switch of its own, and the live release freshly started beside it. Where a schema `moves`,
    the live release is asked as the candidate is, through a switch too."""
    places = {side: Place(platform.name, side, production.live.other) for side in SIDES}
    releases = {Binding.CANDIDATE: (platform, candidate), Binding.BASELINE: (production.defined, production.release)}

    def side(binding: Binding) -> Stage:
        def secret(name: str) -> bytes:
            return ports.secrets.of(platform.name, binding, name)

        return mirror_stage(
            *releases[binding],
            production.images,
            places[binding],
            secret,
            production.edge.switch,
            run,
            switched=moves or binding is Binding.CANDIDATE,
        )

    stage = together("mirror", "the build under test beside the live release, freshly started", map(side, SIDES))
    return Mirror(places[Binding.CANDIDATE], places[Binding.BASELINE], stage)


def plan_text(mirror: Mirror, observed: Sequence[ObservedCloud], suites: Sequence[str]) -> Plan:
    """What `test` and `mirror up` would do; nothing of production is touched."""
    steps = steps_of([mirror.stage], observed)
    runs = tuple(Step(Action.RUN, f"suite {name}", "evidence for the policy's rules") for name in suites)
    return Plan(f"mirror in the {mirror.candidate.colour} cloud", (*steps, *runs))


def raise_mirror(platform: Platform, mirror: Mirror, ports: Ports, folder: str) -> tuple[str, ...]:
    """Names of what changed; a second raise of an unchanged mirror changes nothing."""
    return ports.provisioner.apply(platform.name, [mirror.stage], folder, ports.tell)


def compare_mirror(platform: Platform, production: Production, candidate: Release, ports: Ports) -> Comparison:
    """Mirror against production, and production against its own definition; of what the release under test defines anew
    production also against the baseline, which stands as the live release is defined."""
    clouds = ports.engine.observe(platform.name, SIDES)
    ours = _containers(production.clouds)
    theirs, others = ([c for c in _containers(clouds) if c.binding == side] for side in SIDES)
    found = compare(ours, theirs, platform.allowed, candidate.digests)
    differences = list(production.departures)
    for name in redefined(platform, production.defined):
        live, new, was = ([c for c in side if c.service == name] for side in (ours, theirs, others))
        if len(live) == len(new) == len(was) == 1:
            found = explained(found, live[0], new[0], was[0])
        against = compare(live, was, platform.allowed, production.release.digests)
        differences += against.drift
        found = replace(found, compared=found.compared + against.compared)
    return Comparison(found.compared, (*found.differences, *differences))


def plan_lowering(platform: Platform, ports: Ports) -> Plan:
    """What `mirror down` would remove, by container."""
    there = _containers(ports.engine.observe(platform.name, list(SIDES)))
    why = "a mirror is raised anew for every test"
    return Plan(f"mirror down {platform.name}", tuple(Step(Action.REMOVE, c.name, why) for c in there))


def lower_mirror(platform: Platform, ports: Ports) -> tuple[str, ...]:
    """Everything that bears a mirror's label goes, its state too; production is not touched."""

    def may() -> None:
        """It serves nobody: at worst another's test is cut short, and says so."""

    return ports.engine.remove(platform.name, list(SIDES), state=True, may=may, tell=ports.tell)


def _containers(clouds: Sequence[ObservedCloud]) -> list[ObservedContainer]:
    return [container for cloud in clouds for container in cloud.containers]
