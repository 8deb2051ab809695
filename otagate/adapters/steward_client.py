"""Asking the steward over its engine's API: an exec of `session` in its container, JSON lines on the exec's streams.

Works through unix and TCP URLs, in the clear and by TLS; an ssh URL's stream is taken as the SDK gives it, and was not
tried. The lease dies with this process: the kernel closes the connection, the engine closes the session's stdin, and
the steward frees what was held. Raises SwitchFault, and what the steward raises.
"""

import contextlib
import json
import math
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import docker
import requests
from docker.errors import DockerException
from docker.models.containers import Container

from otagate.core import errors
from otagate.core.canonical import plain
from otagate.core.cloud import LABEL_PLATFORM, LABEL_SERVICE, Colour
from otagate.core.errors import OtagateError, SwitchFault
from otagate.core.incident import Incident
from otagate.core.promotion import Event, Phase
from otagate.core.replacement import Replacement
from otagate.core.schema import Move
from otagate.core.shadow import ShadowRule, ShadowSeen
from otagate.core.traffic import Claim, Intent, PromotionView, Status, StewardEvent
from otagate.core.wire import typed
from otagate.ports import Hold

T = TypeVar("T")
_SESSION = ["python", "-m", "otagate.steward", "session"]
_BEAT = 4.0  # seconds; the steward gives a silent session up after 15
_LONG = 240.0  # seconds: an ask in which the steward itself waits for the switch
_QUIET = 10.0  # seconds: whoever follows and hears nothing for so long asks whether the steward is still there
_LOST = "steward-lost"
_SILENT = "steward-silent"
_GONE = frozenset({_LOST, "no-steward", "steward-stopped", "engine"})
_AGAIN = 45.0  # seconds to find a steward again that its engine is restarting
_KINDS: Mapping[str, type[OtagateError]] = {
    kind.__name__: kind
    for kind in (errors.Refused, errors.Busy, errors.ProbeFault, errors.SwitchFault, errors.UsageError)
}


class StewardClient:
    """ports.Steward for one platform. `client` gives that of its engine, asked for when it is needed and not before;
    `source` is the digest of the otagate that asks (see `images.source_digest`); `deadline`: seconds for an answer."""

    def __init__(
        self, client: Callable[[], docker.DockerClient], platform: str, source: str, *, deadline: float = 20.0
    ) -> None:
        self._client = client
        self._platform = platform
        self._source = source
        self._deadline = deadline

    def present(self) -> bool:
        """Whether this platform has a steward at all, running or not."""
        return self._container() is not None

    def status(self) -> Status:
        with self._session() as session:
            return _as(Status, session.ask("status"))

    @contextmanager
    def lease(self, claim: Claim, wait: float) -> Iterator[Hold]:
        with self._session() as session:
            got = session.ask("acquire", _deadline=wait + self._deadline, claim=plain(claim), wait=wait)
            try:
                yield _Held(session, int(got["epoch"]))
            finally:
                with contextlib.suppress(SwitchFault):  # a lost steward has freed it already
                    session.ask("release")

    def follow(self, promotion: str) -> Iterator[StewardEvent]:
        seen, until = 0, math.inf

        def there() -> None:
            nonlocal until
            self.status()
            until = math.inf

        while True:
            try:
                with self._session() as session:
                    for told in session.told("follow", there, promotion=promotion, since=seen):
                        seen, until = int(told["seq"]), math.inf
                        yield _as(StewardEvent, told["event"])
                    return
            except SwitchFault as fault:
                until = min(until, time.monotonic() + _AGAIN)  # however long it had nothing to tell before
                if fault.code not in _GONE or time.monotonic() >= until:
                    raise
                time.sleep(0.3)

    def go_back(self, claim: Claim) -> PromotionView:
        with self._session() as session:
            return _as(PromotionView, session.ask("go-back", _deadline=_LONG, claim=plain(claim)))

    def incidents(self) -> tuple[Incident, ...]:
        with self._session() as session:
            return tuple(_as(Incident, incident) for incident in session.ask("incidents"))

    def clear(self, claim: Claim, incident: str, reason: str) -> Incident:
        with self._session() as session:
            return _as(Incident, session.ask("clear", claim=plain(claim), incident=incident, reason=reason))

    def recover(self, claim: Claim, wait: float, override: str = "") -> PromotionView | None:
        with self._session() as session:
            view = session.ask("recover", _deadline=wait + _LONG, claim=plain(claim), wait=wait, override=override)
            return None if view is None else _as(PromotionView, view)

    @contextmanager
    def _session(self) -> "Iterator[_Session]":
        try:
            container = self._running()
            session = _Session(self._client(), str(container.id), self._deadline)
        except (DockerException, requests.RequestException, OSError) as error:
            raise _engine_away(error) from error
        try:
            session.ask("hello", source=self._source)
            yield session
        finally:
            session.close()

    def _running(self) -> Container:
        container = self._container()
        if container is None:
            raise SwitchFault(
                f"platform {self._platform} has no steward", code="no-steward", hint="otagate up raises production"
            )
        if container.status != "running":
            name = container.name
            on = f"docker start {name}; docker logs {name} says why it ended"
            raise SwitchFault(
                f"the steward of {self._platform} is {container.status}",
                code="steward-stopped",
                hint=f"docker unpause {name}" if container.status == "paused" else on,
            )
        return container

    def _container(self) -> Container | None:
        labels = [f"{LABEL_PLATFORM}={self._platform}", f"{LABEL_SERVICE}=steward"]
        try:
            found = self._client().containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        except (DockerException, requests.RequestException) as error:
            raise _engine_away(error) from error
        return found[0] if found else None


@dataclass(frozen=True)
class _Held:
    """ports.Hold."""

    session: "_Session"
    epoch: int

    def begin(self, intent: Intent) -> PromotionView:
        return _as(PromotionView, self.session.ask("begin", intent=plain(intent)))

    def report(self, event: Event, message: str) -> Phase:
        return _as(Phase, self.session.ask("report", event=event, message=message))

    def note(self, message: str) -> None:
        self.session.ask("note", message=message)

    def migrating(self, move: Move) -> None:
        self.session.ask("schema", move=plain(move), stage="begun")

    def migrated(self, move: Move) -> None:
        self.session.ask("schema", move=plain(move), stage="proven")

    def prove(self, colour: str, builds: Mapping[str, str]) -> None:
        self.session.ask("prove", _deadline=_LONG, colour=colour, builds=dict(builds))

    def shadow(self, colour: Colour, rules: Mapping[str, ShadowRule]) -> Mapping[str, ShadowSeen]:
        lasts = sum(rule.lasts for rule in rules.values())
        seen = self.session.ask("shadow", _deadline=lasts + _LONG, colour=colour, rules=plain(rules))
        return _as(dict[str, ShadowSeen], seen)

    def held(self) -> None:
        self.session.ask("held")

    def may_remove(self, colour: Colour) -> None:
        self.session.ask("may-remove", colour=colour)

    def replace_switch(self, drain: float, *, second: bool = False) -> Replacement:
        return _as(Replacement, self.session.ask("replace-switch", drain=drain, second=second))

    def take_doors(self) -> Replacement:
        return _as(Replacement, self.session.ask("take-doors", _deadline=_LONG))

    def give_up(self, reason: str) -> Replacement:
        return _as(Replacement, self.session.ask("give-up", reason=reason))

    def tidied(self) -> Replacement:
        return _as(Replacement, self.session.ask("tidied"))


class _Session:
    """One exec. Answers come by the ask's number; what comes for an ask that was given up is dropped."""

    def __init__(self, client: docker.DockerClient, container: str, deadline: float) -> None:
        self._deadline = deadline
        made = client.api.exec_create(container, _SESSION, stdin=True, stdout=True, stderr=True)
        self._stream: Any = client.api.exec_start(made["Id"], socket=True)
        # Under a file-like there is the socket itself; over ssh there is only something like one.
        self._socket: Any = getattr(self._stream, "_sock", self._stream)
        if hasattr(self._socket, "settimeout"):
            self._socket.settimeout(None)  # the deadlines are ours; see `_next`
        self._came: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._said = ""
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._number = 0
        threading.Thread(target=self._read, name="steward-reader", daemon=True).start()
        threading.Thread(target=self._beat, name="steward-beat", daemon=True).start()

    def ask(self, name: str, *, _deadline: float = 0.0, **body: Any) -> Any:
        """The answer; raises what the steward raised, and SwitchFault if it is lost or silent."""
        number = self._send(name, body)
        until = time.monotonic() + (_deadline or self._deadline)
        while True:
            came = self._next(name, number, until - time.monotonic())
            if "answer" in came:
                return came["answer"]

    def told(self, name: str, proof: Callable[[], object], **body: Any) -> Iterator[Mapping[str, Any]]:
        """What the steward tells before it answers. It may have nothing to tell for long: then `proof` is called, again
        and again, which must raise where the steward is there no more."""
        number = self._send(name, body)
        while True:
            try:
                came = self._next(name, number, _QUIET)
            except SwitchFault as fault:
                if fault.code != _SILENT:
                    raise
                proof()
                continue
            if "answer" in came:
                return
            yield came

    def close(self) -> None:
        self._ended.set()
        # The SDK hangs its response on the stream: closed after the socket it complains when it is collected.
        response = getattr(self._stream, "_response", self._stream)
        ends = (
            *(lambda: self._socket.shutdown(socket.SHUT_RDWR), response.close),
            *(self._stream.close, self._socket.close),
        )
        for end in ends:  # a TLS or ssh stream may know only one of them
            with contextlib.suppress(OSError, AttributeError, TypeError):
                end()

    def _send(self, name: str, body: Mapping[str, Any]) -> int:
        self._number += 1
        line = json.dumps({"id": self._number, "ask": name, **body}).encode() + b"\n"
        try:
            with self._writing:
                self._socket.sendall(line)
        except OSError as error:
            raise self._lost(str(error)) from error
        return self._number

    def _next(self, name: str, number: int, seconds: float) -> Mapping[str, Any]:
        while True:
            try:
                came = self._came.get(timeout=max(0.0, seconds))
            except queue.Empty:
                what = f"the steward did not answer {name!r} in time"
                raise SwitchFault(what, code=_SILENT, hint="outcome unknown: otagate status") from None
            if came is None:
                self._came.put(None)
                raise self._lost(self._said.strip()[-300:])
            if came.get("id") in (number, 0):
                if "error" in came:
                    raise _raised(came["error"])
                return came

    def _lost(self, why: str) -> SwitchFault:
        what = "the steward is lost" + (f": {why}" if why else "")
        return SwitchFault(what, code=_LOST, hint="outcome unknown: otagate status says what is so")

    def _read(self) -> None:
        rest = b""
        try:
            while header := self._receive(8):
                channel, length = struct.unpack(">BxxxL", header)
                part = self._receive(length)
                if channel == 1:
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        self._came.put(json.loads(line))
                else:
                    self._said = (self._said + part.decode(errors="replace"))[-2000:]
        except (OSError, ValueError) as error:
            self._said += str(error)
        finally:
            self._came.put(None)

    def _receive(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only at the end of the stream."""
        parts = b""
        while len(parts) < size and (part := self._socket.recv(size - len(parts))):
            parts += part
        return parts if len(parts) == size else b""

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT):
            with contextlib.suppress(OSError), self._writing:
                self._socket.sendall(b'{"id": 0, "ask": "beat"}\n')


def _as(kind: type[T], value: Any) -> T:
    try:
        return typed(kind, value)
    except ValueError as odd:
        what = f"the steward's answer cannot be read: {odd}"
        raise SwitchFault(what, code="protocol", hint="outcome unknown: otagate status") from odd


def _raised(error: Mapping[str, str]) -> OtagateError:
    kind = _KINDS.get(error["kind"], SwitchFault)
    return kind(error["message"], code=error["code"], hint=error["hint"])


def _engine_away(error: BaseException) -> SwitchFault:
    what = f"the engine that runs the steward did not answer: {error}"
    return SwitchFault(what, code="engine", hint="is the engine up? otagate doctor checks it")
