"""One command line's way in: carries lines between stdin/stdout and the steward's socket, and ends with either.

Started by the engine's exec. It is nobody's lease: when the command line dies, the engine closes stdin, this closes the
socket, and the steward frees what was held. It imports nothing heavy, for each ask of a person waits for its start.
"""

import contextlib
import json
import os
import selectors
import socket
import time

_CHUNK = 65536
_STARTING = 5.0  # seconds to wait for a steward that is just starting


def relay(path: str, source: int = 0, sink: int = 1) -> int:
    """Until one side ends; answers the exit status."""
    try:
        line = _connected(path)
    except OSError as error:
        fault = {"kind": "SwitchFault", "code": "no-steward", "message": f"the steward does not listen: {error}"}
        hint = "its engine restarts it; its log says why it ended"
        _write(sink, json.dumps({"id": 0, "error": {**fault, "hint": hint}}).encode() + b"\n")
        return 1
    with line, selectors.DefaultSelector() as ready:
        ready.register(source, selectors.EVENT_READ, "in")
        ready.register(line, selectors.EVENT_READ, "out")
        with contextlib.suppress(OSError):
            while True:
                for key, _ in ready.select():
                    part = os.read(source, _CHUNK) if key.data == "in" else line.recv(_CHUNK)
                    if not part:
                        return 0
                    if key.data == "in":
                        line.sendall(part)
                    else:
                        _write(sink, part)
    return 0


def _connected(path: str) -> socket.socket:
    until = time.monotonic() + _STARTING
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(path)
            return line
        except OSError:
            line.close()
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)


def _write(sink: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(sink, rest) :]
