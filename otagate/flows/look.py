"""One look at the world, taken before a plan is made: images, traffic, what is live and whether it is as defined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from otagate.core.build import Build
from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import LABEL_DEFINITION, Binding, Colour
from otagate.core.container import Stage
from otagate.core.definition import defined_as, read
from otagate.core.edge import steward_stage, switch_stage
from otagate.core.errors import Alarm, Refused, UsageError
from otagate.core.mirror import Difference, ObservedCloud, against_definition
from otagate.core.platform import Platform, Tier
from otagate.core.release import Release, release_of
from otagate.core.stages import colour_stage, state_stage
from otagate.core.topology import topology
from otagate.core.traffic import Status
from otagate.ports import EdgeImages, Ports

_TRIES = 20  # ports free at one address of a pair and taken at the other


@dataclass(frozen=True)
class Production:
    """Production as it is: `live` serves `release`, and `defined` is the platform as that release defines it; `images`
    are the state and external tiers' by service; `clouds` leave out the colour that does not serve."""

    status: Status
    live: Colour
    release: Release
    defined: Platform
    images: Mapping[str, str]
    edge: EdgeImages
    clouds: tuple[ObservedCloud, ...]
    departures: tuple[Difference, ...]


def look_at_production(platform: Platform, ports: Ports) -> Production:
    """UsageError if there is no production yet; Alarm if journal, map file and switch disagree."""
    status = live_status(platform, ports)
    if status.live is None:
        raise UsageError(f"platform {platform.name} is not live yet", code="no-production", hint="otagate up goes on")
    if status.disagreements:
        raise Alarm(
            "switch, map file and journal disagree: " + "; ".join(status.disagreements),
            code="disagreement",
            hint="otagate status, then otagate recover",
        )
    images = images_beside(platform, ports)
    edge = ports.engine.images()
    clouds = serving(ports.engine.observe(platform.name, [Binding.PRODUCTION]), status.live)
    defined, release = live_definition(platform, status, status.live, clouds)
    numbers = (status.serving, status.serving_second)
    stages = production_stages(defined, ports, release, status.live, images, edge, numbers)
    departures = against_definition(stages, clouds)
    return Production(status, status.live, release, defined, images, edge, clouds, departures)


def serving(clouds: Sequence[ObservedCloud], live: Colour) -> tuple[ObservedCloud, ...]:
    """Production without the colour that does not serve (warm, or left by a promotion that was undone)."""
    return tuple(
        replace(cloud, containers=tuple(c for c in cloud.containers if c.colour != live.other)) for cloud in clouds
    )


def live_status(platform: Platform, ports: Ports) -> Status:
    if not ports.steward.present():
        raise UsageError(
            f"platform {platform.name} has no production yet", code="no-production", hint="otagate up makes it"
        )
    return ports.steward.status()


def images_beside(platform: Platform, ports: Ports) -> dict[str, str]:
    """Digests of the images of the state and external tiers."""
    beside = (*platform.of_tier(Tier.STATE), *platform.of_tier(Tier.EXTERNAL))
    return {service.name: ports.engine.resolve(service.name, service.image).digest for service in beside}


def live_builds(status: Status, live: Colour) -> dict[str, Build]:
    """The live release's builds by digest, as the journal names them."""
    view = status.colours.get(live.value)
    if view is None or not view.builds:
        raise Alarm(
            f"the journal names {live} live but knows no release there",
            code="no-live-release",
            hint="otagate status, then otagate recover",
        )
    return {service: Build(service, digest, digest) for service, digest in view.builds.items()}


def live_definition(
    platform: Platform, status: Status, live: Colour, clouds: Sequence[ObservedCloud]
) -> tuple[Platform, Release]:
    """The platform as the live release defines it, and that release.

    Where the files define another by now, it is read from the live containers, and believed only if it comes to the
    digest that the journal names. Alarm if it does not, or if the files have another set of services.
    """
    builds, named = live_builds(status, live), status.colours[live.value].release
    if unlike := {s.name for s in platform.of_tier(Tier.RELEASE)} ^ set(builds):
        raise Alarm(
            f"the platform's files and the live release have different services: {', '.join(sorted(unlike))}",
            code="definition-changed",
            hint="take the change back, or make the platform anew: a live one cannot gain or lose a service yet",
        )
    release = release_of(platform, builds)
    if release.digest == named:
        return platform, release
    there = [c for cloud in clouds for c in cloud.containers if c.colour == live]
    made = {c.service: c.labels.get(LABEL_DEFINITION, "") for c in there}
    for name in builds:
        if not made.get(name):
            why = "bears no definition: an earlier otagate made it" if name in made else "is not there"
            raise _untold(live, f"the container of {name} {why}")
    try:
        services = {name: read(made[name]) for name in builds}
        defined = defined_as(platform, services)
        release = release_of(defined, builds)
    except (ValueError, OverflowError, RecursionError) as odd:
        raise _untold(live, "what its containers tell of their definition cannot be read") from odd
    if release.digest != named or {name: s.name for name, s in services.items()} != {name: name for name in builds}:
        raise _untold(live, "what its containers tell of their definition does not come to its digest")
    used = {name for s in services.values() for name in (*s.secrets, *(s.migrate.secrets if s.migrate else ()))}
    if gone := sorted(used - set(platform.secrets)):
        raise _untold(live, f"it uses secrets that the files do not declare any more: {', '.join(gone)}")
    return defined, release


def keeps_hooks(platform: Platform, production: Production) -> None:
    """Refused where the release under test has other hooks, or another hold, than the live one: the steward knows one
    set of them, and in a promotion it must speak with both releases."""
    new, was = topology(platform), topology(production.defined)
    if (new.hooks, new.hold) != (was.hooks, was.hold):
        raise Refused(
            "the platform's files define other hooks, or another hold, than the live release has",
            code="hooks-changed",
            hint="take the change back, or make the platform anew: those of a live one cannot be changed yet",
        )


def _untold(live: Colour, why: str) -> Alarm:
    return Alarm(
        f"the platform's files define another release than the one that is live on {live}, and {why}",
        code="definition-changed",
        hint="take the change of the files back, then otagate up; bring it in again once status is green",
    )


def production_stages(
    platform: Platform,
    ports: Ports,
    release: Release,
    live: Colour,
    images: Mapping[str, str],
    edge: EdgeImages,
    numbers: tuple[int, int] = (1, 1),
) -> tuple[Stage, ...]:
    """What production should consist of: state, live release, steward and switch, in the order in which they start.
    `numbers` are the switch's, and that of a pair's other one."""

    def secret(name: str) -> bytes:
        return ports.secrets.of(platform.name, Binding.PRODUCTION, name)

    return (
        state_stage(platform, images, secret),
        steward_stage(platform, edge.steward),
        colour_stage(platform, release, live, secret, fresh=False),
        switch_stage(platform, edge.switch, edge.holder, host_ports(platform, ports), secret, *numbers),
    )


def host_ports(platform: Platform, ports: Ports) -> dict[str, int]:
    """Each listener's port, the same at both addresses of a pair: the switch's own, else as declared, else one that is
    free now.

    UsageError if a port that it must be is taken by something else, or an address is not this machine's.
    """
    published = [ports.engine.published(platform.name)]
    if platform.second:
        published.append(ports.engine.published(platform.name, second=True))
    chosen: dict[str, int] = {}
    for door in topology(platform).doors:
        listener = platform.listeners[door.name]
        own = [doors[door.front][1] for doors in published if door.front in doors]
        hosts = zip((listener.host, platform.second), published, strict=False)
        missing = [host for host, doors in hosts if door.front not in doors]
        port = own[0] if own else listener.host_port
        if port is None:
            chosen[door.name] = _free(door.name, missing, ports)
            continue
        for host in missing:
            if ports.engine.port_taken(host, port):
                raise _in_use(door.name, f"{host}:{port}")
        chosen[door.name] = port
    return chosen


def _free(listener: str, hosts: Sequence[str], ports: Ports) -> int:
    """A port that nothing has at any of the hosts."""
    for _ in range(_TRIES):
        port = ports.engine.free_port(hosts[0])
        if not any(ports.engine.port_taken(host, port) for host in hosts[1:]):
            return port
    raise _in_use(listener, f"each of {_TRIES} ports that are free at {hosts[0]}")


def _in_use(listener: str, what: str) -> UsageError:
    return UsageError(
        f"listener {listener}: {what} is in use by something else",
        code="port-in-use",
        hint=f"free the port, or change listeners.{listener}.address in otagate.yaml, then otagate up",
    )


def addresses(platform: Platform, ports: Ports) -> dict[str, tuple[str, ...]]:
    """Where each listener answers, as host:port, the other address of a pair after it; empty while there is no
    switch."""
    published = [ports.engine.published(platform.name)]
    if platform.second:
        published.append(ports.engine.published(platform.name, second=True))
    return {
        door.name: tuple("{}:{}".format(*doors[door.front]) for doors in published if door.front in doors)
        for door in topology(platform).doors
        if door.front in published[0]
    }


def policy_digest(platform: Platform) -> str:
    """What a verdict was given under: rules with their kinds, demands, allowed differences, the mirror's data, and the
    shadows and the watch that must bear it out."""
    policy = platform.policy
    rules = [{"kind": type(rule).__name__, "rule": plain(rule)} for rule in policy.rules]
    parts = {"policy": policy, "allowed": platform.allowed, "data": platform.mirror_data, "watch": platform.watch}
    shadows = {"shadows": platform.shadows} if platform.shadows else {}
    return digest_of({"rules": rules, **plain(parts), **plain(shadows)})


@dataclass(frozen=True)
class SuitesSeen:
    """By suite: the image that runs it, and the digest of all that decides what it does: tree, image, environment,
    the names of its secrets, deadline and minimum."""

    images: Mapping[str, Build]
    digests: Mapping[str, str]


def look_at_suites(platform: Platform, ports: Ports) -> SuitesSeen:
    """UsageError for a suite without a test file or an image that is not there."""
    trees = {name: ports.suites.digest(spec.folder) for name, spec in platform.suites.items()}
    images = {name: ports.engine.resolve(name, spec.image) for name, spec in platform.suites.items()}
    whole = {
        name: replace(spec, folder=trees[name], image=images[name].digest) for name, spec in platform.suites.items()
    }
    return SuitesSeen(images, {name: digest_of(plain(spec)) for name, spec in whole.items()})
