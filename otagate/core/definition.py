"""What a release's services are defined as: how a container keeps it, and what of it an engine shows. Pure.

A release is named by its builds and its definition, and the platform's files may define another by now. So that
production can be compared with what it was made from, and a mirror with what is under test, each container of a release
keeps its service's definition. Nobody has to trust it: what all of them keep must come to the live release's digest.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace

from otagate.core.canonical import canonical, plain
from otagate.core.mirror import BUILD_VARIABLE, Comparison, Difference, Explanation, ObservedContainer
from otagate.core.platform import ConfigFile, Platform, Service, Tier
from otagate.core.release import definition
from otagate.core.wire import typed

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
    """The platform with these services in the place of its own of the same name. What a service starts after is no part
    of a release, and stays as the files say."""

    def one(own: Service) -> Service:
        return replace(services[own.name], depends_on=own.depends_on) if own.name in services else own

    return replace(platform, services={name: one(own) for name, own in platform.services.items()})


def redefined(platform: Platform, defined: Platform) -> tuple[str, ...]:
    """The release-tier services that the platform's files define otherwise than the live release does."""
    return tuple(
        s.name for s in platform.of_tier(Tier.RELEASE) if definition(s) != definition(defined.services[s.name])
    )


def explained(
    comparison: Comparison,
    live: ObservedContainer,
    candidate: ObservedContainer,
    baseline: ObservedContainer,
) -> Comparison:
    """The same comparison, of a service that the release under test defines otherwise than the live one: what the
    candidate's container differs in from the baseline's, which was made as the live release is defined, is told as that
    where the live one shows what the baseline shows.
    """

    def anew(difference: Difference) -> Difference:
        field = difference.field
        was, new = baseline.fields.get(field), candidate.fields.get(field)
        mine = difference.service == live.service and difference.explanation is Explanation.DRIFT
        same = (difference.production, difference.mirror) == (was, new) and was != new
        if not (mine and same and field != BUILD_VARIABLE):
            return difference
        return replace(difference, explanation=Explanation.DEFINITION, reason=_REASON)

    return replace(comparison, differences=tuple(map(anew, comparison.differences)))
