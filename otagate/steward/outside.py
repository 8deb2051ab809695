"""What the steward asks of the world outside its volume: the switch, the services, the clock. Faked in tests."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from otagate.adapters import probe
from otagate.adapters.haproxy import HAProxy
from otagate.adapters.probe import Answer
from otagate.core.cloud import Colour
from otagate.core.fronts import FrontCount
from otagate.core.places import RUN_FOLDER
from otagate.core.shadow import Reply, Request
from otagate.core.switch import OpenSession, rehearsal_path, socket_path
from otagate.core.switch_counts import BackendCount
from otagate.core.topology import Door


class Switch(Protocol):
    """The switch's run time; every call raises SwitchFault if it does not answer in time."""

    def entry(self) -> tuple[Colour, int]: ...

    def flip(self, came: Colour, to: Colour, epoch: int, *, held: bool) -> str:
        """Answers "" or why the switch would not; with `held` also where its hold has passed."""

    def hold(self, epoch: int) -> str:
        """New work waits, at most for the bound that the switch knows; answers "" or why it would not."""

    def release(self) -> float:
        """What waits goes where the map says; the longest wait since the hold began, in seconds."""

    def restore(self, colour: Colour, epoch: int) -> None: ...

    def counts(self) -> Mapping[str, BackendCount]: ...

    def open_sessions(self) -> tuple[OpenSession, ...]: ...

    def arm_shadow(self, door: str, seconds: float, most: int) -> None:
        """Copy safe requests, at most so many over the time."""

    def take_shadow(self, door: str) -> tuple[tuple[bytes, ...], int]:
        """The copies since the last time, and how many were dropped."""

    def cut(self, session: OpenSession) -> bool:
        """False if it had ended by itself."""

    def fronts(self) -> Mapping[str, FrontCount]: ...

    def pause(self, door: str) -> None: ...

    def resume(self, door: str) -> None: ...

    def shut(self, door: str) -> None: ...


class Switches(Protocol):
    """Production's switches by number: one serves, another may rehearse beside it or finish its sessions; `second`: of
    those at a pair's other doors."""

    def at_doors(self, number: int, *, second: bool = False) -> Switch: ...

    def rehearsing(self, number: int, *, second: bool = False) -> Switch: ...


class Services(Protocol):
    """The release's services, directly or through the front door."""

    def ask(self, door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        """Raises ProbeFault."""

    def call(self, url: str, deadline: float) -> bool:
        """POST a hook; False if nobody is there. Raises ProbeFault."""

    def tell(self, url: str, body: Mapping[str, Any], deadline: float) -> Any:
        """POST JSON to a hook that answers JSON; None if nobody is there. Raises ProbeFault."""

    def fetch(self, host: str, port: int, request: Request, deadline: float) -> Reply | None:
        """A safe request as a client sent it; None if there was no whole answer in time."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class RealSwitches:
    """Their sockets stand in `volume`."""

    volume: Path

    def at_doors(self, number: int, *, second: bool = False) -> HAProxy:
        return self._at(socket_path(number, second=second))

    def rehearsing(self, number: int, *, second: bool = False) -> HAProxy:
        return self._at(rehearsal_path(number, second=second))

    def _at(self, path: str) -> HAProxy:
        return HAProxy(str(self.volume / Path(path).relative_to(RUN_FOLDER)))


class RealServices:
    def ask(self, door: Door, host: str, port: int, deadline: float, *, tls: bool) -> Answer:
        return probe.ask(door, host, port, deadline, tls=tls)

    def call(self, url: str, deadline: float) -> bool:
        return probe.call(url, deadline)

    def tell(self, url: str, body: Mapping[str, Any], deadline: float) -> Any:
        return probe.tell(url, body, deadline)

    def fetch(self, host: str, port: int, request: Request, deadline: float) -> Reply | None:
        return probe.fetch(host, port, request, deadline)


class RealClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
