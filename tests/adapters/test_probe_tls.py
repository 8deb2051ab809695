"""A probe inside TLS: the same answer, whatever name the certificate bears, and the same deadline in its handshake."""

import contextlib
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from otagate.adapters.probe import Answer, ask
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from tests.adapters.test_probe import BEGUN, BUILD, DICOM, HERE, WEB, raw


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


def test_who_answers_inside_tls_is_read_whatever_name_the_certificate_bears(made: Path) -> None:
    with raw(BEGUN + b"Content-Length: 2\r\n\r\n{}", tls=server(made)) as port:
        assert ask(WEB, HERE, port, 5, tls=True) == Answer(BUILD, Colour.BLUE)


@pytest.mark.parametrize("length", [b"", b"Content-Length: 99999\r\n"])
def test_an_answer_that_comes_drop_by_drop_is_cut_off_at_the_deadline(made: Path, length: bytes) -> None:
    began = time.monotonic()
    with (
        raw(BEGUN + length + b"\r\n", then=b"x", every=0.05, tls=server(made)) as port,
        pytest.raises(ProbeFault, match=r"not answer within 1 s"),
    ):
        ask(WEB, HERE, port, 1.0, tls=True)
    assert time.monotonic() - began < 4


@pytest.mark.timeout(60)  # where it is held up it would be for as long as the other stays on the line
@pytest.mark.parametrize(
    ("begun", "every"),
    [(b"", 60.0), (b"\2\0\0\0\0\xb0\0\1", 60.0), (b"\2\0\0\0\0\xb0\0\1", 0.05)],
    ids=["the handshake", "half an answer", "an answer byte by byte"],
)
def test_a_dicom_service_that_gives_no_more_than_this_is_cut_off_at_the_deadline(
    made: Path, begun: bytes, every: float
) -> None:
    """After the handshake of TLS 1.3 there is something to read, which is nothing of an answer."""
    began = time.monotonic()
    with (
        raw(begun, then=b"\2", every=every, tls=server(made)) as port,
        pytest.raises(ProbeFault, match=r"not answer within 1 s"),
    ):
        ask(DICOM, HERE, port, 1.0, tls=True)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("every", [0.05, 60.0], ids=["byte by byte", "one byte and no more"])
def test_a_handshake_that_does_not_end_is_cut_off_at_the_deadline(every: float) -> None:
    began = time.monotonic()
    record = b"\x16\x03\x03\x40\x00"  # of 16 KiB, as it says
    with raw(record, then=b"\x02", every=every) as port, pytest.raises(ProbeFault, match=r"not answer within 0.5 s"):
        ask(WEB, HERE, port, 0.5, tls=True)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("verify", "demands"), [(ssl.CERT_REQUIRED, True), (ssl.CERT_OPTIONAL, False)])
def test_a_service_that_demands_a_certificate_is_a_fault_for_a_probe_has_none(
    made: Path, verify: ssl.VerifyMode, demands: bool
) -> None:
    context = server(made)
    context.verify_mode = verify
    context.load_verify_locations(made / "certificate")
    ends = pytest.raises(ProbeFault, match="does not answer") if demands else contextlib.nullcontext()
    with raw(BEGUN + b"Content-Length: 0\r\n\r\n", tls=context) as port, ends:
        ask(WEB, HERE, port, 5, tls=True)


def test_a_service_that_speaks_no_tls_is_a_fault() -> None:
    with raw(BEGUN + b"\r\n") as port, pytest.raises(ProbeFault, match="does not answer"):
        ask(WEB, HERE, port, 5, tls=True)
