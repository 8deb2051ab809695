"""The content-named bundle of builds and resolved release-tier definition: what a verdict and a promotion speak of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otagate.core.build import Build
from otagate.core.canonical import digest_of, digest_of_bytes
from otagate.core.platform import Platform, Service, Tier


@dataclass(frozen=True)
class Release:
    """`builds` by service name; `digest` covers builds and definition, without secrets, colour and binding."""

    builds: Mapping[str, Build]
    digest: str

    @property
    def digests(self) -> dict[str, str]:
        """Service → build digest."""
        return {name: build.digest for name, build in self.builds.items()}

    @property
    def short(self) -> str:
        return self.digest.removeprefix("sha256:")[:12]


def release_of(platform: Platform, builds: Mapping[str, Build]) -> Release:
    """Name the release that `builds` make of the platform's release tier.

    Raises ValueError if a release-tier service has no build: a bundle with a hole has no name.
    """
    services = sorted(platform.of_tier(Tier.RELEASE), key=lambda service: service.name)
    missing = [service.name for service in services if service.name not in builds]
    if missing:
        raise ValueError(f"no build for {', '.join(missing)}")
    content = {s.name: {"build": builds[s.name].digest, "definition": definition(s)} for s in services}
    return Release({s.name: builds[s.name] for s in services}, digest_of(content))


def definition(service: Service) -> dict[str, Any]:
    """A service's section as JSON-like data; its image stands apart, secrets appear by name only."""
    check = service.healthcheck
    return {
        "command": _list(service.command),
        "entrypoint": _list(service.entrypoint),
        "environment": dict(service.environment),
        "mounts": [[m.volume, m.target, m.read_only] for m in service.mounts],
        "configs": {c.target: [digest_of_bytes(c.content), c.mode] for c in service.configs},
        "secrets": sorted(service.secrets),
        "healthcheck": check and [list(check.test), check.interval, check.timeout, check.retries, check.start_period],
        "read_only": service.read_only,
        "tmpfs": sorted(service.tmpfs),
        "user": service.user,
        "cap_drop": sorted(service.cap_drop),
        "no_new_privileges": service.no_new_privileges,
        "memory": service.memory,
        "cpus": service.cpus,
        "restart": service.restart,
        "stop": [service.stop_signal, service.stop_grace],
        "hooks": {h.name.value: [h.port, h.path, h.deadline] for h in service.hooks},
        **({"schema": [service.schema.writes, sorted(service.schema.reads)]} if service.schema else {}),
        **_late(service),
    }


def _late(service: Service) -> dict[str, Any]:
    """What came later: absent where it is not used, so that older releases keep their names."""
    step = service.migrate
    found: dict[str, Any] = {"hold": service.hold} if service.hold else {}
    return found | ({"migrate": [list(step.command), sorted(step.secrets), step.deadline]} if step else {})


def _list(value: tuple[str, ...] | None) -> list[str] | None:
    return None if value is None else list(value)
