"""The edge of a platform: steward, holder of the front doors, the switch behind them, a mirror's own switch. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from otagate.core.cloud import LABEL_DOORS, Binding, Cloud
from otagate.core.container import Attachment, Container, File, Port, Stage, Volume, VolumeMount
from otagate.core.labelled import labels_of, specified
from otagate.core.places import (
    HOLDER,
    RUN_FOLDER,
    STEWARD,
    SWITCH,
    Place,
    doors_name,
    holder_name,
    production_networks,
    run_folder,
    shared_name,
    steward_volume,
    switch_name,
)
from otagate.core.platform import Listener, Platform, Tier, Tls
from otagate.core.switch import certificate_path, flip_lua, haproxy_config, map_text
from otagate.core.topology import Topology, topology

_UNPRIVILEGED = "65534:65534"
SecretOf = Callable[[str], bytes]


def _in_memory(folder: str) -> str:
    """A tmpfs that an unprivileged user may write to, whatever the image's own folder is like."""
    return f"{folder}:mode=1777,nosuid,nodev"


def steward_stage(platform: Platform, image: str) -> Stage:
    name = platform.name
    labels = labels_of(name, Cloud.SHARED, STEWARD, Binding.PRODUCTION, Tier.EDGE)
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


def switch_stage(
    platform: Platform,
    switch: str,
    holder: str,
    host_ports: Mapping[str, int],
    secret: SecretOf,
    number: int = 1,
    number_second: int = 1,
) -> Stage:
    """Production's front doors and the switch of that number behind them, twice where the platform has a pair; `switch`
    and `holder` are image digests, `host_ports` maps listener to the port published on its host address, and on that
    of the pair's other switch."""
    one = (_holder(platform, holder, host_ports), _switch(platform, switch, secret, number))
    other = (
        _holder(platform, holder, host_ports, second=True),
        _switch(platform, switch, secret, number_second, second=True),
    )
    return Stage(
        name=SWITCH,
        cloud=Cloud.SHARED,
        cause="a pair of switches for all listeners" if platform.second else "one switch for all listeners",
        networks=(),
        volumes=(),
        containers=(*one, *other) if platform.second else one,
        replace=False,
        deadline=platform.deadlines.up,
    )


def another_switch(platform: Platform, image: str, secret: SecretOf, number: int, *, second: bool = False) -> Stage:
    """The switch of that number alone, to take the doors over from the one that serves now."""
    return Stage(
        name=SWITCH,
        cloud=Cloud.SHARED,
        cause="the switch that takes the doors over",
        networks=(),
        volumes=(),
        containers=(_switch(platform, image, secret, number, second=second),),
        replace=False,
        deadline=platform.deadlines.up,
    )


def doors_label(seen: Topology) -> str:
    """What the doors are for, in the order of their fronts, which are numbered by it: a switch made for other doors
    would lead who asks at one port to another's service."""
    return " ".join(f"{door.name}/{door.protocol}/{door.service}/{door.tls}" for door in seen.doors)


def _holder(platform: Platform, image: str, host_ports: Mapping[str, int], *, second: bool = False) -> Container:
    """Owns the doors' sockets and published ports, and lends the sockets to the switch that serves."""
    name, seen = platform.name, topology(platform)
    doors = seen.doors
    container = Container(
        name=holder_name(name, second=second),
        image=image,
        networks=tuple(Attachment(n, (doors_name(second=second),)) for n in production_networks(name)),
        labels={
            **labels_of(name, Cloud.SHARED, HOLDER, Binding.PRODUCTION, Tier.EDGE),
            LABEL_DOORS: doors_label(seen),
        },
        command=(run_folder(second=second), *(str(door.front) for door in doors)),
        mounts=(VolumeMount(steward_volume(name), RUN_FOLDER),),
        ports=tuple(
            Port(platform.second if second else platform.listeners[door.name].host, host_ports[door.name], door.front)
            for door in doors
        ),
    )
    return specified(_confined(container))


def _switch(platform: Platform, image: str, secret: SecretOf, number: int, *, second: bool = False) -> Container:
    name, seen = platform.name, topology(platform)
    container = Container(
        name=switch_name(name, number, second=second),
        image=image,
        networks=tuple(Attachment(n) for n in production_networks(name)),
        labels=labels_of(name, Cloud.SHARED, SWITCH, Binding.PRODUCTION, Tier.EDGE),
        environment={
            "OTAGATE_SWITCH_CONFIG": haproxy_config(seen, number, second=second),
            "OTAGATE_SWITCH_LUA": flip_lua(seen),
            "OTAGATE_SWITCH_NUMBER": str(number),
            **({"OTAGATE_SWITCH_RUN": run_folder(second=True)} if second else {}),
        },
        mounts=(VolumeMount(steward_volume(name), RUN_FOLDER),),
        files=tuple(
            File(certificate_path(listener.name, number, second=second), _chain(listener, secret), 0o444, secret=True)
            for listener in platform.listeners.values()
            if listener.tls is Tls.END
        ),
        tmpfs=(_in_memory("/conf"),),
    )
    return specified(_confined(container))


def _chain(listener: Listener, secret: SecretOf) -> bytes:
    """Certificates, then their key: the one file that the switch reads."""
    return secret(listener.certificate).rstrip() + b"\n" + secret(listener.key).rstrip() + b"\n"


def mirror_switch(platform: Platform, place: Place, image: str) -> Container:
    seen = topology(platform, place)
    return specified(
        _confined(
            Container(
                name=place.container(SWITCH),
                image=image,
                networks=(Attachment(place.network, (SWITCH,)),),
                labels=labels_of(
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


def _confined(container: Container) -> Container:
    """With no right but to run. Started again whenever it ends, also after its engine was killed, which stops what it
    finds running when it comes back, and leaves down then what says `unless-stopped`.
    """
    return replace(
        container,
        read_only=True,
        user=_UNPRIVILEGED,
        cap_drop=("ALL",),
        no_new_privileges=True,
        restart="always",
    )
