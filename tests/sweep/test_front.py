"""Who answers at a front door is told by what it says itself."""

import pytest

from tests.adapters.test_probe import HERE
from tests.adapters.test_probe_dicom import REJECTED, Service, scripted
from tests.sweep.front import ask_dicom


@pytest.mark.parametrize(
    ("version", "colour"), [("b-0123456789ab", "blue"), ("g-0123456789ab", "green"), ("PYNETDICOM_302", "")]
)
def test_the_colour_that_accepts_an_association_is_told(version: str, colour: str) -> None:
    with Service(version) as service:
        assert ask_dicom((HERE, service.port)) == colour


@pytest.mark.parametrize("answer", [REJECTED, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_another_answer_is_no_colours(answer: bytes) -> None:
    with scripted(answer) as port:
        assert ask_dicom((HERE, port)) == ""


def test_half_an_answer_is_not_waited_for_without_end() -> None:
    with scripted(b"\x02") as port, pytest.raises(TimeoutError):
        ask_dicom((HERE, port))


def test_nobody_is_told_as_nobody() -> None:
    with Service("b-0123456789ab") as service:
        port = service.port
    with pytest.raises(OSError, match=r"refused|reset"):
        ask_dicom((HERE, port))
