"""Removal of what bears otagate's labels, and of nothing else."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import docker
from docker.errors import APIError, NotFound

from otagate.adapters.engine.connection import Engines, asking
from otagate.core.cloud import LABEL_BINDING, LABEL_COLOUR, LABEL_PLATFORM, LABEL_SERVICE, LABEL_TIER, Binding, Colour
from otagate.core.errors import EngineFault
from otagate.core.places import STEWARD, SWITCH
from otagate.core.platform import Tier
from otagate.ports import May, Progress, Tell

_GONE = 20.0  # seconds for a container that is being removed already
_CONFLICT = 409

Wanted = Callable[[Mapping[str, str]], bool]


def remove(
    engines: Engines, platform: str, bindings: Sequence[Binding], *, state: bool, may: May, tell: Tell
) -> tuple[str, ...]:
    """Containers, networks, and volumes (production's only with `state`); answers the names of what went."""

    def wanted(labels: Mapping[str, str]) -> bool:
        return labels.get(LABEL_BINDING, Binding.PRODUCTION.value) in bindings

    def volume(labels: Mapping[str, str]) -> bool:
        production = labels.get(LABEL_BINDING, Binding.PRODUCTION.value) == Binding.PRODUCTION
        return wanted(labels) and (state or not production)

    gone = _containers(engines, platform, wanted, may, tell)
    for url, client in engines.all():
        with asking(url):
            gone += _networks(client, platform, wanted, tell)
            gone += _volumes(client, platform, volume, tell)
    return tuple(gone)


def remove_colour(engines: Engines, platform: str, colour: Colour, may: May, tell: Tell) -> tuple[str, ...]:
    """A colour's production-bound release containers and the volumes of their own; never state, never a network."""

    def wanted(labels: Mapping[str, str]) -> bool:
        return (
            labels.get(LABEL_BINDING) == Binding.PRODUCTION
            and labels.get(LABEL_COLOUR) == colour
            and labels.get(LABEL_TIER) == Tier.RELEASE
        )

    gone = _containers(engines, platform, wanted, may, tell)
    for url, client in engines.all():
        may()  # and a volume that a container has, running or not, the engine keeps
        with asking(url):
            gone += _volumes(client, platform, wanted, tell)
    return tuple(gone)


def remove_switch(engines: Engines, platform: str, switch: str, tell: Tell) -> tuple[str, ...]:
    """Production's switch of that name, and nothing else that bears it."""
    wanted = {LABEL_SERVICE: SWITCH, LABEL_BINDING: Binding.PRODUCTION.value}.items()
    for url, client in engines.all():
        with asking(url):
            for container in client.api.containers(all=True, filters=_of(platform)):
                name = container["Names"][0].lstrip("/") if container["Names"] else ""
                if name == switch and wanted <= (container["Labels"] or {}).items():
                    _container(client, container["Id"])
                    tell(Progress("remove", name, "container removed", 1))
                    return (name,)
    return ()


def _containers(engines: Engines, platform: str, wanted: Wanted, may: May, tell: Tell) -> list[str]:
    """By the ids that were seen before `may` was asked: whatever stands under the same name by the time it has
    answered, and however long this sleeps then, bears another one. Who answers, the steward, goes last."""
    seen = []
    for url, client in engines.all():
        with asking(url):
            found = client.api.containers(all=True, filters=_of(platform))
            seen += [(url, client, container) for container in found if wanted(container["Labels"] or {})]
    gone: list[str] = []
    for url, client, container in sorted(seen, key=lambda one: (one[2]["Labels"] or {}).get(LABEL_SERVICE) == STEWARD):
        name = container["Names"][0].lstrip("/") if container["Names"] else container["Id"][:12]
        may()
        with asking(url):
            _container(client, container["Id"])
        gone.append(name)
        tell(Progress("remove", name, "container removed", len(gone)))
    return gone


def _container(client: docker.DockerClient, container: str) -> None:
    until = time.monotonic() + _GONE
    while True:
        try:
            client.api.remove_container(container, force=True, v=True)  # v: anonymous volumes; named ones stay
            return
        except NotFound:
            return
        except APIError as fault:
            # Somebody else is removing it: gone is what counts.
            if fault.status_code != _CONFLICT or time.monotonic() > until:
                raise
            time.sleep(0.1)


def _networks(client: docker.DockerClient, platform: str, wanted: Wanted, tell: Tell) -> list[str]:
    gone = []
    for network in client.api.networks(filters=_of(platform)):
        if not wanted(network["Labels"] or {}):
            continue
        try:
            client.api.remove_network(network["Id"])  # by id: an engine lets several bear one name
        except NotFound:
            continue
        except APIError as fault:
            raise EngineFault(
                f"network {network['Name']} is still in use by {_members(client, network['Id'])}",
                code="in-use",
                hint="stop what uses it, then run the same command again",
            ) from fault
        gone.append(network["Name"])
        tell(Progress("remove", network["Name"], "network removed", len(gone)))
    return gone


def _members(client: docker.DockerClient, network: str) -> str:
    members: dict[str, Any] = client.api.inspect_network(network).get("Containers") or {}
    return ", ".join(sorted(member["Name"] for member in members.values())) or "something"


def _volumes(client: docker.DockerClient, platform: str, wanted: Wanted, tell: Tell) -> list[str]:
    gone = []
    for volume in client.api.volumes(filters=_of(platform))["Volumes"] or ():
        if not wanted(volume.get("Labels") or {}):
            continue
        try:
            client.api.remove_volume(volume["Name"])
        except NotFound:
            continue
        gone.append(volume["Name"])
        tell(Progress("remove", volume["Name"], "volume removed", len(gone)))
    return gone


def _of(platform: str) -> dict[str, str]:
    return {"label": f"{LABEL_PLATFORM}={platform}"}
