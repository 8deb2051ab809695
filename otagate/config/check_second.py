"""What must hold of a pair of switches: the second has each listener's port at an address of its own."""

import ipaddress

from otagate.config.settings import SettingsFile, host_and_port
from otagate.config.tree import Document, shown
from otagate.config.tree import Path as Place

_PLACE: Place = ("switch", "second", "address")


def check_second(settings: SettingsFile, document: Document) -> None:
    """Report what is wrong with `switch.second` to `document`; that the address is this host's, `up` looks at."""
    if settings.switch.second is None:
        return
    address = settings.switch.second.address
    try:
        own = ipaddress.ip_address(address)
    except ValueError:
        document.complain(_PLACE, f"{shown(address)} is no IP address", "write one of this host, such as 127.0.0.2")
        return
    if own.is_unspecified or own.is_multicast:
        hint = "write an address that one machine has, such as 127.0.0.2"
        document.complain(_PLACE, f"{address} is no single address: the other switch could not have one too", hint)
        return
    _beside(settings, document, own)


def _beside(settings: SettingsFile, document: Document, own: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Against the listeners' own addresses, as far as those are sound."""
    taken: dict[int, tuple[str, str]] = {}
    for name, listener in settings.listeners.items():
        host, port = host_and_port(listener.address)
        try:
            there = ipaddress.ip_address(host)
        except ValueError:
            continue
        if there == own:
            message = f"{own} is the address of listener {name} already: a pair stands at two"
            document.complain(_PLACE, message, "give the second switch an address of its own")
            return
        if there.is_unspecified:
            message = f"{host} is every address of the host, that of the second switch too"
            document.complain(("listeners", name, "address"), message, "write the one address of the first switch")
            continue
        first, at = taken.setdefault(port or 0, (name, host))
        if port is not None and at != host:
            message = f"port {port} would be {first}'s and {name}'s at {own}: the second switch has one address for all"
            document.complain(_PLACE, message, "give each listener a port of its own")
