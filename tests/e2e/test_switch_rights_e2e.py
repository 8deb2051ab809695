"""The real switch's rights and limits: what its process may do, who may speak to it, what it closes and cuts."""

import socket
import time

import pytest
import requests
from docker.models.containers import Container
from pynetdicom import AE

from otagate.adapters.association import hold
from otagate.core.cloud import Colour
from otagate.core.promotion import Phase
from otagate.core.switch import MAP_PATH, SOCKET_PATH
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import HTTP_IDLE, Edge
from tests.e2e.load import VERIFICATION

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SHORT = WatchPolicy(lasts=0.5, every=0.1, window=10.0)
ASK = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({SOCKET_PATH!r}); s.sendall(b'show info\\n')"


def told(container: Container, *words: str, user: str = "") -> tuple[int | None, str]:
    status, output = container.exec_run(list(words), user=user)
    assert isinstance(output, bytes)
    return status, output.decode()


def rights(container: Container) -> dict[str, str]:
    """What the kernel says of the container's first process."""
    _, text = told(container, "cat", "/proc/1/status")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_the_switch_runs_with_no_right_at_all(edge: Edge) -> None:
    switch, plain = edge.container("shared-switch"), edge.container("blue-web")
    seen = rights(switch)
    assert seen["Uid"].split() == ["65534"] * 4
    assert {seen[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
    assert rights(plain)["CapBnd"] != "0" * 16, "the look itself must be able to see a right"


def test_the_switchs_root_is_read_only_and_its_configuration_in_memory(edge: Edge) -> None:
    switch = edge.container("shared-switch")
    status, output = told(switch, "touch", "/etc/written")
    assert status != 0
    assert "Read-only file system" in output
    assert told(switch, "touch", "/conf/written")[0] == 0, "the look itself must be able to write"


def test_only_the_edges_own_user_speaks_to_the_switch(edge: Edge) -> None:
    """No level of the Runtime API protects a map, so the socket's file mode is what keeps others off."""
    steward = edge.container("shared-steward")
    assert told(steward, "stat", "-c", "%a %u:%g", SOCKET_PATH)[1].split() == ["660", "65534:65534"]
    status, output = told(steward, "python", "-c", ASK, user="1000:1000")
    assert status != 0
    assert "PermissionError" in output
    assert told(steward, "python", "-c", ASK) == (0, "")


def test_the_switch_alone_would_turn_to_a_dead_colour(edge: Edge, to: Colour) -> None:
    """The control of the refusal inside it: without that command the very same turn is taken, and nobody answers."""
    with edge.stopped(to):
        assert edge.eventually(lambda: not edge.steward().status().switch.up[f"web_{to}"])
        epoch = edge.steward().status().epoch + 100
        assert f"no server up: web_{to}" in edge.haproxy(f"otagate flip {to.other} {to} {epoch}")
        assert edge.colour_now() == to.other
        try:
            assert edge.haproxy(f"set map {MAP_PATH} active {to}") == ""
            assert requests.get(edge.url(), timeout=5).status_code == 503
        finally:
            edge.haproxy(f"set map {MAP_PATH} active {to.other}")
    assert edge.eventually(lambda: edge.steward().status().disagreements == ())


def test_each_protocol_may_idle_as_long_as_its_clients_do(edge: Edge) -> None:
    """A kept-alive HTTP connection is closed after its limit; an association that idled as long still works."""
    entity = AE(ae_title="IDLE")
    entity.network_timeout = None
    entity.add_requested_context(VERIFICATION)
    association = entity.associate(*edge.address("dicom"), ae_title="HELLO")
    with socket.create_connection(edge.address("web"), timeout=5) as http:
        http.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in http.recv(65536)
        began = time.monotonic()
        http.settimeout(HTTP_IDLE + 5)
        rest = b"?"
        while rest:
            rest = http.recv(65536)
        idled = time.monotonic() - began
    assert HTTP_IDLE - 1 < idled < HTTP_IDLE + 4
    time.sleep(1)
    assert association.is_established
    hold(association)
    assert association.send_c_echo().Status == 0x0000
    association.release()


def whole_answer(line: socket.socket) -> bytes:
    """Head and body, which may come apart; what is read later is then no rest of it."""
    told = b""
    while not told.endswith(b"}"):
        part = line.recv(65536)
        assert part, told
        told += part
    return told


def test_a_session_open_at_the_drains_deadline_is_cut_counted_and_named(edge: Edge, to: Colour) -> None:
    with socket.create_connection(edge.address("raw"), timeout=20) as held:
        held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert to.other.value.encode() in whole_answer(held), "it must have begun on the old colour"
        view = edge.promote(to, "p-cut-late", intent=edge.intent(Kind.PROMOTE, to, "p-cut-late", SHORT))
        assert view.phase is Phase.PROMOTED
        (debt,) = view.debts
        assert f"1 session of {to.other} cut at the drain's deadline: raw " in debt
        assert held.recv(65536) == b""
    (cut,) = [e.data["cut"] for e in edge.steward().follow("p-cut-late") if "cut" in e.data]
    assert [session["listener"] for session in cut] == ["raw"]
