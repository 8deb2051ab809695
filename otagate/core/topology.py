"""What the switch and its steward know of a platform: listeners, colours' addresses, hooks. Plain data, as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass

from otagate.core.platform import Protocol


@dataclass(frozen=True)
class Door:
    """One listener: `front` is the port inside the switch's container; `backs` maps colour to host name; `port` is the
    service's own. `coloured` False: the same back for both colours, under a map key of its own."""

    name: str
    protocol: Protocol
    front: int
    backs: Mapping[str, str]
    port: int
    probe: str = ""
    called_ae: str = ""
    idle_timeout: float = 60.0
    coloured: bool = True


@dataclass(frozen=True)
class HookCall:
    """`hosts` maps colour to host name; `name` is activate or passive; `deadline` in seconds."""

    service: str
    name: str
    hosts: Mapping[str, str]
    port: int
    path: str
    deadline: float


@dataclass(frozen=True)
class Topology:
    """`switch` is the host name of the switch on the steward's network."""

    platform: str
    switch: str
    doors: tuple[Door, ...]
    hooks: tuple[HookCall, ...] = ()
