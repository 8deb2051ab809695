"""A probe inside TLS: the same answer, whatever name the certificate bears, and the same deadline in its handshake."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otagate.adapters.probe import Answer, ask
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from tests.adapters.test_probe import BEGUN, BUILD, HERE, WEB, raw


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a certificate that nobody signed, of another name, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=elsewhere"
    maker = ["openssl", *words.split(), "-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run(maker, check=True, capture_output=True, timeout=60)
    return folder


def server(made: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / "certificate", made / "key")
    return context


@contextlib.contextmanager
def inside(context: ssl.SSLContext, begin: bytes, then: bytes = b"") -> Iterator[int]:
    """The port of a server that says `begin` inside TLS to its first client, then `then` twenty times a second."""
    ends = threading.Event()
    with socket.create_server((HERE, 0)) as listening:

        def serve() -> None:
            line, _ = listening.accept()
            with contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as spoken:
                spoken.recv(65536)
                spoken.sendall(begin)
                while then and not ends.wait(0.05):
                    spoken.sendall(then)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ends.set()
            thread.join(5)


def test_who_answers_inside_tls_is_read_whatever_name_the_certificate_bears(made: Path) -> None:
    with inside(server(made), BEGUN + b"Content-Length: 2\r\n\r\n{}") as port:
        assert ask(WEB, HERE, port, 5, tls=True) == Answer(BUILD, Colour.BLUE)


@pytest.mark.parametrize("length", [b"", b"Content-Length: 99999\r\n"])
def test_an_answer_that_comes_drop_by_drop_is_cut_off_at_the_deadline(made: Path, length: bytes) -> None:
    began = time.monotonic()
    with (
        inside(server(made), BEGUN + length + b"\r\n", then=b"x") as port,
        pytest.raises(ProbeFault, match=r"not answer within 1 s"),
    ):
        ask(WEB, HERE, port, 1.0, tls=True)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("every", [0.05, 60.0], ids=["byte by byte", "one byte and no more"])
def test_a_handshake_that_does_not_end_is_cut_off_at_the_deadline(every: float) -> None:
    began = time.monotonic()
    record = b"\x16\x03\x03\x40\x00"  # of 16 KiB, as it says
    with raw(record, then=b"\x02", every=every) as port, pytest.raises(ProbeFault, match=r"not answer within 0.5 s"):
        ask(WEB, HERE, port, 0.5, tls=True)
    assert time.monotonic() - began < 2.5


@pytest.mark.parametrize(("verify", "demands"), [(ssl.CERT_REQUIRED, True), (ssl.CERT_OPTIONAL, False)])
def test_a_service_that_demands_a_certificate_is_a_fault_for_a_probe_has_none(
    made: Path, verify: ssl.VerifyMode, demands: bool
) -> None:
    context = server(made)
    context.verify_mode = verify
    context.load_verify_locations(made / "certificate")
    ends = pytest.raises(ProbeFault, match="does not answer") if demands else contextlib.nullcontext()
    with inside(context, BEGUN + b"Content-Length: 0\r\n\r\n") as port, ends:
        ask(WEB, HERE, port, 5, tls=True)


def test_a_service_that_speaks_no_tls_is_a_fault() -> None:
    with raw(BEGUN + b"\r\n") as port, pytest.raises(ProbeFault, match="does not answer"):
        ask(WEB, HERE, port, 5, tls=True)
