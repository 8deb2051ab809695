"""A probe over DICOM: who answers is read from the association, and whoever stops in the middle holds up nobody."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dimse_messages import C_ECHO_RSP
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.pdu import P_DATA_TF

from otagate.adapters.probe import Answer, ask
from otagate.core.cloud import Colour
from otagate.core.errors import ProbeFault
from otagate.core.switch import VERIFICATION, associate_request
from tests.adapters.test_probe import DICOM, HERE, answering, first_client

ENDS = evt.EVT_RELEASED, evt.EVT_ABORTED
CT = "1.2.840.10008.5.1.4.1.1.2"
REJECTED, ABORTED, RELEASED = (bytes([kind]) + bytes(4) + b"\x04" + bytes(4) for kind in (3, 7, 6))


class Service:
    """As pynetdicom makes them; `heard` is how its associations ended."""

    def __init__(self, version: str, *, peer: str = "OTAGATE", knows: str = VERIFICATION, status: int = 0) -> None:
        self.heard: list[str] = []
        entity = ApplicationEntity(ae_title="HELLO")
        entity.implementation_version_name = version
        entity.require_called_aet = True
        entity.require_calling_aet = [peer]
        entity.add_supported_context(knows)
        ends = [(kind, lambda event: self.heard.append(event.event.name)) for kind in ENDS]
        server = entity.start_server((HERE, 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: status), *ends])
        assert server is not None
        assert server.socket is not None
        self.server, self.port = server, server.socket.getsockname()[1]

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()


@pytest.fixture(scope="module")
def accepted() -> bytes:
    """What a service says that accepts."""
    with Service("g-0123456789ab") as service, socket.create_connection((HERE, service.port), timeout=5) as line:
        line.sendall(associate_request("HELLO"))
        return line.recv(65536)


def echoed(most: int = 16384, status: int = 0) -> bytes:
    """C-ECHO's answer as pynetdicom says it, in PDUs of at most so many bytes."""
    said, message = C_ECHO(), C_ECHO_RSP()
    said.MessageIDBeingRespondedTo, said.AffectedSOPClassUID, said.Status = 1, VERIFICATION, status
    message.primitive_to_message(said)
    pdus = []
    for part in message.encode_msg(1, most):
        pdus.append(P_DATA_TF())
        pdus[-1].from_primitive(part)
    return b"".join(pdu.encode() for pdu in pdus)


@contextlib.contextmanager
def scripted(*answers: bytes, slow: bool = False) -> Iterator[int]:
    """The port of a service that gives its first client one answer to each thing said, if `slow` byte by byte, and then
    stays on the line in silence."""

    def serve(line: socket.socket, ends: threading.Event) -> None:
        for answer in answers:
            line.recv(65536)
            for begin, end in pairwise(range(len(answer) + 1)) if slow else [(0, len(answer))]:
                line.sendall(answer[begin:end])
                ends.wait(0.05 if slow else 0)
        ends.wait(60)

    with first_client(serve) as port:
        yield port


class TestWhoAnswers:
    def test_build_and_colour_are_read_from_the_association_which_is_released(self) -> None:
        with Service("g-0123456789ab") as service:
            assert ask(DICOM, HERE, service.port, 5) == Answer("0123456789ab", Colour.GREEN)
            until = time.monotonic() + 5
            while not service.heard and time.monotonic() < until:
                time.sleep(0.01)
        assert service.heard == ["EVT_RELEASED"]

    @pytest.mark.parametrize("version", ["PYNETDICOM_304", "x-0123456789ab", "g-0123", "g0123456789abc"])
    def test_a_service_that_does_not_say_who_it_is_is_a_fault(self, version: str) -> None:
        with Service(version) as service, pytest.raises(ProbeFault, match="does not say its build and colour"):
            ask(DICOM, HERE, service.port, 5)

    def test_one_that_does_not_know_us_is_a_fault_that_says_so(self) -> None:
        with Service("g-0123456789ab", peer="OTHER") as service, pytest.raises(ProbeFault, match="rejects"):
            ask(DICOM, HERE, service.port, 5)

    def test_one_that_knows_no_verification_is_a_fault(self) -> None:
        with Service("g-0123456789ab", knows=CT) as service, pytest.raises(ProbeFault, match="accepts no verification"):
            ask(DICOM, HERE, service.port, 5)

    def test_one_that_says_no_to_the_echo_is_a_fault(self) -> None:
        with Service("g-0123456789ab", status=0x0122) as service, pytest.raises(ProbeFault, match="with success"):
            ask(DICOM, HERE, service.port, 5)

    @pytest.mark.parametrize("most", [20, 60])
    def test_an_answer_in_parts_is_one(self, accepted: bytes, most: int) -> None:
        assert len(echoed(most)) > len(echoed())
        with scripted(accepted, echoed(most), RELEASED) as port:
            assert ask(DICOM, HERE, port, 5) == Answer("0123456789ab", Colour.GREEN)

    def test_one_that_hangs_up_instead_of_releasing_has_answered(self, accepted: bytes) -> None:
        def hangs_up(line: socket.socket) -> None:
            line.sendall(accepted)
            line.recv(1000)
            line.sendall(echoed())

        with answering(hangs_up) as port:
            assert ask(DICOM, HERE, port, 5) == Answer("0123456789ab", Colour.GREEN)

    @pytest.mark.parametrize("first", [True, False], ids=["the association", "the echo"])
    def test_one_that_aborts_is_a_fault_that_says_so(self, accepted: bytes, first: bool) -> None:
        answers = [ABORTED] if first else [accepted, ABORTED]
        with scripted(*answers) as port, pytest.raises(ProbeFault, match="with a PDU of kind 7"):
            ask(DICOM, HERE, port, 5)

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\2\0\xff\xff\xff\xff", b"\2\0\0\0\0\0"])
    def test_what_speaks_no_dicom_is_a_fault(self, answer: bytes) -> None:
        with scripted(answer) as port, pytest.raises(ProbeFault, match=r"no DICOM|accepts no verification"):
            ask(DICOM, HERE, port, 5)

    def test_an_answer_without_an_end_is_a_fault(self, accepted: bytes) -> None:
        part = bytes.fromhex("0400000003ee000003ea0101") + bytes(1000)  # of a command, and not the last of it
        with scripted(accepted, part * 70) as port, pytest.raises(ProbeFault, match="without an end"):
            ask(DICOM, HERE, port, 5)

    def test_nobody_there_is_a_fault(self) -> None:
        with socket.create_server((HERE, 0)) as listening:
            port = listening.getsockname()[1]
        with pytest.raises(ProbeFault, match="does not answer: Connection refused"):
            ask(DICOM, HERE, port, 1)

    @pytest.mark.parametrize("begun", [b"", b"\2\0\0\0\0\xff\0\1"])
    def test_one_that_hangs_up_is_a_fault(self, begun: bytes) -> None:
        with answering(lambda line: line.sendall(begun)) as port, pytest.raises(ProbeFault, match="it hangs up"):
            ask(DICOM, HERE, port, 5)


@pytest.mark.timeout(60)  # where it is held up it would be for as long as the other stays on the line
class TestDeadline:
    """The other one stays on the line until the asker has given up."""

    @staticmethod
    def gives_up(port: int) -> None:
        began = time.monotonic()
        with pytest.raises(ProbeFault, match=r"does not answer within 0.5 s"):
            ask(DICOM, HERE, port, 0.5)
        assert time.monotonic() - began < 10

    @pytest.mark.parametrize("begun", [b"", b"\2", b"\2\0\0\0\0", b"\2\0\0\0\0\xb0\0\1"])
    def test_a_silence_before_it_has_accepted(self, begun: bytes) -> None:
        with scripted(begun) as port:
            self.gives_up(port)

    @pytest.mark.parametrize("half", [True, False])
    def test_a_silence_before_it_has_answered(self, accepted: bytes, half: bool) -> None:
        with scripted(accepted, echoed()[:40] if half else b"") as port:
            self.gives_up(port)

    def test_a_silence_before_it_has_released(self, accepted: bytes) -> None:
        with scripted(accepted, echoed()) as port:
            self.gives_up(port)

    def test_an_answer_byte_by_byte(self, accepted: bytes) -> None:
        with scripted(accepted, echoed(), slow=True) as port:
            self.gives_up(port)
