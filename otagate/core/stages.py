"""From a platform and its builds to what must run where: names, networks, labels, bindings. Pure, so it can be printed.

On one engine a binding is a set of networks plus the credentials that are put into its containers: production's colours
have a network each, joined by state and edge; each side of a mirror has one internal network and secrets of its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace

from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import (
    LABEL_BINDING,
    LABEL_CLOUD,
    LABEL_COLOUR,
    LABEL_PLATFORM,
    LABEL_RELEASE,
    LABEL_RUN,
    LABEL_SERVICE,
    LABEL_SPEC,
    LABEL_TIER,
    Binding,
    Cloud,
    Colour,
)
from otagate.core.container import Attachment, Container, File, Network, Port, Stage, Volume, VolumeMount
from otagate.core.places import (
    RUN_FOLDER,
    STEWARD,
    SWITCH,
    Place,
    production_networks,
    shared_name,
    steward_volume,
)
from otagate.core.platform import Listener, Platform, Service, Tier, Tls
from otagate.core.release import Release
from otagate.core.switch import certificate_path, flip_lua, haproxy_config, map_text
from otagate.core.topology import Topology, topology

_UNPRIVILEGED = "65534:65534"


def _in_memory(folder: str) -> str:
    """A tmpfs that an unprivileged user may write to, whatever the image's own folder is like."""
    return f"{folder}:mode=1777,nosuid,nodev"


SecretOf = Callable[[str], bytes]


# --- production -------------------------------------------------------------------------------------------------


def state_stage(platform: Platform, images: Mapping[str, str], secret: SecretOf) -> Stage:
    """Production's state tier with the networks of both colours; `images` maps service to image digest."""
    name = platform.name
    services = platform.of_tier(Tier.STATE)
    containers = tuple(
        _service(
            platform,
            service,
            image=images[service.name],
            name=shared_name(name, service.name),
            networks=tuple(Attachment(n, (service.name,)) for n in production_networks(name)),
            volume=lambda volume: f"{name}-{volume}",
            labels=_labels(name, Cloud.SHARED, service.name, Binding.PRODUCTION, service.tier),
            secret=secret,
            after=lambda needed: shared_name(name, needed),
            environment={},
        )
        for service in services
    )
    return Stage(
        name="state",
        cloud=Cloud.SHARED,
        cause="production's state outlives every release",
        networks=_networks(name),
        volumes=_lasting(name, services),
        containers=containers,
        replace=False,
        deadline=platform.deadlines.up,
    )


def _lasting(name: str, services: Iterable[Service]) -> tuple[Volume, ...]:
    return tuple(
        Volume(f"{name}-{mount.volume}", _labels(name, Cloud.SHARED, s.name, Binding.PRODUCTION, s.tier))
        for s in services
        for mount in s.mounts
    )


def _networks(name: str) -> tuple[Network, ...]:
    clouds = (Cloud.SHARED, Cloud.BLUE, Cloud.GREEN)
    return tuple(
        Network(n, False, _labels(name, cloud, "", Binding.PRODUCTION, None))
        for n, cloud in zip(production_networks(name), clouds, strict=True)
    )


def steward_stage(platform: Platform, image: str) -> Stage:
    name = platform.name
    labels = _labels(name, Cloud.SHARED, STEWARD, Binding.PRODUCTION, Tier.EDGE)
    container = Container(
        name=shared_name(name, STEWARD),
        image=image,
        networks=tuple(Attachment(n, (STEWARD,)) for n in production_networks(name)),
        labels=labels,
        environment={"OTAGATE_TOPOLOGY": json.dumps(asdict(topology(platform)), sort_keys=True)},
        mounts=(VolumeMount(steward_volume(name), RUN_FOLDER),),
        tmpfs=(_in_memory("/tmp"),),  # noqa: S108
    )
    return Stage(
        name=STEWARD,
        cloud=Cloud.SHARED,
        cause="the steward alone turns the switch and keeps the journal",
        networks=(),
        volumes=(Volume(steward_volume(name), labels),),
        containers=(specified(_confined(container)),),
        replace=False,
        deadline=platform.deadlines.up,
    )


def switch_stage(platform: Platform, image: str, host_ports: Mapping[str, int], secret: SecretOf) -> Stage:
    """Production's switch; `host_ports` maps listener to the port published on its host address."""
    name = platform.name
    seen = topology(platform)
    container = Container(
        name=shared_name(name, SWITCH),
        image=image,
        networks=tuple(Attachment(n, (SWITCH,)) for n in production_networks(name)),
        labels=_labels(name, Cloud.SHARED, SWITCH, Binding.PRODUCTION, Tier.EDGE),
        environment={"OTAGATE_SWITCH_CONFIG": haproxy_config(seen), "OTAGATE_SWITCH_LUA": flip_lua(seen)},
        mounts=(VolumeMount(steward_volume(name), RUN_FOLDER),),
        files=tuple(
            File(certificate_path(listener.name), _chain(listener, secret), 0o444, secret=True)
            for listener in platform.listeners.values()
            if listener.tls is Tls.END
        ),
        ports=tuple(Port(platform.listeners[door.name].host, host_ports[door.name], door.front) for door in seen.doors),
        tmpfs=(_in_memory("/conf"),),
    )
    return Stage(
        name=SWITCH,
        cloud=Cloud.SHARED,
        cause="one switch for all listeners",
        networks=(),
        volumes=(),
        containers=(specified(_confined(container)),),
        replace=False,
        deadline=platform.deadlines.up,
    )


def _chain(listener: Listener, secret: SecretOf) -> bytes:
    """Certificates, then their key: the one file that the switch reads."""
    return secret(listener.certificate).rstrip() + b"\n" + secret(listener.key).rstrip() + b"\n"


def colour_stage(platform: Platform, release: Release, colour: Colour, secret: SecretOf, *, fresh: bool) -> Stage:
    """A release bound to production. `fresh`: a promotion's deploying, which replaces what the colour held before."""
    place = Place(platform.name, Binding.PRODUCTION, colour)
    return Stage(
        name=f"{colour} release",
        cloud=Cloud.of(colour),
        cause=f"release {release.short} bound to production, passive until it is live",
        networks=(),
        volumes=tuple(
            Volume(f"{place.prefix}-{m.volume}", place_labels(place, s, release))
            for s in platform.of_tier(Tier.RELEASE)
            for m in s.mounts
        ),
        containers=_release(platform, release, place, secret),
        replace=fresh,
        deadline=platform.deadlines.deploy,
    )


# --- mirror -----------------------------------------------------------------------------------------------------


def mirror_stage(
    platform: Platform,
    release: Release,
    images: Mapping[str, str],
    place: Place,
    secret: SecretOf,
    switch_image: str,
    run: str,
    *,
    switched: bool,
) -> Stage:
    """One side of the mirror: state, stand-ins, release, and with `switched` a switch of its own."""
    beside = tuple(
        _service(
            platform,
            service,
            image=images[service.name],
            name=place.container(service.name),
            networks=(Attachment(place.network, (service.name,)),),
            volume=lambda volume: f"{place.prefix}-{volume}",
            labels=place_labels(place, service, None),
            secret=secret,
            after=place.container,
            environment={},
        )
        for service in (*platform.of_tier(Tier.STATE), *platform.of_tier(Tier.EXTERNAL))
    )
    edge = (mirror_switch(platform, place, switch_image),) if switched else ()
    containers = (*beside, *_release(platform, release, place, secret), *edge)
    return Stage(
        name=str(place.binding),
        cloud=Cloud.of(place.colour),
        cause="the build under test" if place.binding is Binding.CANDIDATE else "the live release, freshly started",
        networks=(Network(place.network, True, place_labels(place, None, None)),),
        volumes=_volumes(platform, place),
        containers=tuple(replace(c, labels={**c.labels, LABEL_RUN: run}) for c in containers),
        replace=True,
        deadline=platform.deadlines.mirror,
    )


def _volumes(platform: Platform, place: Place) -> tuple[Volume, ...]:
    return tuple(
        Volume(f"{place.prefix}-{m.volume}", place_labels(place, s, None))
        for s in platform.services.values()
        for m in s.mounts
    )


def together(name: str, cause: str, stages: Iterable[Stage]) -> Stage:
    """Stages of one cloud as one, so that their containers start side by side."""
    parts = list(stages)
    return replace(
        parts[0],
        name=name,
        cause=cause,
        networks=tuple(n for part in parts for n in part.networks),
        volumes=tuple(v for part in parts for v in part.volumes),
        containers=tuple(c for part in parts for c in part.containers),
    )


def mirror_switch(platform: Platform, place: Place, image: str) -> Container:
    seen = topology(platform, place)
    return specified(
        _confined(
            Container(
                name=place.container(SWITCH),
                image=image,
                networks=(Attachment(place.network, (SWITCH,)),),
                labels=_labels(
                    platform.name, Cloud.of(place.colour), SWITCH, place.binding, Tier.EDGE, colour=place.colour
                ),
                environment={
                    "OTAGATE_SWITCH_CONFIG": haproxy_config(seen),
                    "OTAGATE_SWITCH_LUA": flip_lua(seen),
                    "OTAGATE_SWITCH_MAP": map_text(place.colour, 1),
                    # A mirror never holds production's key: its switch makes a certificate of its own.
                    **_own_tls(seen),
                },
                tmpfs=(_in_memory("/conf"), _in_memory(RUN_FOLDER)),
            )
        )
    )


def _own_tls(seen: Topology) -> dict[str, str]:
    paths = [certificate_path(door.name) for door in seen.doors if door.tls is Tls.END]
    return {"OTAGATE_SWITCH_OWN_TLS": " ".join(paths)} if paths else {}


# --- containers -------------------------------------------------------------------------------------------------


def _release(platform: Platform, release: Release, place: Place, secret: SecretOf) -> tuple[Container, ...]:
    return tuple(
        _service(
            platform,
            service,
            image=release.builds[service.name].digest,
            name=place.container(service.name),
            networks=(Attachment(place.network, (service.name,)),),
            volume=lambda volume: f"{place.prefix}-{volume}",
            labels=place_labels(place, service, release),
            secret=secret,
            after=place.container,
            environment={
                "OTAGATE_BUILD": release.builds[service.name].digest,
                "OTAGATE_COLOUR": place.colour.value,
            },
        )
        for service in platform.of_tier(Tier.RELEASE)
    )


def _service(
    platform: Platform,
    service: Service,
    *,
    image: str,
    name: str,
    networks: tuple[Attachment, ...],
    volume: Callable[[str], str],
    labels: Mapping[str, str],
    secret: SecretOf,
    after: Callable[[str], str],
    environment: Mapping[str, str],
) -> Container:
    together = {s.name for s in platform.services.values() if (s.tier is Tier.STATE) == (service.tier is Tier.STATE)}
    in_mirror = labels[LABEL_BINDING] != Binding.PRODUCTION
    return specified(
        Container(
            name=name,
            image=image,
            networks=networks,
            labels=labels,
            environment={**service.environment, **environment},
            command=service.command,
            entrypoint=service.entrypoint,
            mounts=tuple(VolumeMount(volume(m.volume), m.target, m.read_only) for m in service.mounts),
            files=config_files(service) + secret_files(service.secrets, secret),
            tmpfs=service.tmpfs,
            read_only=service.read_only,
            user=service.user,
            cap_drop=service.cap_drop,
            no_new_privileges=service.no_new_privileges,
            memory=service.memory,
            cpus=service.cpus,
            restart=service.restart,
            healthcheck=service.healthcheck,
            stop_signal=service.stop_signal,
            stop_grace=service.stop_grace,
            # Production's state is a stage of its own and healthy before any release starts.
            after=tuple(after(d) for d in service.depends_on if in_mirror or d in together),
        )
    )


def config_files(service: Service) -> tuple[File, ...]:
    return tuple(File(c.target, c.content, c.mode) for c in service.configs)


def secret_files(names: Iterable[str], secret: SecretOf) -> tuple[File, ...]:
    return tuple(File(f"/run/secrets/{s}", secret(s), 0o444, secret=True) for s in names)


def _confined(container: Container) -> Container:
    """With no right but to run: part of the edge, started again whenever it ends."""
    return replace(
        container,
        read_only=True,
        user=_UNPRIVILEGED,
        cap_drop=("ALL",),
        no_new_privileges=True,
        restart="unless-stopped",
    )


def specified(container: Container) -> Container:
    """With the digest of everything but its labels under `otagate.spec`."""
    content = plain(replace(container, labels={}))
    return replace(container, labels={**container.labels, LABEL_SPEC: digest_of(content)})


def _labels(
    platform: str, cloud: Cloud, service: str, binding: Binding, tier: Tier | None, *, colour: Colour | None = None
) -> dict[str, str]:
    labels = {LABEL_PLATFORM: platform, LABEL_CLOUD: cloud.value, LABEL_BINDING: binding.value}
    if service:
        labels[LABEL_SERVICE] = service
    if tier:
        labels[LABEL_TIER] = tier.value
    if colour:
        labels[LABEL_COLOUR] = colour.value
    return labels


def place_labels(place: Place, service: Service | None, release: Release | None) -> dict[str, str]:
    labels = _labels(
        place.platform,
        Cloud.of(place.colour),
        service.name if service else "",
        place.binding,
        service.tier if service else None,
        colour=place.colour,
    )
    return {**labels, LABEL_RELEASE: release.digest} if release else labels
