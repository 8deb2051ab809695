"""ports.Engine over the shared world."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from otagate.core.build import Build
from otagate.core.cloud import (
    LABEL_BINDING,
    LABEL_COLOUR,
    LABEL_ONCE,
    LABEL_PLATFORM,
    LABEL_SERVICE,
    LABEL_TIER,
    Binding,
    Cloud,
    Colour,
)
from otagate.core.errors import EngineFault, UsageError
from otagate.core.mirror import ObservedCloud
from otagate.core.places import STEWARD, SWITCH, holder_name, switch_name
from otagate.core.platform import Tier
from otagate.core.suite import Crash
from otagate.ports import EdgeImages, May, Progress, Tell
from tests.fakes.world import Standing, World

_FIRST_FREE = 40_000


@dataclass
class FakeCrashWatch:
    """`deaf`: as if the stream of events had broken."""

    world: World
    platform: str
    binding: Binding
    deaf: bool = False
    _crashes: list[Crash] = field(default_factory=list)
    _expected: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self.world.ends.append(self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.world.ends.remove(self._hear)

    @contextmanager
    def expect(self, name: str) -> Iterator[None]:
        self._expected.add(name)
        try:
            yield
        finally:
            self._expected.discard(name)

    def seen(self) -> tuple[Crash, ...] | None:
        return None if self.deaf else tuple(self._crashes)

    def _hear(self, standing: Standing, reason: str) -> None:
        name = standing.container.name
        of_it = standing.label(LABEL_PLATFORM) == self.platform and standing.label(LABEL_BINDING) == self.binding
        if of_it and name not in self._expected:
            log = "\n".join(standing.log[-20:])
            self._crashes.append(Crash(standing.label(LABEL_SERVICE), name, self.world.clock.now(), reason, log))


@dataclass
class FakeEngine:
    """`skew` is each engine's clock minus ours. `watches` keeps the crash watches that were opened."""

    world: World
    skew: dict[Cloud, float] = field(default_factory=dict)
    watches: list[FakeCrashWatch] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def resolve(self, service: str, reference: str) -> Build:
        self._answer()
        digest = reference if reference in self.world.images.values() else self.world.images.get(reference)
        if digest is None:
            raise UsageError(f"image {reference} for service {service} is not on the engine", code="no-image")
        return Build(service, reference, digest)

    def observe(self, platform: str, bindings: Sequence[Binding]) -> tuple[ObservedCloud, ...]:
        self._answer()
        seen = [self.world.observed(s) for s in self.world.of(platform) if s.label(LABEL_BINDING) in bindings]
        return tuple(
            ObservedCloud(cloud.value, dict(self.world.facts), tuple(c for c in seen if c.cloud == cloud))
            for cloud in sorted(Cloud)
        )

    def wait_healthy(self, names: Sequence[str], deadline: float, tell: Tell) -> None:
        self._answer()
        for done, name in enumerate(names, 1):
            standing = self._find(name)
            well = standing.running and standing.health in ("healthy", "none")
            if not well:
                what = f"is {standing.health} after {deadline:g} s" if standing.running else "ended (exit 1)"
                log = "\n".join(standing.log[-20:])
                raise EngineFault(
                    f"{standing.label(LABEL_SERVICE)} (container {name}) {what}\n{log}", code="unhealthy", at=name
                )
            tell(Progress("healthy", standing.label(LABEL_SERVICE), "healthy", done, len(names)))

    def log_tail(self, name: str, lines: int) -> str:
        self._answer()
        return "\n".join(self._find(name).log[-lines:])

    def collect(self, name: str, lines: int) -> str:
        self._answer()
        standing = self._find(name)
        if not standing.label(LABEL_ONCE) or standing.running:
            raise UsageError(f"container {name} is no one-off that has ended", code="not-once")
        self._remove([standing], lambda _: None)
        return "\n".join(standing.log[-lines:])

    def watch_crashes(self, platform: str, binding: Binding) -> FakeCrashWatch:
        self._answer()
        watch = FakeCrashWatch(self.world, platform, binding)
        self.watches.append(watch)
        return watch

    def restart(self, name: str, deadline: float) -> None:  # noqa: ARG002
        self._again("restart", name, "exit 0")

    def kill(self, name: str, deadline: float) -> None:  # noqa: ARG002
        self._again("kill", name, "killed by signal 9")

    def clock(self, cloud: Cloud) -> float:
        self._answer()
        return self.world.clock.now() + self.skew.get(cloud, 0.0)

    def free_port(self, host: str) -> int:
        port = _FIRST_FREE
        while self.port_taken(host, port):
            port += 1
        self.world.taken.add((host, port))  # never twice, as a real one hardly ever does
        return port

    def port_taken(self, host: str, port: int) -> bool:
        bound = {(p.host, p.host_port) for s in self.world.containers.values() for p in s.container.ports}
        return (host, port) in self.world.taken | bound

    def published(self, platform: str, *, second: bool = False) -> Mapping[int, tuple[str, int]]:
        self._answer()
        other = holder_name(platform, second=True)
        switches = [
            s
            for s in self.world.of(platform)
            if s.label(LABEL_SERVICE) in ("holder", "switch")
            and s.label(LABEL_BINDING) == Binding.PRODUCTION
            and (s.container.name == other) is second
        ]
        return {p.container_port: (p.host, p.host_port) for s in switches for p in s.container.ports}

    def remove(
        self, platform: str, bindings: Sequence[Binding], *, state: bool, may: May, tell: Tell
    ) -> tuple[str, ...]:
        self._answer()
        gone = self._allowed([s for s in self.world.of(platform) if s.label(LABEL_BINDING) in bindings], may, tell)
        for name, network in list(self.world.networks.items()):
            if network.labels.get(LABEL_PLATFORM) == platform and network.labels.get(LABEL_BINDING) in bindings:
                del self.world.networks[name]
                gone.append(name)
        for name, volume in list(self.world.volumes.items()):
            binding = volume.labels.get(LABEL_BINDING)
            kept = binding == Binding.PRODUCTION and not state
            if volume.labels.get(LABEL_PLATFORM) == platform and binding in bindings and not kept:
                del self.world.volumes[name]
                gone.append(name)
        return tuple(gone)

    def remove_colour(self, platform: str, colour: Colour, may: May, tell: Tell) -> tuple[str, ...]:
        self._answer()

        def of_it(labels: Mapping[str, str]) -> bool:
            wanted = {LABEL_PLATFORM: platform, LABEL_BINDING: Binding.PRODUCTION.value, LABEL_COLOUR: colour.value}
            return {**wanted, LABEL_TIER: Tier.RELEASE.value}.items() <= labels.items()

        gone = self._allowed([s for s in self.world.of(platform) if of_it(s.container.labels)], may, tell)
        may()
        for name in [name for name, volume in self.world.volumes.items() if of_it(volume.labels)]:
            del self.world.volumes[name]
            gone.append(name)
        return tuple(gone)

    def remove_switch(self, platform: str, number: int, tell: Tell, *, second: bool = False) -> tuple[str, ...]:
        self._answer()
        name, binding = switch_name(platform, number, second=second), Binding.PRODUCTION
        found = [s for s in self.world.of(platform) if s.container.name == name and s.label(LABEL_BINDING) == binding]
        return tuple(self._remove([s for s in found if s.label(LABEL_SERVICE) == SWITCH], tell))

    def images(self) -> EdgeImages:
        self._answer()
        return self.world.edge

    def _answer(self) -> None:
        if self.world.silent:
            raise EngineFault("the engine does not answer", code="engine-silent", hint="otagate doctor")

    def _find(self, name: str) -> Standing:
        if name not in self.world.containers:
            raise EngineFault(f"there is no container {name}", code="no-container")
        return self.world.containers[name]

    def _allowed(self, standing: Sequence[Standing], may: May, tell: Tell) -> list[str]:
        gone = []
        for one in sorted(standing, key=lambda one: one.label(LABEL_SERVICE) == STEWARD):
            may()
            gone += self._remove([one], tell)
        return gone

    def _remove(self, standing: Sequence[Standing], tell: Tell) -> list[str]:
        gone = []
        for one in standing:
            there = self.world.containers.get(one.container.name)
            if there is not None and there.id == one.id:
                del self.world.containers[one.container.name]
            gone.append(one.container.name)
            tell(Progress("remove", one.container.name, "container removed", len(gone)))
        return gone

    def _again(self, what: str, name: str, reason: str) -> None:
        self._answer()
        standing = self._find(name)
        if standing.label(LABEL_BINDING) not in (Binding.CANDIDATE, Binding.BASELINE):
            raise UsageError(f"container {name} is not a mirror's: it is left alone", code="not-a-mirror")
        self.asked.append((what, name))
        for hear in list(self.world.ends):
            hear(standing, reason)
        standing.running = True
        standing.started_at = self.world.clock.now()
