"""Containers that end unasked, heard from the engines' own events: a flag in a container's state forgets."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import docker
import requests
from docker.errors import DockerException

from otagate.adapters.engine.connection import Engines, asking
from otagate.adapters.engine.lifecycle import ending, tail
from otagate.adapters.engine.observe import SUITE, seconds
from otagate.core.cloud import LABEL_BINDING, LABEL_PLATFORM, LABEL_SERVICE, Binding
from otagate.core.errors import EngineFault
from otagate.core.suite import Crash

OUT_OF_MEMORY = "out of memory"
_SAME = 5.0  # seconds within which an end belongs to the lack of memory before it
_BLUR = 0.1  # seconds by which two clocks may be apart after they were compared
_HANG_UP = 2.0  # seconds for a closed stream to be noticed
_LOG_LINES = 20


@dataclass(frozen=True)
class _Expected:
    """A span of engine time in which the end of a container was asked for."""

    name: str
    since: float
    until: float


class EngineCrashWatch:
    """The CrashWatch port over all engines, from entry to exit. EngineFault on entry if one does not answer."""

    def __init__(self, engines: Engines, platform: str, binding: Binding) -> None:
        filters = {
            "type": "container",
            "event": ["die", "oom"],
            "label": [f"{LABEL_PLATFORM}={platform}", f"{LABEL_BINDING}={binding}"],
        }
        self._ears = [_Ear(engines, url, filters) for url in engines.clouds()]

    def __enter__(self) -> Self:
        try:
            for ear in self._ears:
                ear.open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for ear in self._ears:
            ear.close()

    @contextmanager
    def expect(self, name: str) -> Iterator[None]:
        """A container's end inside this block was asked for."""
        began = [(ear, ear.now()) for ear in self._ears]
        for ear, since in began:
            ear.expect(_Expected(name, since, float("inf")))
        try:
            yield
        finally:
            for ear, since in began:
                ear.expected_until(_Expected(name, since, ear.now()))

    def seen(self) -> tuple[Crash, ...] | None:
        """What ended unasked so far; None if a stream of events broke, for then nobody was watching."""
        found: list[Crash] = []
        for ear in self._ears:
            crashes = ear.seen()
            if crashes is None:
                return None
            found += crashes
        return tuple(sorted(found, key=lambda crash: crash.at))


class _Ear:
    """One engine's events, read in a thread."""

    def __init__(self, engines: Engines, url: str, filters: dict[str, Any]) -> None:
        self._engines = engines
        self._url = url
        self._filters = filters
        self._client: docker.DockerClient | None = None
        self._stream: Any = None
        self._since = 0.0
        self._ahead = 0.0  # the engine's clock minus ours
        self._broken = False
        self._closed = False
        self._guard = threading.Lock()
        self._heard: dict[tuple[int, str, str], None] = {}  # what was already counted, to join it with a later replay
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._crashes: list[Crash] = []
        self._expected: list[_Expected] = []

    def open(self) -> None:
        self._client = self._engines.fresh(self._url)
        with asking(self._url):
            asked = time.time()
            said, now = seconds(self._client.info()["SystemTime"]), time.time()
            self._ahead = 0.0 if asked <= said <= now else said - (asked + now) / 2
            self._since = self.now()
            self._stream = self._client.events(decode=True, filters=self._filters)
        self._thread.start()

    def close(self) -> None:
        """What was heard stays; later `seen` adds nothing."""
        if self._stream is not None and not self._closed:
            self._broken = self._broken or not self._catch_up()
            self._closed = True
            with suppress(Exception):  # not every transport can be closed while a thread reads
                self._stream.close()
            self._thread.join(_HANG_UP)
            self._stream._response.close()
        if self._client is not None:
            self._client.close()

    def now(self) -> float:
        """The engine's time."""
        return time.time() + self._ahead

    def expect(self, span: _Expected) -> None:
        with self._guard:
            self._expected.append(span)

    def expected_until(self, span: _Expected) -> None:
        with self._guard:
            self._expected.remove(replace(span, until=float("inf")))
            self._expected.append(span)

    def seen(self) -> list[Crash] | None:
        if not self._closed and not self._catch_up():
            self._broken = True
        if self._broken:
            return None
        with self._guard:
            return [crash for crash in self._crashes if not self._was_expected(crash)]

    def _was_expected(self, crash: Crash) -> bool:
        return any(e.name == crash.container and e.since - _BLUR <= crash.at <= e.until + _BLUR for e in self._expected)

    def _listen(self) -> None:
        # A stream that ends, in whatever way, before we closed it has left us deaf.
        with suppress(Exception):
            for event in self._stream:
                self._hear(event)
        self._broken = self._broken or not self._closed

    def _catch_up(self) -> bool:
        """Hear what the engine has said up to now but the thread has not read yet; False if the engine is silent."""
        client = self._engines.client(self._url)
        try:
            # The stubs know whole seconds alone; the engine takes fractions.
            said = client.api.events(since=self._since, until=self.now(), filters=self._filters, decode=True)  # type: ignore[call-overload]
            try:
                for event in said:
                    self._hear(event)
            finally:
                said._response.close()
        except (DockerException, requests.RequestException, OSError, EngineFault):
            return False
        return True

    def _hear(self, event: dict[str, Any]) -> None:
        attributes = event["Actor"]["Attributes"]
        key = (int(event["timeNano"]), event["Actor"]["ID"], event["Action"])
        with self._guard:
            if attributes.get(LABEL_SERVICE) == SUITE or key in self._heard:
                return
            self._heard[key] = None
            self._count(event, attributes, key[0] / 1e9)

    def _count(self, event: dict[str, Any], attributes: dict[str, str], at: float) -> None:
        name = attributes.get("name", event["Actor"]["ID"])
        starved = [c for c in self._crashes if c.container == name and c.reason == OUT_OF_MEMORY and at - c.at < _SAME]
        if starved:
            return  # the end that the lack of memory brought
        code = int(attributes.get("exitCode", 0))
        reason = OUT_OF_MEMORY if event["Action"] == "oom" else ending(code)
        crash = Crash(attributes.get(LABEL_SERVICE, name), name, at, reason, self._log(name))
        self._crashes.append(crash)

    def _log(self, name: str) -> str:
        try:
            return tail(self._engines.client(self._url), name, _LOG_LINES)
        except (DockerException, requests.RequestException, OSError, EngineFault):
            return ""
