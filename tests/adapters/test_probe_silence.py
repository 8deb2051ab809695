"""What gives no answer at all, apart from what says no: who says no must not be taken for one that hangs."""

import socket
import struct
from collections.abc import Callable

import pytest

from otagate.adapters.probe import ask
from otagate.core.errors import NO_ANSWER, ProbeFault
from otagate.core.topology import Door
from tests.adapters.test_probe import DICOM, HERE, TCP, WEB, Site, answering, free_port, site

__all__ = ["free_port", "site"]  # fixtures


def code_of(door: Door, port: int, deadline: float = 1.0, host: str = HERE) -> str:
    with pytest.raises(ProbeFault) as fault:
        ask(door, host, port, deadline)
    return fault.value.code


@pytest.mark.parametrize("door", [WEB, DICOM, TCP], ids=lambda door: door.name)
def test_where_nobody_is_there_is_no_answer(door: Door, free_port: int) -> None:
    assert code_of(door, free_port) == NO_ANSWER


@pytest.mark.parametrize("door", [WEB, TCP], ids=lambda door: door.name)
def test_nor_is_there_of_a_name_that_nobody_has(door: Door) -> None:
    assert code_of(door, 80, host="blue-web.invalid") == NO_ANSWER


@pytest.mark.parametrize("door", [WEB, DICOM], ids=lambda door: door.name)
def test_nor_from_an_open_port_that_says_nothing_in_time(door: Door) -> None:
    def say_nothing(line: socket.socket) -> None:
        line.recv(1)  # until the other side gives up

    with answering(say_nothing) as port:
        assert code_of(door, port, 0.3) == NO_ANSWER


@pytest.mark.parametrize("code", [503, 404])
def test_another_code_is_one(site: Site, code: int) -> None:
    site.code = code
    assert code_of(WEB, site.port) == "probe"


def test_so_are_headers_that_are_missing(site: Site) -> None:
    site.headers = {}
    assert code_of(WEB, site.port) == "probe"


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("how", [socket.socket.close, reset], ids=["hangs up", "resets"])
def test_so_does_whoever_hangs_up(how: Callable[[socket.socket], None]) -> None:
    with answering(how) as port:
        assert code_of(WEB, port, 5.0) == "probe"


@pytest.mark.parametrize("answer", ["03000000000400010107", "07000000000400000000"], ids=["rejects", "aborts"])
def test_so_does_whoever_wants_no_association(answer: str) -> None:
    with answering(lambda line: line.sendall(bytes.fromhex(answer))) as port:
        assert code_of(DICOM, port, 5.0) == "probe"
