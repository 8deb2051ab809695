"""A platform under release control, as its files declare it, resolved and checked (see `otagate.config`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from otagate.core.impact import Impact
from otagate.core.policy import Policy
from otagate.core.schema import Schema
from otagate.core.shadow import ShadowRule
from otagate.core.watch import WatchPolicy


class Tier(StrEnum):
    RELEASE = "release"
    STATE = "state"
    EXTERNAL = "external"
    EDGE = "edge"


class Protocol(StrEnum):
    HTTP = "http"
    DICOM = "dicom"
    TCP = "tcp"


# Seconds without traffic after which a session may be closed: an HTTP client just asks again, while a modality keeps
# its association between two patients and an HL7 sender its connection between two days.
IDLE = {Protocol.HTTP: 60.0, Protocol.DICOM: 4 * 3600.0, Protocol.TCP: 24 * 3600.0}


class Tls(StrEnum):
    """What the switch does with TLS: nothing (plain), end it with its own certificate, or pass it through unread."""

    NONE = "none"
    END = "end"
    PASS = "pass"


@dataclass(frozen=True)
class Healthcheck:
    """Durations in seconds."""

    test: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    start_period: float


@dataclass(frozen=True)
class Mount:
    """A named volume of the platform (never a path of the host)."""

    volume: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ConfigFile:
    """A file put into the container before it starts; part of drift by its hash."""

    source: str
    target: str
    content: bytes
    mode: int = 0o444


class HookName(StrEnum):
    ACTIVATE = "activate"
    PASSIVE = "passive"
    WRITTEN_SINCE = "written_since"
    QUARANTINE = "quarantine"
    DRAIN = "drain"
    INVARIANTS = "invariants"


@dataclass(frozen=True)
class Hook:
    """An HTTP POST to the service's own port; `deadline` in seconds."""

    name: HookName
    port: int
    path: str
    deadline: float


@dataclass(frozen=True)
class Migrate:
    """How a release takes its state to the label that it writes: its own image with `command`, run once, with these
    secrets and none of the service's. `deadline` in seconds."""

    command: tuple[str, ...]
    secrets: tuple[str, ...]
    deadline: float


@dataclass(frozen=True)
class Service:
    """One Compose service. Memory in bytes, `cpus` in cores, grace in seconds."""

    name: str
    tier: Tier
    image: str
    impact: Impact
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    configs: tuple[ConfigFile, ...] = ()
    secrets: tuple[str, ...] = ()  # each becomes the file /run/secrets/NAME
    depends_on: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    user: str = ""
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    memory: int | None = None
    cpus: float | None = None
    restart: str = "no"
    stop_signal: str = ""
    stop_grace: float = 10.0
    hooks: tuple[Hook, ...] = ()
    schema: Schema | None = None
    migrate: Migrate | None = None
    hold: float = 0.0  # seconds: its colours never work at once, and a flip may hold new work for so long; 0: they may

    def hook(self, name: HookName) -> Hook | None:
        return next((h for h in self.hooks if h.name is name), None)


@dataclass(frozen=True)
class Listener:
    """A front door of the platform at the switch. `port` is the service's, `host_port` None means: chosen at genesis.

    `probe`: for HTTP the path that answers with `X-Otagate-Build` and `X-Otagate-Colour`; for DICOM a C-ECHO whose
    implementation version name is `<b|g>-<12 hex digits of the build>`.
    """

    name: str
    service: str
    protocol: Protocol
    port: int
    host: str = "127.0.0.1"
    host_port: int | None = None
    probe: str = ""
    idle_timeout: float = 60.0
    called_ae: str = ""
    tls: Tls = Tls.NONE
    shadow: ShadowRule | None = None

    @property
    def certificate(self) -> str:
        """The name under which the platform's secrets hold its certificate, where the switch ends TLS."""
        return f"listener.{self.name}.certificate"

    @property
    def key(self) -> str:
        """The same of its private key."""
        return f"listener.{self.name}.key"


@dataclass(frozen=True)
class SuiteSpec:
    """A pytest tree (`folder`: absolute) run in a container of `image` in the mirror; `deadline` in seconds."""

    name: str
    folder: str
    image: str
    deadline: float
    minimum: int
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class AllowedDifference:
    """A named rule with a reason that explains a difference; `service` and `field` may be `*`."""

    name: str
    service: str
    field: str
    reason: str


@dataclass(frozen=True)
class Deadlines:
    """Seconds for each long wait."""

    up: float = 180.0
    mirror: float = 120.0
    deploy: float = 120.0
    drain: float = 60.0


class SecretKind(StrEnum):
    GENERATED = "generated"
    ENVIRONMENT = "environment"
    FILE = "file"


@dataclass(frozen=True)
class SecretSource:
    """Where a secret comes from: made by otagate for each binding, or the variable or file that `reference` names."""

    kind: SecretKind
    reference: str = ""


@dataclass(frozen=True)
class Platform:
    """`folder` is the absolute path of the files; `engines` gives each cloud's engine URL; `second` is the address at
    which the other of a pair of switches has the listeners too ("": there is one switch)."""

    name: str
    folder: str
    services: Mapping[str, Service]
    listeners: Mapping[str, Listener]
    volumes: tuple[str, ...]
    secrets: Mapping[str, SecretSource]
    suites: Mapping[str, SuiteSpec]
    policy: Policy
    watch: WatchPolicy
    allowed: tuple[AllowedDifference, ...]
    deadlines: Deadlines
    engines: Mapping[str, str]
    mirror_data: str = "empty"
    second: str = ""

    def of_tier(self, tier: Tier) -> tuple[Service, ...]:
        return tuple(s for s in self.services.values() if s.tier is tier)

    @property
    def shadows(self) -> dict[str, ShadowRule]:
        """The listeners whose live requests a candidate is asked too, with how the answers are compared."""
        return {listener.name: listener.shadow for listener in self.listeners.values() if listener.shadow is not None}

    @property
    def schemas(self) -> dict[str, Schema]:
        """What the release tier declares, by service; a service that declares nothing is not in it."""
        return {s.name: s.schema for s in self.of_tier(Tier.RELEASE) if s.schema is not None}

    @property
    def migrating(self) -> tuple[Service, ...]:
        """The release-tier services that say how their state is migrated."""
        return tuple(s for s in self.of_tier(Tier.RELEASE) if s.migrate is not None)
