"""Holds the doors' listening sockets and lends them to whichever switch serves, in the way that `haproxy -x` asks.

    python holder.py FOLDER PORT…

What waits in a socket's queue waits for the next switch: none that ends, is killed or is replaced loses it. Nothing is
ever accepted here. FOLDER/holder.sock lends; FOLDER/holder names this very process, for its sockets end with it.
"""

import os
import signal
import socket
import struct
import sys
import uuid
from pathlib import Path

ASKS = b"_getsocks\n"
MOST = 253  # sockets in one message, as HAProxy's own limit
PATIENCE = 5.0  # seconds for whoever asks
BACKLOG = 4096


def main(folder: Path, ports: list[int]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    doors = [listening(port) for port in ports]
    path = folder / "holder.sock"
    named(folder / "holder")  # first: whoever reads the new name finds the new socket, or none
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.bind(str(path))
        path.chmod(0o600)
        asked.listen(16)
        while True:
            line, _ = asked.accept()
            with line:
                line.settimeout(PATIENCE)
                try:
                    lend(line, doors)
                except OSError as error:
                    sys.stderr.write(f"lending broke off: {error}\n")


def listening(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setblocking(False)
    made.bind(("", port))
    made.listen(BACKLOG)
    return made


def named(path: Path) -> None:
    unborn = path.with_suffix(".new")
    unborn.write_text(f"{uuid.uuid4().hex}\n")
    unborn.rename(path)


def lend(line: socket.socket, doors: list[socket.socket]) -> None:
    """How many there are, then each with the words that HAProxy expects: no namespace, no interface, no options."""
    asked = b""
    while not asked.endswith(b"\n"):
        part = line.recv(64)
        if not part or len(asked) > len(ASKS):
            return
        asked += part
    if asked != ASKS:
        return
    line.sendall(struct.pack("i", len(doors)))
    for begin in range(0, len(doors), MOST):
        some = doors[begin : begin + MOST]
        words = (b"\0\0" + struct.pack("i", 0)) * len(some)
        socket.send_fds(line, [words], [door.fileno() for door in some])
        if not line.recv(4):
            return


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
