"""What the switch and its steward know of a platform: listeners, colours' addresses, hooks. Plain data, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass

from otagate.core.cloud import Binding, Colour
from otagate.core.places import SWITCH, Place, doors_name, shared_name
from otagate.core.platform import Listener, Platform, Protocol, Tier, Tls

_FIRST_FRONT = 20001


@dataclass(frozen=True)
class Door:
    """One listener: `front` is the port inside the switch's container; `backs` maps colour to host name; `port` is the
    service's own. `coloured` False: the same back for both colours, under a map key of its own. `service` says whose
    build must answer ("": any build of the release). `shadowed`: the switch can hand out copies of safe requests."""

    name: str
    protocol: Protocol
    front: int
    backs: Mapping[str, str]
    port: int
    probe: str = ""
    called_ae: str = ""
    idle_timeout: float = 60.0
    coloured: bool = True
    service: str = ""
    tls: Tls = Tls.NONE
    shadowed: bool = False


@dataclass(frozen=True)
class HookCall:
    """`hosts` maps colour to host name; `name` is a HookName; `deadline` in seconds."""

    service: str
    name: str
    hosts: Mapping[str, str]
    port: int
    path: str
    deadline: float


@dataclass(frozen=True)
class Topology:
    """`switch` is the host name of the front doors on the steward's network, `second` that of a pair's other switch
    ("": there is one)."""

    platform: str
    switch: str
    doors: tuple[Door, ...]
    hooks: tuple[HookCall, ...] = ()
    hold: float = 0.0  # seconds for which a flip may hold new work; 0: no service needs it
    second: str = ""

    @property
    def fronts(self) -> tuple[str, ...]:
        """Every host at which clients meet the doors."""
        return (self.switch, self.second) if self.second else (self.switch,)


def topology(platform: Platform, mirror: Place | None = None) -> Topology:
    """Production's switch knows both colours; a mirror's own switch only the colour whose cloud it stands in."""
    places = (mirror,) if mirror else tuple(Place(platform.name, Binding.PRODUCTION, colour) for colour in Colour)
    switch = mirror.container(SWITCH) if mirror else doors_name()
    return Topology(
        platform=platform.name,
        switch=switch,
        doors=tuple(
            _door(platform, listener, places, _FIRST_FRONT + index)
            for index, listener in enumerate(platform.listeners.values())
        ),
        hooks=tuple(
            HookCall(
                service=service.name,
                name=hook.name.value,
                hosts={place.colour.value: place.container(service.name) for place in places},
                port=hook.port,
                path=hook.path,
                deadline=hook.deadline,
            )
            for service in platform.of_tier(Tier.RELEASE)
            for hook in service.hooks
        ),
        hold=min((s.hold for s in platform.of_tier(Tier.RELEASE) if s.hold), default=0.0) if mirror is None else 0.0,
        second=doors_name(second=True) if platform.second and mirror is None else "",
    )


def _door(platform: Platform, listener: Listener, places: tuple[Place, ...], front: int) -> Door:
    coloured = platform.services[listener.service].tier is Tier.RELEASE
    return Door(
        name=listener.name,
        protocol=listener.protocol,
        front=front,
        backs={
            place.colour.value: place.container(listener.service)
            if coloured or place.binding.is_mirror
            else shared_name(platform.name, listener.service)
            for place in places
        },
        port=listener.port,
        probe=listener.probe,
        called_ae=listener.called_ae,
        idle_timeout=listener.idle_timeout,
        coloured=coloured,
        service=listener.service,
        tls=listener.tls,
        shadowed=listener.shadow is not None and coloured and not places[0].binding.is_mirror,
    )
