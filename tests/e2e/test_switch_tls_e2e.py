"""TLS on the real switch: ended there for HTTP, passed unread for DICOM, and turned like any other listener."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest
import requests
from pynetdicom import AE

from otagate.adapters.probe import ask
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.platform import Tls
from otagate.core.promotion import Phase
from otagate.core.topology import Topology
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.e2e import edge as plain
from tests.e2e.edge import Edge
from tests.e2e.load import VERIFICATION

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SHORT = WatchPolicy(lasts=0.5, every=0.1, window=10.0)


def topology_of(platform: str) -> Topology:
    known = plain.topology_of(platform)
    web, dicom, raw = known.doors
    return replace(known, doors=(replace(web, tls=Tls.END), replace(dicom, tls=Tls.PASS), raw))


def certificate(folder: Path, name: str) -> Path:
    """One file with a self-signed certificate for 127.0.0.1 and its key."""
    key, made, whole = folder / f"{name}.key", folder / f"{name}.crt", folder / f"{name}.pem"
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(
        ["openssl", *words.split(), "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    whole.write_bytes(made.read_bytes() + key.read_bytes())
    return whole


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tls")
    return {name: certificate(folder, name) for name in ("the-switch", "the-service")}


@pytest.fixture(scope="module")
def edge(engine: docker.DockerClient, pems: dict[str, Path]) -> Iterator[Edge]:
    made = Edge(
        engine,
        topology_of=topology_of,
        environment={"DICOM_TLS": pems["the-service"].read_text()},
        certificates={"web": pems["the-switch"].read_bytes()},
    )
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        yield made
    finally:
        made.remove()


def shown(address: tuple[str, int], trusted: Path) -> str:
    """The name in the certificate that an address shows; SSLError if it is not `trusted`."""
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(address, timeout=5) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as s,
    ):
        held = s.getpeercert()
    assert held is not None
    return str(dict(pair for part in held["subject"] for pair in part)["commonName"])  # type: ignore[misc]


def colour_of(edge: Edge, trusted: Path) -> str:
    url = "https://{}:{}/".format(*edge.address("web"))
    return requests.get(url, timeout=5, verify=str(trusted)).headers["X-Otagate-Colour"]


def test_http_is_ended_at_the_switch_and_dicom_passes_to_the_service(edge: Edge, pems: dict[str, Path]) -> None:
    assert shown(edge.address("web"), pems["the-switch"]) == "the-switch"
    assert shown(edge.address("dicom"), pems["the-service"]) == "the-service"
    with pytest.raises(ssl.SSLError):
        shown(edge.address("web"), pems["the-service"])


def test_nothing_is_answered_in_the_clear(edge: Edge) -> None:
    with socket.create_connection(edge.address("web"), timeout=5) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in line.recv(4096)
    door = edge.topology().doors[1]
    with pytest.raises(ProbeFault):
        ask(door, *edge.address("dicom"), 5.0)
    assert ask(door, *edge.address("dicom"), 5.0, tls=True).colour is Colour.BLUE


def test_listeners_with_tls_turn_together_with_the_others(edge: Edge, pems: dict[str, Path]) -> None:
    edge.run_colour(Colour.GREEN)
    view = edge.promote(Colour.GREEN, "p-tls", intent=edge.intent(Kind.PROMOTE, Colour.GREEN, "p-tls", SHORT))
    assert view.phase is Phase.PROMOTED, view.reason
    assert colour_of(edge, pems["the-switch"]) == "green"
    assert associated(edge, pems["the-service"]) == "g"


def associated(edge: Edge, trusted: Path) -> str:
    """The colour that a DICOM association over TLS comes to, by its letter."""
    entity = AE(ae_title="TLS")
    entity.add_requested_context(VERIFICATION)
    context = ssl.create_default_context(cafile=str(trusted))
    association = entity.associate(*edge.address("dicom"), ae_title="HELLO", tls_args=(context, "127.0.0.1"))
    assert association.is_established
    association.release()
    return (association.acceptor.implementation_version_name or "")[:1]


def test_a_colour_whose_tls_ends_is_seen_down(edge: Edge) -> None:
    """The check speaks TLS too: a service that lost its certificate answers nobody."""
    live = edge.steward().status().live
    assert live is not None
    edge.environment = {}
    edge.renew(live.other)
    assert edge.eventually(lambda: not edge.steward().status().switch.up[f"dicom_{live.other}"], 20)
    assert edge.eventually(lambda: edge.steward().status().switch.up[f"web_{live.other}"], 20)


def ended_topology_of(platform: str) -> Topology:
    known = plain.topology_of(platform)
    web, dicom, raw = known.doors
    return replace(known, doors=(web, replace(dicom, tls=Tls.END), raw))


def test_dicom_is_ended_at_the_switch_where_the_platform_says_so(
    engine: docker.DockerClient, pems: dict[str, Path]
) -> None:
    """Its service speaks in the clear behind it, is checked in the clear, and turns."""
    pem = pems["the-switch"]
    made = Edge(engine, topology_of=ended_topology_of, certificates={"dicom": pem.read_bytes()})
    try:
        made.raise_()
        assert made.genesis().phase is Phase.PROMOTED
        assert shown(made.address("dicom"), pem) == "the-switch"
        assert associated(made, pem) == "b"
        with pytest.raises(ProbeFault):
            ask(made.topology().doors[1], *made.address("dicom"), 5.0)
        made.run_colour(Colour.GREEN)
        view = made.promote(Colour.GREEN, "p-end", intent=made.intent(Kind.PROMOTE, Colour.GREEN, "p-end", SHORT))
        assert view.phase is Phase.PROMOTED, view.reason
        assert associated(made, pem) == "g"
    finally:
        made.remove()
