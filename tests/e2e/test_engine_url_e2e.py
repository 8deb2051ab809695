"""The steward asked through an engine that is reached over TCP, in the clear and by TLS, as one on another host is.

Between the client and the machine's own engine stands a relay of the test's own on 127.0.0.1.
"""

import contextlib
import os
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from docker.tls import TLSConfig

from otagate.adapters.steward_client import StewardClient
from otagate.core.cloud import Colour
from otagate.core.errors import Busy
from otagate.core.promotion import Phase
from otagate.core.traffic import Kind
from otagate.core.watch import WatchPolicy
from tests.e2e.edge import Edge, claim_of
from tests.e2e.test_switch_tls_e2e import certificate

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

SHORT = WatchPolicy(lasts=0.5, every=0.1, window=10.0)
ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
BEATS = 20.0  # seconds: after fifteen without a word a lease is given up


class Relay(socketserver.ThreadingTCPServer):
    """Carries each connection to the engine and back; `wrap` is what its own side speaks."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Carrier)
        self.context = context


class Carrier(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Relay)
        context = self.server.context
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as engine:
            engine.connect(ENGINE)
            with context.wrap_socket(self.request, server_side=True) if context else self.request as line:
                carry(line, engine)


def carry(line: socket.socket, engine: socket.socket) -> None:
    """Until one side has ended."""
    while True:
        waiting = isinstance(line, ssl.SSLSocket) and line.pending()
        ready = [line] if waiting else select.select([line, engine], [], [])[0]
        for one, other in ((line, engine), (engine, line)):
            if one in ready:
                part = one.recv(65536)
                if not part:
                    return
                other.sendall(part)


@contextmanager
def relayed(context: ssl.SSLContext | None) -> Iterator[int]:
    with Relay(context) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        try:
            yield relay.server_address[1]
        finally:
            relay.shutdown()


@pytest.fixture(params=["tcp", "tls"])
def remote(
    request: pytest.FixtureRequest, edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StewardClient]:
    """The steward of `edge`, through an engine that this client knows by its address alone."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests prefers them to what it is told
        monkeypatch.delenv(name, raising=False)
    context, tls = None, None
    if request.param == "tls":
        pem = certificate(tmp_path, "engine")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        tls = TLSConfig(ca_cert=str(pem), verify=True)
    with relayed(context) as port:
        made: list[docker.DockerClient] = []

        def client() -> docker.DockerClient:
            made.append(docker.DockerClient(base_url=f"tcp://127.0.0.1:{port}", tls=tls or False, timeout=60))
            return made[-1]

        yield StewardClient(client, edge.platform, edge.images.source)
        for one in made:
            one.close()


def test_a_promotion_goes_through_and_is_followed_to_its_end(edge: Edge, to: Colour, remote: StewardClient) -> None:
    name = f"p-{to}-far"
    with remote.lease(claim_of("far"), 0) as hold:
        edge.to_flip(hold, edge.intent(Kind.PROMOTE, to, name, SHORT))
    events = list(remote.follow(name))
    assert events[-1].phase is Phase.PROMOTED
    assert edge.colour_now() == to


def test_a_lease_is_kept_by_beats_alone_and_freed_at_its_end(edge: Edge, remote: StewardClient) -> None:
    with remote.lease(claim_of("far"), 0) as hold:
        assert not threading.Event().wait(BEATS)
        hold.held()
        with pytest.raises(Busy, match="far holds the platform lease"), edge.steward().lease(claim_of("near"), 0):
            pass
    with edge.steward().lease(claim_of("near"), 5):
        pass
