"""Drift: each place where the mirror, or production itself, departs from what it should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class ObservedContainer:
    """One container as its engine reports it. `fields` is flat: "command", "env.NAME" (hashed value), "limit.memory",
    "file./path" (content hash), "network.<role>" … each already free of names that differ by colour or binding."""

    name: str
    id: str
    service: str
    cloud: str
    colour: str
    binding: str
    image: str
    running: bool
    health: str  # healthy, unhealthy, starting, none
    started_at: float
    restarts: int
    addresses: Mapping[str, str]  # network name -> IP address
    fields: Mapping[str, str]
    from_image: Mapping[str, str]  # the fields that the image itself sets, by the same keys
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ObservedCloud:
    """`facts`: engine version, kernel, architecture, storage driver …"""

    cloud: str
    facts: Mapping[str, str]
    containers: tuple[ObservedContainer, ...]


LABEL_FILES = "otagate.files"  # JSON: path → "config" or "secret", for what was put into a container before its start


class Explanation(StrEnum):
    ALLOWED = "allowed"
    BUILD = "the build under test"
    DRIFT = "drift"


@dataclass(frozen=True)
class Difference:
    """`reason` names the rule that allows it, or says why it is drift."""

    service: str
    field: str
    production: str | None
    mirror: str | None
    explanation: Explanation
    reason: str


@dataclass(frozen=True)
class Comparison:
    """`compared` counts the fields looked at; `fidelity` is the share of them that agree or are explained."""

    compared: int
    differences: tuple[Difference, ...]

    @property
    def drift(self) -> tuple[Difference, ...]:
        return tuple(d for d in self.differences if d.explanation is Explanation.DRIFT)

    @property
    def fidelity(self) -> float:
        return 0.0 if self.compared == 0 else 1.0 - len(self.drift) / self.compared
