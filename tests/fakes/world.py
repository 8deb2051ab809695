"""What the fakes of Engine and Provisioner share: one world of containers, in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from otagate.adapters.engine.fields import fields_of
from otagate.core.cloud import LABEL_BINDING, LABEL_COLOUR, LABEL_PLATFORM, LABEL_SERVICE, Cloud
from otagate.core.container import Container, Network, Volume
from otagate.core.mirror import PRESENT, ObservedContainer, file_fact, file_field
from otagate.ports import EdgeImages
from tests.fakes.clock import FakeClock

EDGE = EdgeImages(*(f"sha256:{digit * 64}" for digit in "5867"))
FIRST_SCHEMA = "1"  # what a state's image brings
FACTS = {"engine.version": "20.10", "engine.kernel": "6.1", "engine.architecture": "amd64"}


@dataclass
class Standing:
    """A container that was raised. `changed` overrides observed fields, as a hand would that changes it."""

    container: Container
    cloud: Cloud
    id: str
    started_at: float
    running: bool = True
    health: str = "healthy"
    restarts: int = 0
    log: list[str] = field(default_factory=list)
    changed: dict[str, str | None] = field(default_factory=dict)

    def label(self, name: str) -> str:
        return self.container.labels.get(name, "")


@dataclass
class World:
    """`images` maps reference to digest. Images in `sick` never get healthy, those in `dying` end with exit 1.

    `silent`: no engine answers. `taken` are ports in use by something else.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    images: dict[str, str] = field(default_factory=dict)
    edge: EdgeImages = EDGE
    facts: dict[str, str] = field(default_factory=lambda: dict(FACTS))
    networks: dict[str, Network] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    containers: dict[str, Standing] = field(default_factory=dict)
    sick: set[str] = field(default_factory=set)
    dying: set[str] = field(default_factory=set)
    taken: set[tuple[str, int]] = field(default_factory=set)
    silent: bool = False
    moves: dict[str, str] = field(default_factory=dict)  # image -> the schema that its migrate leads to
    schemas: dict[str, str] = field(default_factory=dict)  # network -> its state's schema, FIRST_SCHEMA if not here
    ends: list[Callable[[Standing, str], None]] = field(default_factory=list)
    _made: int = 0

    def raise_container(self, container: Container, cloud: Cloud) -> Standing:
        self._made += 1
        made = Standing(container, cloud, f"{self._made:064x}", self.clock.now())
        if container.image in self.dying:
            made.running, made.health = False, "none"
            made.log.append("fatal: cannot begin")
        elif container.image in self.sick:
            made.health = "unhealthy"
        elif container.healthcheck is None:
            made.health = "none"
        self.containers[container.name] = made
        return made

    def run_once(self, container: Container, cloud: Cloud) -> Standing:
        """A migrate program from beginning to end."""
        made = self.raise_container(container, cloud)
        made.running, made.health = False, "none"
        network = container.networks[0].network
        label = self.schemas.get(network, FIRST_SCHEMA)
        if container.environment.get("OTAGATE_MIGRATE") == "apply" and container.image not in self.dying:
            label = self.schemas[network] = self.moves.get(container.image, label)
        made.log.append(f"schema {label}")
        return made

    def end(self, name: str, reason: str) -> None:
        """A container ends by itself; its restart policy may bring it back."""
        standing = self.containers[name]
        standing.running = standing.container.restart not in ("no", "")
        standing.restarts += 1
        for hear in list(self.ends):
            hear(standing, reason)

    def observed(self, standing: Standing) -> ObservedContainer:
        container = standing.container
        networks = {a.network: f"10.0.{i}.{int(standing.id, 16)}" for i, a in enumerate(container.networks)}
        internal = {name: network.internal for name, network in self.networks.items()}
        fields = {**fields_of(inspected(standing), internal), **self._files(container), **self.facts}
        fields |= {name: value for name, value in standing.changed.items() if value is not None}
        gone = {name for name, value in standing.changed.items() if value is None}
        return ObservedContainer(
            name=container.name,
            id=standing.id,
            service=standing.label(LABEL_SERVICE),
            cloud=standing.cloud.value,
            colour=standing.label(LABEL_COLOUR),
            binding=standing.label(LABEL_BINDING),
            image=container.image,
            running=standing.running,
            health=standing.health,
            started_at=standing.started_at,
            restarts=standing.restarts,
            addresses=networks if standing.running else {},
            fields={name: value for name, value in fields.items() if name not in gone},
            from_image={},
            labels=dict(container.labels),
        )

    def of(self, platform: str) -> list[Standing]:
        return [s for s in self.containers.values() if s.label(LABEL_PLATFORM) == platform]

    @staticmethod
    def _files(container: Container) -> dict[str, str]:
        return {file_field(f): PRESENT if f.secret else file_fact(f.content, f.mode) for f in container.files}


def inspected(standing: Standing) -> Mapping[str, Any]:
    """As an engine would say it, as far as fields are made of it."""
    container = standing.container
    check = container.healthcheck
    return {
        "Id": standing.id,
        "Name": f"/{container.name}",
        "Config": {
            "Labels": container.labels,
            "Hostname": standing.id[:12],
            "Env": [f"{name}={value}" for name, value in container.environment.items()],
            "Cmd": list(container.command or ()),
            "Entrypoint": list(container.entrypoint or ()),
            "User": container.user,
            "StopSignal": container.stop_signal,
            "StopTimeout": round(container.stop_grace),
            "Healthcheck": check and {"Test": list(check.test), "Interval": check.interval, "Retries": check.retries},
        },
        "HostConfig": {
            "Memory": container.memory or 0,
            "NanoCpus": round((container.cpus or 0) * 1e9),
            "ReadonlyRootfs": container.read_only,
            "CapDrop": list(container.cap_drop),
            "SecurityOpt": ["no-new-privileges:true"] if container.no_new_privileges else None,
            "RestartPolicy": {"Name": container.restart, "MaximumRetryCount": 0},
            "PortBindings": {
                f"{p.container_port}/tcp": [{"HostIp": p.host, "HostPort": str(p.host_port)}] for p in container.ports
            },
            "Tmpfs": dict(entry.partition(":")[::2] for entry in container.tmpfs),
        },
        "Mounts": [
            {"Type": "volume", "Name": m.volume, "Destination": m.target, "RW": not m.read_only}
            for m in container.mounts
        ],
        "NetworkSettings": {"Networks": {a.network: {"Aliases": list(a.aliases)} for a in container.networks}},
    }
