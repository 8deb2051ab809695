"""Ports of hosts: which are free, which are taken, and which the front doors have."""

import errno
import socket
from collections.abc import Mapping
from typing import Any

from otagate.adapters.engine.connection import Engines, asking
from otagate.core.cloud import LABEL_BINDING, LABEL_PLATFORM, LABEL_SERVICE, Binding
from otagate.core.errors import UsageError
from otagate.core.places import holder_name

DOORS = ("holder", "switch")  # who publishes the ports; of a platform without a holder its switch does


def free_port(host: str) -> int:
    """A port of `host` that nobody listens on now. UsageError if the address is not this machine's."""
    with socket.socket(_family(host)) as probe:
        _bind(probe, host, 0)
        return int(probe.getsockname()[1])


def port_taken(engines: Engines, host: str, port: int) -> bool:
    """Whether something listens there already, or a container has published it."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an old connection's rest is no listener
        if not _bind(probe, host, port):
            return True
    for url, client in engines.all():
        with asking(url):
            for container in client.api.containers():
                if any(p.get("PublicPort") == port and _same(p.get("IP", ""), host) for p in container["Ports"]):
                    return True
    return False


def published(engines: Engines, platform: str, *, second: bool = False) -> Mapping[int, tuple[str, int]]:
    """Container port → (host, host port) of production's front doors, or of a pair's other ones; empty if there are
    none."""
    labels = [f"{LABEL_PLATFORM}={platform}", f"{LABEL_BINDING}={Binding.PRODUCTION}"]
    found: dict[int, tuple[str, int]] = {}
    for url, client in engines.all():
        with asking(url):
            for container in client.api.containers(all=True, filters={"label": labels}):
                others = f"/{holder_name(platform, second=True)}" in (container["Names"] or ())
                if (container["Labels"] or {}).get(LABEL_SERVICE) in DOORS and others is second:
                    found |= _bound(client.api.inspect_container(container["Id"])["HostConfig"])
    return found


def _bound(host: Mapping[str, Any]) -> dict[int, tuple[str, int]]:
    """What was asked for: it stands there also while the container is stopped."""
    return {
        int(port.partition("/")[0]): (bound[0]["HostIp"], int(bound[0]["HostPort"]))
        for port, bound in (host["PortBindings"] or {}).items()
        if bound and bound[0].get("HostPort")
    }


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind(probe: socket.socket, host: str, port: int) -> bool:
    try:
        probe.bind((host, port))
    except OSError as fault:
        if fault.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise UsageError(f"address {host} is not this machine's: {fault.strerror}", code="no-address") from fault
    return True


def _same(published_at: str, host: str) -> bool:
    everywhere = ("", "0.0.0.0", "::")  # noqa: S104  # compared, not bound
    return published_at == host or published_at in everywhere or host in everywhere
