"""Only known peers associate. Asked on a plain socket: what counts is the answer on the wire."""

import socket
from struct import pack

import pytest
from conftest import DICOM_PORT, VERIFICATION, Dicom, Web

ACCEPTED, REJECTED = 2, 3  # kinds of PDU
UNKNOWN_CALLER, UNKNOWN_CALLED = 3, 7  # reasons of a permanent rejection by the service user


def _item(kind: int, content: bytes) -> bytes:
    return pack(">BBH", kind, 0, len(content)) + content


def _answer(host: str, calling: str, called: str) -> tuple[int, ...]:
    """(kind,) of what answers a request for an association, for a rejection (kind, result, source, reason)."""
    syntaxes = _item(0x30, VERIFICATION.encode()) + _item(0x40, b"1.2.840.10008.1.2")
    user = _item(0x51, pack(">I", 16384)) + _item(0x52, b"2.25.1")
    content = b"".join(
        [
            b"\0\1\0\0" + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32),
            _item(0x10, b"1.2.840.10008.3.1.1.1"),
            _item(0x20, b"\1\0\0\0" + syntaxes),
            _item(0x50, user),
        ]
    )
    with socket.create_connection((host, DICOM_PORT), timeout=10) as peer:
        peer.sendall(pack(">BBI", 1, 0, len(content)) + content)
        answer = peer.recv(10)
    return (answer[0],) if answer[0] != REJECTED else (REJECTED, *answer[7:10])


def test_a_known_peer_is_let_in(web: Web, dicom: Dicom) -> None:
    assert _answer(web.host, "PLANNER", "HELLO") == (ACCEPTED,)
    with dicom.association("PLANNER") as association:
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.requirement("known-peers")
@pytest.mark.risk("objects from an unknown sender")
@pytest.mark.parametrize("calling", ["STRANGER", "planner", "PLANNER2", "HELLO"])
def test_an_unknown_peer_is_refused(web: Web, calling: str) -> None:
    assert _answer(web.host, calling, "HELLO") == (REJECTED, 1, 1, UNKNOWN_CALLER)
    assert web.get("/healthz").status_code == 200


def test_a_call_for_another_service_is_refused(web: Web) -> None:
    assert _answer(web.host, "PLANNER", "OTHER") == (REJECTED, 1, 1, UNKNOWN_CALLED)
