"""Verification, the C-ECHO of DICOM, on a line that somebody else opens and cuts off at a deadline.

Said byte by byte, because an association of pynetdicom (3.0) is read by a thread of its own, which knows no deadline
once a part of an answer is there, and which nothing can end: who is asked would hold up the one who asks
(docs/decisions/0020).
"""

import contextlib
import errno
import socket
import struct

from otagate.core.switch import VERIFICATION, associate_request

_ACCEPTED, _REJECTED, _DATA = 2, 3, 4  # the kinds of a PDU (PS3.8 §9.3)
_LONGEST = 65536  # bytes of a PDU, and of an answer to C-ECHO; far above the 16384 that the association allows
_RELEASE = bytes.fromhex("05000000000400000000")


def verify(line: socket.socket, called: str) -> str:
    """The implementation version name of who answers C-ECHO with success. Raises OSError where no whole answer comes,
    and ValueError, which says what came, for any other."""
    line.sendall(associate_request(called))
    version = _accepted(*_pdu(line))
    line.sendall(_ECHO)
    if _elements(_command(line)).get(_STATUS) != b"\0\0":
        raise ValueError("does not answer C-ECHO with success")
    with contextlib.suppress(OSError):  # who hangs up has ended the association too
        line.sendall(_RELEASE)
        line.recv(_LONGEST)
    return version


def _accepted(kind: int, answer: bytes) -> str:
    if kind == _REJECTED:
        raise ValueError("rejects the association")
    if kind != _ACCEPTED:
        raise ValueError(f"answers the association with a PDU of kind {kind}")
    items = _items(answer[68:])
    if items.get(0x21, b"")[2:3] != b"\0":
        raise ValueError("accepts no verification")
    return _items(items.get(0x50, b"")).get(0x55, b"").decode(errors="replace").strip(" \0")


def _command(line: socket.socket) -> bytes:
    """What an answer's PDVs (PS3.8 annex E) carry, up to the last one."""
    command = b""
    while len(command) <= _LONGEST:
        kind, values = _pdu(line)
        if kind != _DATA:
            raise ValueError(f"answers C-ECHO with a PDU of kind {kind}")
        while values:
            end = 4 + int.from_bytes(values[:4], "big")
            command += values[6:end]
            if int.from_bytes(values[5:6], "big") & 3 == 3:  # of a command, and the last of it
                return command
            values = values[end:]
    raise ValueError("answers C-ECHO without an end")


def _pdu(line: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxI", _read(line, 6))
    if length > _LONGEST:
        raise ValueError("answers with what is no DICOM")
    return kind, _read(line, length)


def _read(line: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        if not (part := line.recv(size - len(content))):
            raise ConnectionAbortedError(errno.ECONNABORTED, "it hangs up")
        content += part
    return content


def _items(content: bytes) -> dict[int, bytes]:
    found = {}
    while content:
        end = 4 + int.from_bytes(content[2:4], "big")
        found[content[0]], content = content[4:end], content[end:]
    return found


def _elements(command: bytes) -> dict[bytes, bytes]:
    """By tag (PS3.7 §6.3: group 0000, implicit little endian)."""
    found = {}
    while command:
        end = 8 + int.from_bytes(command[4:8], "little")
        found[command[:4]], command = command[8:end], command[end:]
    return found


def _element(number: int, content: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(content)) + content


_STATUS = struct.pack("<HH", 0, 0x0900)
_FIELDS = (
    _element(0x0002, VERIFICATION.encode() + b"\0")
    + _element(0x0100, b"\x30\0")  # C-ECHO-RQ
    + _element(0x0110, b"\x01\0")  # the first message of the association
    + _element(0x0800, b"\x01\x01")  # no data set follows
)
_VALUE = b"\x01\x03" + _element(0, len(_FIELDS).to_bytes(4, "little")) + _FIELDS  # of context 1, a command, whole
_ECHO = struct.pack(">BxII", _DATA, 4 + len(_VALUE), len(_VALUE)) + _VALUE
