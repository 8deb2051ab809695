"""From a platform and its builds to what must run where: names, networks, labels, bindings. Pure, so it can be printed.

On one engine a binding is a set of networks plus the credentials that are put into its containers: production's colours
have a network each, joined by state and edge; each side of a mirror has one internal network and secrets of its own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from otagate.core.cloud import (
    LABEL_BINDING,
    LABEL_DEFINITION,
    LABEL_RELEASE,
    LABEL_RUN,
    Binding,
    Cloud,
    Colour,
)
from otagate.core.container import Attachment, Container, File, Network, Stage, Volume, VolumeMount
from otagate.core.definition import kept
from otagate.core.edge import SecretOf, mirror_switch
from otagate.core.labelled import labels_of, specified
from otagate.core.places import (
    Place,
    production_networks,
    shared_name,
)
from otagate.core.platform import Platform, Service, Tier
from otagate.core.release import Release

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
            labels=labels_of(name, Cloud.SHARED, service.name, Binding.PRODUCTION, service.tier),
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
        Volume(f"{name}-{mount.volume}", labels_of(name, Cloud.SHARED, s.name, Binding.PRODUCTION, s.tier))
        for s in services
        for mount in s.mounts
    )


def _networks(name: str) -> tuple[Network, ...]:
    clouds = (Cloud.SHARED, Cloud.BLUE, Cloud.GREEN)
    return tuple(
        Network(n, False, labels_of(name, cloud, "", Binding.PRODUCTION, None))
        for n, cloud in zip(production_networks(name), clouds, strict=True)
    )


def colour_stage(platform: Platform, release: Release, colour: Colour, secret: SecretOf, *, fresh: bool) -> Stage:
    """A release bound to production. `fresh`: a promotion's deploying, into a colour that was emptied before. It only
    creates: what stands there all the same was made since by another, and may be live."""
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
        replace=False,
        anew=fresh,
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
            labels={**place_labels(place, service, release), LABEL_DEFINITION: kept(service)},
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


def place_labels(place: Place, service: Service | None, release: Release | None) -> dict[str, str]:
    labels = labels_of(
        place.platform,
        Cloud.of(place.colour),
        service.name if service else "",
        place.binding,
        service.tier if service else None,
        colour=place.colour,
    )
    return {**labels, LABEL_RELEASE: release.digest} if release else labels
