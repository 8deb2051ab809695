"""Clients that never stop asking the front door while a test turns it: each answer, when it was asked, who said it."""

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pynetdicom import AE

from otagate.adapters.association import hold

VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True)
class Answer:
    """`sent` in seconds since the epoch; `colour` "" and `code` 0 where no answer came."""

    kind: str
    sent: float
    code: int
    colour: str


@dataclass
class Load:
    """Asks from entry to exit: kept-alive HTTP, a new HTTP connection each time, a DICOM association each time."""

    web: tuple[str, int]
    dicom: tuple[str, int]
    pause: float = 0.005
    answers: list[Answer] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        line = http.client.HTTPConnection(*self.web, timeout=10)
        self._kept = line
        asks = {"kept": lambda: _get(line), "fresh": self._fresh, "dicom": self._echo}
        for kind, ask in asks.items():
            thread = threading.Thread(target=self._run, args=(kind, ask), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(20)
        self._kept.close()

    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if not answer.colour]

    def of(self, kind: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.kind == kind]

    def _run(self, kind: str, ask: Callable[[], tuple[int, str]]) -> None:
        while not self._ends.is_set():
            sent = time.time()
            try:
                code, colour = ask()
            except (OSError, http.client.HTTPException):
                code, colour = 0, ""
            self.answers.append(Answer(kind, sent, code, colour))
            time.sleep(self.pause)

    def _fresh(self) -> tuple[int, str]:
        line = http.client.HTTPConnection(*self.web, timeout=10)
        try:
            return _get(line)
        finally:
            line.close()

    def _echo(self) -> tuple[int, str]:
        entity = AE(ae_title="LOAD")
        entity.add_requested_context(VERIFICATION)
        host, port = self.dicom
        association = entity.associate(host, port, ae_title="HELLO")
        if not association.is_established:
            return 0, ""
        said = association.acceptor.implementation_version_name or ""
        hold(association)
        status = getattr(association.send_c_echo(), "Status", -1)
        association.release()
        return 200 if status == 0 else 0, {"b": "blue", "g": "green"}.get(said[:1], "")


def _get(line: http.client.HTTPConnection) -> tuple[int, str]:
    line.request("GET", "/")
    with line.getresponse() as answer:
        answer.read()
    return answer.status, answer.headers.get("X-Otagate-Colour", "")
