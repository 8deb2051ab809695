"""Somebody at each front door who never stops asking, and what the outside of a promotion shows of it."""

import http.client
import io
import re
import socket
import sqlite3
import struct
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container

from otagate.core.cloud import Colour
from otagate.core.switch import SOCKET_PATH, associate_request, read_entries, read_map, read_show_map
from otagate.steward.book import JOURNAL, MAP
from tests.sweep.invariants import journal_says

EVERY = 0.02  # seconds between two questions: an outage is told no finer than that
PATIENCE = 1.0
Address = tuple[str, int]
_ACCEPTED = 2
_VERSION = re.compile(rb"\x55\0..([bg])-", re.DOTALL)
_COLOURS = {b"b": "blue", b"g": "green"}


def ask_web(address: Address, path: str = "/healthz") -> str:
    """The colour that answers on a new connection; OSError or HTTPException if nobody does, "" for another answer."""
    line = http.client.HTTPConnection(*address, timeout=PATIENCE)
    with closing(line):
        line.request("GET", path, headers={"Connection": "close"})
        answer = line.getresponse()
        answer.read()
        return (answer.getheader("X-Otagate-Colour") or "") if answer.status == 200 else ""


def ask_dicom(address: Address, called: str = "HELLO") -> str:
    """The colour that accepts an association, by its implementation version name (PS3.7 D.3.3.2); OSError if nobody
    answers, "" for another answer."""
    with socket.create_connection(address, timeout=PATIENCE) as line, line.makefile("rb") as answer:
        line.sendall(associate_request(called))
        kind, size = struct.unpack(">BxI", answer.read(6).ljust(6, b"\0"))
        says = _VERSION.search(answer.read(size)) if kind == _ACCEPTED else None
        return _COLOURS[says[1]] if says else ""


@dataclass
class Asker(threading.Thread):
    """Asks one listener again and again, each time on a new connection; `failed` counts questions without a good
    answer, `gap` is the longest time without one, in seconds."""

    ask: Callable[[], str]
    failed: int = 0
    asked: int = 0
    gap: float = 0.0
    _ends: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        last = time.monotonic()
        while not self._ends.wait(EVERY):
            self.asked += 1
            try:
                well = bool(self.ask())
            except (OSError, http.client.HTTPException):
                well = False
            now = time.monotonic()
            if well:
                self.gap, last = max(self.gap, now - last), now
            else:
                self.failed += 1
                self.gap = max(self.gap, now - last)

    def end(self) -> None:
        self._ends.set()
        self.join()


@dataclass(frozen=True)
class Accounts:
    """What journal, map file and the switch itself say, each read past otagate's own eyes: colour and epoch."""

    journal: tuple[Colour | None, int]
    file: tuple[Colour, int]
    run: tuple[Colour, int]
    phase: str

    @property
    def agree(self) -> bool:
        return self.journal == self.file == self.run


_ASK = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); "
    "s.sendall(sys.argv[2].encode() + b'\\n'); out = b''\n"
    "while part := s.recv(4096): out += part\n"
    "sys.stdout.write(out.decode())"
)


def accounts(steward: Container) -> Accounts:
    """Read in the steward's container; raises AssertionError, ValueError and the engine's own if one cannot be."""
    path = f"/run/otagate/{MAP}"
    code, said = steward.exec_run(["python", "-c", _ASK, SOCKET_PATH, f"show map {path}"])
    assert isinstance(said, bytes)
    assert code == 0, said
    with tempfile.TemporaryDirectory() as folder:
        for name in (JOURNAL, MAP):
            _fetch(steward, f"/run/otagate/{name}", Path(folder))
        live, epoch, phase = journal_says(Path(folder))
        file = read_map((Path(folder) / MAP).read_text())
    return Accounts((live, epoch), file, read_entries(read_show_map(said.decode())), phase)


def _fetch(container: Container, path: str, folder: Path) -> None:
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        archive.extractall(folder, filter="data")


TOLD = (OSError, http.client.HTTPException, AssertionError, ValueError, sqlite3.Error)
