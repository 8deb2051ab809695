"""What a release's services are defined as: how a container keeps it, and what of it an engine shows. Pure.

A release is named by its builds and its definition, and the platform's files may define another by now. So that
production can be compared with what it was made from, and a mirror with what is under test, each container of a release
keeps its service's definition. Nobody has to trust it: what all of them keep must come to the live release's digest.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from otagate.core.canonical import canonical, digest_of_bytes, plain
from otagate.core.mirror import PRESENT, Comparison, Difference, Explanation, ObservedContainer, file_fact
from otagate.core.platform import ConfigFile, Platform, Service, Tier
from otagate.core.release import definition
from otagate.core.wire import typed

# Fields of which the definition knows the very value that an engine shows, not only that it sets them.
_EXACT = ("env.*", "file.*", "restart", "limit.memory", "limit.cpus")
_REASON = "the release under test defines it otherwise"


@dataclass(frozen=True)
class _File:
    """A configuration file; `content` as base64, since it may be no text."""

    source: str
    target: str
    content: str
    mode: int


@dataclass(frozen=True)
class _Kept:
    """`service` without its files."""

    service: Service
    files: tuple[_File, ...]


def kept(service: Service) -> str:
    """A service as JSON, secrets by name only."""
    files = tuple(_File(f.source, f.target, b64encode(f.content).decode(), f.mode) for f in service.configs)
    return canonical(plain(_Kept(replace(service, configs=()), files))).decode()


def read(text: str) -> Service:
    """What `kept` wrote; raises ValueError."""
    found = typed(_Kept, json.loads(text))
    files = (ConfigFile(f.source, f.target, b64decode(f.content, validate=True), f.mode) for f in found.files)
    return replace(found.service, configs=tuple(files))


def defined_as(platform: Platform, services: Mapping[str, Service]) -> Platform:
    """The platform with these services in the place of its own of the same name."""
    return replace(platform, services={name: services.get(name, s) for name, s in platform.services.items()})


def redefined(platform: Platform, defined: Platform) -> tuple[str, ...]:
    """The release-tier services that the platform's files define otherwise than the live release does."""
    return tuple(
        s.name for s in platform.of_tier(Tier.RELEASE) if definition(s) != definition(defined.services[s.name])
    )


def fields_defined(service: Service) -> dict[str, str]:
    """What a service's definition sets in its container, by the names under which drift compares it."""
    check = service.healthcheck
    plainly = {
        "command": service.command,
        "entrypoint": service.entrypoint,
        "user": service.user,
        "read_only": service.read_only,
        "capabilities.drop": service.cap_drop,
        "security": service.no_new_privileges,
        "stop.signal": service.stop_signal,
        "stop.timeout": service.stop_grace,
        "healthcheck": check and plain(check),
        "limit.memory": service.memory,
        "limit.swap": service.memory,  # an engine sets one by the other
    }
    return {
        **{name: json.dumps(value) for name, value in plainly.items() if value},
        **({"limit.cpus": f"{service.cpus:g}"} if service.cpus else {}),
        **{f"env.{name}": digest_of_bytes(value.encode()) for name, value in service.environment.items()},
        **{f"mount.{m.target}": f"{m.volume} {'ro' if m.read_only else 'rw'}" for m in service.mounts},
        **{f"tmpfs.{path}": rest for path, _, rest in (entry.partition(":") for entry in service.tmpfs)},
        **{f"file.{f.target}": file_fact(f.content, f.mode) for f in service.configs},
        **{f"secret./run/secrets/{name}": PRESENT for name in service.secrets},
        "restart": service.restart,
    }


def explained(
    comparison: Comparison,
    production: Mapping[str, ObservedContainer],
    mirror: Mapping[str, ObservedContainer],
    live: Mapping[str, Service],
    tested: Mapping[str, Service],
) -> Comparison:
    """The same comparison, with what differs because the release under test defines it otherwise than the live one
    told as that. All by service: what is observed, and what both releases define."""

    def anew(difference: Difference) -> Difference:
        name, field = difference.service, difference.field
        if difference.explanation is not Explanation.DRIFT or name not in live or name not in tested:
            return difference
        was, new = fields_defined(live[name]).get(field), fields_defined(tested[name]).get(field)
        sides = ((production[name], was, difference.production), (mirror[name], new, difference.mirror))
        exact = any(fnmatchcase(field, pattern) for pattern in _EXACT)
        as_it_says = all((value or side.from_image.get(field)) == seen for side, value, seen in sides)
        if was == new or (exact and not as_it_says):
            return difference
        return replace(difference, explanation=Explanation.DEFINITION, reason=_REASON)

    return replace(comparison, differences=tuple(map(anew, comparison.differences)))
