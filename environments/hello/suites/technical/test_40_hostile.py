"""What is no sound object gets a clear refusal; the service goes on, and keeps nothing of it."""

import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import DICOM_PORT, HTTP_PORT, Dicom, Web, dose_grid, encoded, uid_of

GRID = np.arange(2 * 3 * 4, dtype="<u4").reshape(2, 3, 4)


def _dose(**values: object) -> bytes:
    made = dose_grid(GRID, "1e-3")
    for keyword, value in values.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return encoded(made)


def _scaled(text: bytes) -> bytes:
    return _dose(DoseGridScaling="0.1234567").replace(b"0.1234567", text.ljust(9))


def _named_syntax(uid: str) -> bytes:
    made = dose_grid(GRID, "1e-3")
    body = encoded(made)
    old = b"1.2.840.10008.1.2\x00"
    assert body.count(old) == 1
    return body.replace(old, uid.encode().ljust(len(old), b"\x00")[: len(old)])


def _nested() -> bytes:
    opening = b"\x08\x00\x10\x11\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"  # a sequence, an item, endless
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    body = encoded(dose_grid(GRID, "1e-3"))
    first = body.index(b"\x08\x00\x16\x00")
    return body[:first] + opening * 3000 + closing * 3000 + body[first:]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a web page": lambda: b"<html>" + b"x" * 4000,
    "a preamble only": lambda: b"\0" * 128 + b"DICM",
    "noise after the mark": lambda: b"\0" * 128 + b"DICM" + bytes(range(256)) * 16,
    "a grid far larger than its pixels": lambda: _dose(Rows=65535, Columns=65535),
    "a grid without rows": lambda: _dose(Rows=0),
    "frames beyond counting": lambda: _dose(NumberOfFrames="2147483647"),
    "frames below zero": lambda: _dose(NumberOfFrames="-2"),
    "no pixels": lambda: _dose(PixelData=None),
    "no spacing": lambda: _dose(PixelSpacing=None),
    "no identity": lambda: _dose(StudyInstanceUID=None),
    "a scaling that is no number": lambda: _scaled(b"NaN"),
    "an endless scaling": lambda: _scaled(b"1e999"),
    "a scaling in words": lambda: _scaled(b"a lot"),
    "too few planes": lambda: _dose(GridFrameOffsetVector=[0.0]),
    "three thousand sequences deep": _nested,
}


@pytest.mark.risk("a hostile file stops the service")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_with_a_reason(web: Web, what: str) -> None:
    answer = web.post("/objects", HOSTILE[what]())
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["message"]
    assert web.get("/healthz").status_code == 200


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.90", "1.2.3"])
def test_a_transfer_syntax_that_could_unfold_is_refused(web: Web, uid: str) -> None:
    answer = web.post("/summary", _named_syntax(uid[:18]))
    assert answer.status_code == 415, answer.text


def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(web: Web) -> None:
    with socket.create_connection((web.host, HTTP_PORT), timeout=5) as raw:
        raw.sendall(b"POST /objects HTTP/1.1\r\nHost: web\r\nContent-Length: 99999999999\r\n\r\n")
        assert raw.recv(64).split()[1] == b"413"


def test_a_hostile_object_by_c_store_is_refused(web: Web, dicom: Dicom, tmp_path: Path) -> None:
    body = _dose(Rows=65535, Columns=65535)
    assert dicom.store(body, tmp_path) == 0xC000
    assert web.get(f"/objects/{uid_of(body)}").status_code == 404


@pytest.mark.parametrize("port", [HTTP_PORT, DICOM_PORT])
def test_noise_on_a_port_does_not_stop_the_next_client(web: Web, dicom: Dicom, port: int) -> None:
    with socket.create_connection((web.host, port), timeout=5) as raw:
        raw.sendall(b"\xff\x00" * 2000)
    assert web.get("/healthz").status_code == 200
    with dicom.association() as association:
        assert association.send_c_echo().Status == 0x0000


def test_a_sound_object_after_all_of_it_is_taken(web: Web) -> None:
    body = encoded(dose_grid(GRID, "1e-3"))
    assert web.keep(body)["sop_instance_uid"] == uid_of(body)
