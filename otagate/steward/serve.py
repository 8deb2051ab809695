"""The steward's main process: one in a volume, a unix socket in it, JSON lines from any number of sessions.

A line is {"id", "ask", …}; the answer {"id", "answer"} or {"id", "error"}; `follow` sends {"id", "event"} lines first.
Each connection is read by a thread of its own, so that its end is seen while an ask still waits.
"""

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from otagate.core.errors import Fault, OtagateError, SwitchFault
from otagate.core.places import SECOND
from otagate.core.promotion import Phase
from otagate.core.topology import Topology
from otagate.core.wire import typed
from otagate.steward.book import MAP, Book
from otagate.steward.course import Course
from otagate.steward.desk import Caller, Desk
from otagate.steward.exchange import Exchange
from otagate.steward.helm import Helm, Patience
from otagate.steward.journal import JournalUnreadable
from otagate.steward.keeper import Keeper
from otagate.steward.leases import Leases
from otagate.steward.map_file import MapFile
from otagate.steward.outlook import Outlook
from otagate.steward.outside import Clock, RealClock, RealServices, RealSwitches, Services, Switches

SOCKET = "steward.sock"
LOCK = "steward.lock"
SILENCE = 15.0  # seconds without a line after which a connection, and with it its lease, is given up
AGAIN = 2.0  # seconds after which an unreadable journal is looked at again, whoever asks or not
log = logging.getLogger(__name__)


class Office:
    """The steward put together over one volume; opened again at each ask for as long as the journal is unreadable."""

    def __init__(
        self,
        volume: Path,
        topology: Topology,
        source: str,
        *,
        switches: Switches | None = None,
        services: Services | None = None,
        clock: Clock | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._volume = volume
        self._topology = topology
        self.source = source
        self._switches = switches or RealSwitches(volume)
        self._services = services or RealServices()
        self._clock = clock or RealClock()
        self._patience = patience or Patience()
        self._opening = threading.Lock()
        self._desk: Desk | None = None
        self._closes: list[Callable[[], None]] = []
        if topology.second:
            (volume / SECOND).mkdir(exist_ok=True)  # before the other holder starts, which finds no folder otherwise

    def desk(self) -> Desk:
        """Raises JournalUnreadable; then nothing is done and the switch goes on as it is."""
        with self._opening:
            if self._desk is None:
                self._desk = self._opened()
            return self._desk

    def _opened(self) -> Desk:
        book = Book.opened(self._volume, self._clock)
        helm = Helm(
            topology=self._topology,
            book=book,
            map_file=MapFile(self._volume / MAP),
            switches=self._switches,
            services=self._services,
            clock=self._clock,
            patience=self._patience,
        )
        leases, course = Leases(book), Course(helm, book, self._clock)
        exchange = Exchange(helm, book, self._volume)
        outlook = Outlook(self.source, helm, leases.holders)
        self.keeper = Keeper(helm, outlook)
        first = (helm, course, exchange, self.keeper, self._clock)
        threading.Thread(target=_resume, args=first, name="resume", daemon=True).start()
        return Desk(self.source, helm, book, leases, course, exchange, outlook)

    def close(self) -> None:
        """Let the volume go (tests; the container's process just ends)."""
        for close in self._closes:
            close()


def _resume(helm: Helm, course: Course, exchange: Exchange, keeper: Keeper, clock: Clock) -> None:
    """What a steward does first: make the switch say what the file says, then go on with what was cut off."""
    while True:
        view = helm.book.account.unfinished
        moving = view is not None and view.phase in (Phase.FLIPPING, Phase.ROLLING_BACK)  # these look for themselves
        try:
            if helm.map_file.exists() and not moving:
                helm.settle()
        except Fault as fault:
            log.warning("at the start: %s", fault.message)
        try:
            exchange.resume()
            course.resume()
            break
        except Fault as fault:
            log.error("%s", fault.message)
            clock.sleep(1.0)
    keeper.start()


class Server:
    """Listens in the volume until the process ends."""

    def __init__(self, office: Office, volume: Path, *, silence: float = SILENCE) -> None:
        self._office = office
        self._volume = volume
        self._silence = silence
        self._closed = threading.Event()
        self._lock = _only_one(volume / LOCK)
        path = volume / SOCKET
        path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        path.chmod(0o600)
        self._listening.listen(64)

    def run(self) -> None:
        """Until `close`."""
        threading.Thread(target=self._open, name="open", daemon=True).start()
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(line,), name="session", daemon=True).start()

    def _open(self) -> None:
        """What was cut off is gone on with though nobody asks, also where a disk was sick for a moment only."""
        while not self._closed.is_set():
            with contextlib.suppress(JournalUnreadable):
                self._office.desk()
                return
            self._closed.wait(AGAIN)

    def close(self) -> None:
        """Stop listening and free the volume's lock."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        os.close(self._lock)

    def _attend(self, line: socket.socket) -> None:
        session = _Session(line, self._office)
        line.settimeout(self._silence)
        try:
            session.read()
        finally:
            session.end()


class _Session:
    """One connection. What it holds is freed when it ends, however it ends."""

    def __init__(self, line: socket.socket, office: Office) -> None:
        self._line = line
        self._office = office
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._caller = Caller(self._ended.is_set)
        self._known = False
        self._why = "the connection ended"

    def read(self) -> None:
        with self._line.makefile("rb") as lines:
            while True:
                try:
                    text = lines.readline(1_000_000)
                except TimeoutError:
                    self._why = "no heartbeat"
                    return
                except OSError:
                    return
                if not text.endswith(b"\n"):
                    return
                self._take(text)

    def _take(self, text: bytes) -> None:
        try:
            body = json.loads(text)
            number, name = int(body["id"]), str(body["ask"])
        except (ValueError, KeyError, TypeError):
            self._send({"id": 0, "error": _error(SwitchFault("not a line of this protocol", code="protocol"))})
            return
        if name == "beat":
            return
        threading.Thread(target=self._answer, args=(number, name, body), name=name, daemon=True).start()

    def _answer(self, number: int, name: str, body: Mapping[str, Any]) -> None:
        try:
            self._send({"id": number, "answer": self._do(number, name, body)})
        except OtagateError as error:
            self._send({"id": number, "error": _error(error)})
        except (ValueError, KeyError, TypeError) as odd:
            fault = SwitchFault(f"the steward cannot read this ask: {name}: {odd}", code="protocol")
            self._send({"id": number, "error": _error(fault)})
        except Exception as bug:  # the session must get an answer, whatever broke
            log.exception("%s broke", name)
            fault = SwitchFault(f"bug of the steward in {name}: {type(bug).__name__}: {bug}", code="steward-bug")
            self._send({"id": number, "error": _error(fault)})
        if self._ended.is_set():
            self._free()  # it may have got a lease just as it ended

    def _do(self, number: int, name: str, body: Mapping[str, Any]) -> Any:
        if name == "hello":
            return self._hello(str(body["source"]))
        if not self._known:
            raise SwitchFault("say hello first", code="protocol")
        desk = self._office.desk()
        if name == "follow":
            for told in desk.follow(self._caller, str(body["promotion"]), int(body["since"])):
                self._send({"id": number, **told})
            return None
        return desk.ask(self._caller, name, body)

    def _hello(self, source: str) -> dict[str, str]:
        ours = self._office.source
        if source != ours:
            asks, made = source[7:19] or "unknown", ours[7:19] or "unknown"
            if work := self._at_work():
                raise SwitchFault(
                    f"this otagate ({asks}) is not the one that the steward was made from ({made}), and {work}",
                    code="version-at-work",
                    hint="wait until it is done, or use the otagate that raised this platform",
                )
            raise SwitchFault(
                f"this otagate ({asks}) is not the one that the steward was made from ({made})",
                code="version",
                hint="use the otagate that raised this platform, or `otagate up` of this one, which renews its steward",
            )
        self._known = True
        return {"source": ours}

    def _at_work(self) -> str:
        """Why the steward may not be replaced now; of an unreadable journal it can do no work."""
        try:
            return self._office.desk().at_work()
        except JournalUnreadable:
            return ""

    def _send(self, body: Mapping[str, Any]) -> None:
        try:
            with self._writing:
                self._line.sendall(json.dumps(body).encode() + b"\n")
        except OSError:
            self._ended.set()

    def end(self) -> None:
        self._ended.set()
        self._free()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()

    def _free(self) -> None:
        try:
            if self._caller.held:
                self._office.desk().leave(self._caller, self._why)
        except Fault as fault:
            log.error("%s", fault.message)


def _error(error: OtagateError) -> dict[str, str]:
    return {"kind": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}


def _only_one(path: Path) -> int:
    """The kernel's lock on the volume, freed with this process. Raises SwitchFault if another steward has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as taken:
        os.close(handle)
        raise SwitchFault("another steward works in this volume", code="second-steward") from taken
    return handle


def topology_of(text: str) -> Topology:
    """From the environment's JSON; raises SwitchFault."""
    try:
        return typed(Topology, json.loads(text))
    except ValueError as odd:
        raise SwitchFault(f"OTAGATE_TOPOLOGY cannot be read: {odd}", code="topology", hint="otagate up") from odd
