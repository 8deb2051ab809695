"""Clients that never stop asking a listener, some on a connection that they keep; one association that stays open."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pynetdicom import AE
from pynetdicom.association import Association

from otagate.adapters.association import hold

VERIFICATION = "1.2.840.10008.1.1"


@dataclass
class Steady:
    """Each client asks ten times a second; `failed` names what was not answered with 200."""

    host: str
    port: int
    clients: int = 8
    asked: int = 0
    failed: list[str] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Steady":
        self._threads = [threading.Thread(target=self._ask, args=(n % 2 == 0,)) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.5)
        self._ends.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, keeps: bool) -> None:
        line: http.client.HTTPConnection | None = None
        while not self._ends.is_set():
            line = line or http.client.HTTPConnection(self.host, self.port, timeout=20)
            try:
                line.request("GET", "/healthz")
                with line.getresponse() as answer:
                    answer.read()
                self.asked += 1
                if answer.status != http.client.OK:
                    self.failed.append(str(answer.status))
                if not keeps or answer.will_close:
                    line.close()
                    line = None
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                if line is not None:
                    line.close()  # a request that broke halfway leaves it open
                line = None
            self._ends.wait(0.1)
        if line is not None:
            line.close()


@contextlib.contextmanager
def association(address: str, called: str) -> Iterator[Association]:
    """Open from entry to exit, if nobody cuts it."""
    host, port = address.split(":")
    entity = AE(ae_title="OTAGATE")
    entity.network_timeout = None
    entity.add_requested_context(VERIFICATION)
    made = entity.associate(host, int(port), ae_title=called)
    assert made.is_established
    try:
        yield made
    finally:
        if made.is_established:
            made.release()


def echoes(line: Association) -> bool:
    """Whether it is still whole."""
    if not line.is_established:
        return False
    hold(line)
    return getattr(line.send_c_echo(), "Status", None) == 0x0000
