"""An engine's socket with someone in between, who may fall silent or hang up."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENGINE = "/var/run/docker.sock"


class Wire:
    """Carries bytes between a socket of its own and the engine's. `mute` accepts and answers nothing."""

    def __init__(self, path: Path, mute: bool) -> None:
        self.url = f"unix://{path}"
        self._mute = mute
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                self._open.append(caller)
                if not self._mute:
                    engine = socket.socket(socket.AF_UNIX)
                    engine.connect(ENGINE)
                    self._open.append(engine)
                    for one, other in ((caller, engine), (engine, caller)):
                        threading.Thread(target=_carry, args=(one, other), daemon=True).start()

    def hang_up(self) -> None:
        """Cut everything that is open; new callers are still served."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for end in self._open:
            end.close()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def wire(folder: Path, *, mute: bool = False) -> Iterator[Wire]:
    made = Wire(folder / "engine.sock", mute)
    try:
        yield made
    finally:
        made.close()
