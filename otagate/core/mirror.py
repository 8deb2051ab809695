"""Drift: each place where the mirror, or production itself, departs from what it should be."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import product

from otagate.core.canonical import digest_of, digest_of_bytes
from otagate.core.cloud import LABEL_SERVICE, LABEL_SPEC, LABEL_TIER, Binding
from otagate.core.container import Container, File, Stage
from otagate.core.platform import AllowedDifference, Tier
from otagate.core.switch import CERTIFICATES

LABEL_FILES = "otagate.files"  # JSON: path → "config" or "secret", for what was put into a container before its start
CONTAINER = "container"  # the field that stands for the whole of it: missing or too many
IMAGE = "image"
RUNNING, SPECIFICATION = "running", "specification"
BUILD_VARIABLE = "env.OTAGATE_BUILD"
PRESENT = "present"  # all that is compared of a secret


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


class Explanation(StrEnum):
    ALLOWED = "allowed"
    BUILD = "the build under test"
    DEFINITION = "the definition under test"
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


_STEWARD, _SWITCH, _HOLDER = "steward", "switch", "holder"


def file_fact(content: bytes, mode: int) -> str:
    """What is compared of a configuration file: its content and who may use it."""
    return f"{digest_of_bytes(content)} {mode:o}"


def file_field(file: File) -> str:
    return f"{'secret' if file.secret else 'file'}.{file.path}"


@dataclass(frozen=True)
class MirrorRule:
    """What a mirror differs in by design. A value of None stands for "not there", `*` for any."""

    name: str
    service: str
    field: str
    production: str | None
    mirror: str | None
    reason: str
    tier: str = "*"


# A mirror's own make: everything else that differs needs a rule of the platform.
MIRROR_RULES = (
    MirrorRule("publishes-nothing", "*", "port.*", "*", None, "a mirror publishes no port: suites are inside it"),
    MirrorRule("sealed", "*", "network.colour.internal", "false", "true", "a mirror's network has no way out"),
    MirrorRule("one-network", "*", "network.shared*", "*", None, "a mirror's state serves one side alone"),
    MirrorRule("stand-in", "*", CONTAINER, None, "*", "it takes the name of an external system", Tier.EXTERNAL.value),
    MirrorRule("no-steward", _STEWARD, CONTAINER, "*", None, "nobody turns a mirror's switch"),
    MirrorRule("no-holder", _HOLDER, CONTAINER, "*", None, "nobody replaces a mirror's switch"),
    MirrorRule("no-holder", _SWITCH, "env.OTAGATE_SWITCH_NUMBER", "*", None, "nobody replaces a mirror's switch"),
    MirrorRule("no-holder", _SWITCH, "network.colour", "no alias", "switch", "production's holder bears the name"),
    MirrorRule("one-switch", _SWITCH, "env.OTAGATE_SWITCH_RUN", "*", None, "a mirror has one, also of a pair"),
    MirrorRule("own-switch", _SWITCH, "env.OTAGATE_SWITCH_CONFIG", "*", "*", "it knows its own side alone"),
    MirrorRule("own-switch", _SWITCH, "env.OTAGATE_SWITCH_LUA", "*", "*", "it knows its own side alone"),
    MirrorRule(
        "own-map", _SWITCH, "env.OTAGATE_SWITCH_MAP", None, "*", "its map comes with it, as no steward writes it"
    ),
    MirrorRule("own-key", _SWITCH, "env.OTAGATE_SWITCH_OWN_TLS", None, "*", "no mirror holds production's key"),
    MirrorRule("own-key", _SWITCH, f"secret.{CERTIFICATES}/*", "*", None, "no mirror holds production's key"),
    MirrorRule("own-map", _SWITCH, "mount./run/otagate", "*", None, "its map comes with it, as no steward writes it"),
    MirrorRule("own-map", _SWITCH, "tmpfs./run/otagate", None, "*", "its map comes with it, as no steward writes it"),
)
_MUST = {"network.colour.internal": "true", RUNNING: "yes"}  # what a mirror must be, whatever production is


def compare(
    production: Sequence[ObservedContainer],
    mirror: Sequence[ObservedContainer],
    allowed: Sequence[AllowedDifference],
    builds_under_test: Mapping[str, str],
) -> Comparison:
    """Every field of every service, mirror against production; `builds_under_test` maps service to image digest.

    A service that only one side has is drift. Nothing to compare gives a fidelity of 0.
    """
    compared, found = 0, []
    for service in sorted({c.service for c in (*production, *mirror)}):
        ours = [c for c in production if c.service == service]
        theirs = [c for c in mirror if c.service == service]
        if not ours or not theirs:
            compared += 1
            tiers = {c.labels.get(LABEL_TIER, "") for c in (*ours, *theirs)}
            found.append(_explain(service, CONTAINER, _names(ours), _names(theirs), allowed, tiers))
        for one, other in product(ours, theirs):
            count, differences = _pair(one, other, allowed, builds_under_test.get(service))
            compared += count
            found += differences
    return Comparison(compared, tuple(found))


def _names(containers: Sequence[ObservedContainer]) -> str | None:
    return ", ".join(sorted(c.name for c in containers)) or None


def _pair(
    production: ObservedContainer,
    mirror: ObservedContainer,
    allowed: Sequence[AllowedDifference],
    tested: str | None,
) -> tuple[int, list[Difference]]:
    ours, theirs = ({**c.fields, IMAGE: c.image, RUNNING: "yes" if c.running else "no"} for c in (production, mirror))
    names = sorted(ours.keys() | theirs.keys())
    found = []
    for name in names:
        one, other = ours.get(name), theirs.get(name)
        wrong = _must_be(name, other, tested)
        if wrong:
            found.append(Difference(mirror.service, name, one, other, Explanation.DRIFT, wrong))
        elif one != other and tested is not None and _of_the_build(name, production, mirror):
            reason = "comes from the image under test"
            found.append(Difference(mirror.service, name, one, other, Explanation.BUILD, reason))
        elif one != other:
            found.append(_explain(mirror.service, name, one, other, allowed, {mirror.labels.get(LABEL_TIER, "")}))
    return len(names), found


def _must_be(name: str, mirror: str | None, tested: str | None) -> str:
    """Why a mirror's value is wrong whatever production's is; empty if it is not."""
    if name in (IMAGE, BUILD_VARIABLE) and tested is not None and mirror != tested:
        return "is not the build under test"
    if name in _MUST and mirror != _MUST[name]:
        return f"must be {_MUST[name]} in a mirror"
    return ""


def _of_the_build(name: str, production: ObservedContainer, mirror: ObservedContainer) -> bool:
    """Each side has what its own image sets, so that no definition has a part in the difference."""
    if name in (IMAGE, BUILD_VARIABLE):
        return True  # equal to the build under test, or `_must_be` had spoken
    return all(side.fields.get(name) == side.from_image.get(name) for side in (production, mirror))


def _explain(
    service: str,
    name: str,
    production: str | None,
    mirror: str | None,
    allowed: Sequence[AllowedDifference],
    tiers: Set[str],
) -> Difference:
    for rule in MIRROR_RULES:
        fits = _fits(rule.service, service) and _fits(rule.field, name) and all(_fits(rule.tier, t) for t in tiers)
        if fits and _is(rule.production, production) and _is(rule.mirror, mirror):
            return Difference(service, name, production, mirror, Explanation.ALLOWED, f"{rule.name}: {rule.reason}")
    for permit in allowed:
        if _fits(permit.service, service) and _fits(permit.field, name):
            return Difference(service, name, production, mirror, Explanation.ALLOWED, f"{permit.name}: {permit.reason}")
    if mirror is None:
        reason = "production has it, the mirror has not"
    elif production is None:
        reason = "the mirror has it, production has not"
    else:
        reason = "differs, and no rule allows it"
    return Difference(service, name, production, mirror, Explanation.DRIFT, reason)


def _fits(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern)


def _is(wanted: str | None, value: str | None) -> bool:
    return value is not None if wanted == "*" else value == wanted


def production_digest(clouds: Sequence[ObservedCloud]) -> str:
    """The digest of what production is: engines, names, images and fields. How long or how well it runs is left out."""
    return digest_of(
        {
            cloud.cloud: {
                "facts": dict(cloud.facts),
                "containers": {
                    c.name: {"service": c.service, "image": c.image, "fields": dict(c.fields)}
                    for c in cloud.containers
                    if c.binding == Binding.PRODUCTION
                },
            }
            for cloud in clouds
        }
    )


def against_definition(stages: Sequence[Stage], observed: Sequence[ObservedCloud]) -> tuple[Difference, ...]:
    """Production against its own definition; in each difference `mirror` holds what is defined.

    The specification's label tells how a container was made; what can be changed in a running one is looked at itself.
    """
    there = {c.name: c for cloud in observed for c in cloud.containers if c.binding == Binding.PRODUCTION}
    defined = {c.name: c for stage in stages for c in stage.containers}
    found: list[Difference] = []
    for name, container in defined.items():
        service = container.labels[LABEL_SERVICE]
        if name not in there:
            found.append(Difference(service, CONTAINER, None, name, Explanation.DRIFT, "is defined, but is not there"))
            continue
        found += _departures(service, container, there[name])
    for name, extra in there.items():
        if name not in defined:
            reason = "is there, but is not defined"
            found.append(Difference(extra.service, CONTAINER, name, None, Explanation.DRIFT, reason))
    return tuple(found)


def _departures(service: str, container: Container, seen: ObservedContainer) -> Iterator[Difference]:
    facts: dict[str, tuple[str | None, str | None]] = {
        RUNNING: ("yes", "yes" if seen.running else "no"),
        IMAGE: (container.image, seen.image),
        SPECIFICATION: (container.labels[LABEL_SPEC], seen.labels.get(LABEL_SPEC)),
        "limit.memory": (str(container.memory) if container.memory else None, seen.fields.get("limit.memory")),
        "limit.cpus": (f"{container.cpus:g}" if container.cpus else None, seen.fields.get("limit.cpus")),
        "restart": (container.restart, seen.fields.get("restart")),
    }
    if seen.running:  # one that does not run has no addresses
        joined = ", ".join(sorted(seen.addresses))
        facts["networks"] = (", ".join(sorted({a.network for a in container.networks})), joined)
    for file in container.files:
        wanted = PRESENT if file.secret else file_fact(file.content, file.mode)
        facts[file_field(file)] = (wanted, seen.fields.get(file_field(file)))
    for name, (defined, value) in facts.items():
        if value != defined:
            yield Difference(service, name, value, defined, Explanation.DRIFT, "departs from its definition")
