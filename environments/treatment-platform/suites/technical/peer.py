"""A workstation that the suite plays: the archive sends it objects, and reports of storage commitment."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from struct import pack
from typing import Any

import pytest
from conftest import STORED, SUCCESS, VERIFICATION, Dicom, DicomWeb
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

TITLE = "SUITE"
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
COMMITTED, WITH_FAILURES = 1, 2  # event types, PS3.4 J.3.3
ASKED, ACCEPTED, REJECTED = 1, 2, 3  # kinds of PDU
REPORTED = 15.0  # seconds until the archive's report must be there


class Peer:
    """Its own listener, and what came in: data sets by UID, reports in order."""

    def __init__(self, archive: Dicom) -> None:
        self.received: dict[str, bytes] = {}
        self.reports: Queue[tuple[int, Dataset]] = Queue()
        self._archive = archive

    def ask_for_commitment(self, transaction: str, objects: Sequence[tuple[str, str]]) -> None:
        """`objects`: SOP class and UID of each."""
        asked = Dataset()
        asked.TransactionUID, asked.ReferencedSOPSequence = transaction, []
        for sop_class, uid in objects:
            one = Dataset()
            one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = sop_class, uid
            asked.ReferencedSOPSequence.append(one)
        with self._archive.association(TITLE, (COMMITMENT,)) as association:
            code, _ = association.send_n_action(asked, 1, COMMITMENT, COMMITMENT_INSTANCE)
        assert code.get("Status") == SUCCESS, f"the archive does not take the request: {code}"

    def report(self) -> tuple[int, Dataset]:
        """Event type and content of the next report; fails the case if none comes in time."""
        try:
            return self.reports.get(timeout=REPORTED)
        except Empty:
            pytest.fail(f"no report of storage commitment within {REPORTED:.0f} s", pytrace=False)

    def on_store(self, event: Any) -> int:
        self.received[str(event.request.AffectedSOPInstanceUID)] = event.request.DataSet.getvalue()
        return SUCCESS

    def on_report(self, event: Any) -> tuple[int, Dataset | None]:
        self.reports.put((int(event.event_type), event.event_information))
        return SUCCESS, None


@contextmanager
def listening(archive: Dicom, web: DicomWeb, host: str) -> Iterator[Peer]:
    """Known to the archive at `host` under TITLE while it lasts: told over its own HTTP interface."""
    peer, entity = Peer(archive), AE(ae_title=TITLE)
    entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = 15.0
    entity.add_supported_context(VERIFICATION)
    for sop_class in STORED:
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    bound: list[Any] = [
        (evt.EVT_C_STORE, peer.on_store),
        (evt.EVT_N_EVENT_REPORT, peer.on_report),
        (evt.EVT_CONN_OPEN, _answer_at_once),
    ]
    server = entity.start_server(("0.0.0.0", 0), block=False, evt_handlers=bound)
    port = server.socket.getsockname()[1]
    told = {"AET": TITLE, "Host": _own_address(host), "Port": port, "AllowStorageCommitment": True, "AllowMove": True}
    try:
        answer = web.client.put("/modalities/suite", json=told)
        assert answer.status_code == 200, f"the archive does not take a peer: {answer.status_code}"
        yield peer
    finally:
        web.client.delete("/modalities/suite")
        server.shutdown()


def _own_address(towards: str) -> str:
    """Of the network on which `towards` is reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect((towards, 9))
        return str(asked.getsockname()[0])


def _answer_at_once(event: Any) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def answer(listener: Dicom, calling: str, called: str = "") -> tuple[int, ...]:
    """What comes back to a request for verification, on a plain socket: (ACCEPTED,), or for a rejection (REJECTED,
    result, source, reason), PS3.8 table 9-21. What counts is the answer on the wire."""
    title = called or listener.called
    syntaxes = _item(0x30, VERIFICATION.encode()) + _item(0x40, ExplicitVRLittleEndian.encode())
    user = _item(0x51, pack(">I", 16384)) + _item(0x52, b"2.25.1")
    head = b"\0\1\0\0" + title.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
    context = _item(0x20, b"\1\0\0\0" + syntaxes)
    content = head + _item(0x10, b"1.2.840.10008.3.1.1.1") + context + _item(0x50, user)
    with socket.create_connection(listener.address, timeout=10) as peer:
        peer.sendall(pack(">BBI", ASKED, 0, len(content)) + content)
        said = peer.recv(10)
    assert said, "the connection was closed without an answer"
    return (said[0],) if said[0] != REJECTED else (REJECTED, *said[7:10])


def _item(kind: int, content: bytes) -> bytes:
    return pack(">BBH", kind, 0, len(content)) + content
