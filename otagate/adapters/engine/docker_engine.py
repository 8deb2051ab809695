"""The Engine port over Docker's API."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import docker

from otagate.adapters.engine import addresses, lifecycle, observe, removal
from otagate.adapters.engine.connection import Engines, asking
from otagate.adapters.engine.crashes import EngineCrashWatch
from otagate.adapters.engine.resolve import resolve
from otagate.core.build import Build
from otagate.core.cloud import Binding, Cloud, Colour
from otagate.core.mirror import ObservedCloud
from otagate.core.places import switch_name
from otagate.ports import EdgeImages, May, Tell

TIMEOUT = 20.0  # seconds for one call


class DockerEngine:
    """`urls` maps cloud to engine URL; `edge` builds the images of switch and steward where they are missing.

    With `platform` given, only its containers may be restarted or killed.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        edge: Callable[[docker.DockerClient], EdgeImages],
        *,
        platform: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        self._engines = Engines(urls, timeout)
        self._edge = edge
        self._platform = platform

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engines.close()

    def client(self, cloud: Cloud) -> docker.DockerClient:
        """The client of a cloud's engine, for the adapters that speak to one container themselves."""
        return self._engines.client(self._engines.url(cloud))

    def resolve(self, service: str, reference: str) -> Build:
        url = self._engines.url(Cloud.SHARED)
        with asking(url):
            return resolve(self._engines.client(url), service, reference)

    def observe(self, platform: str, bindings: Sequence[Binding]) -> tuple[ObservedCloud, ...]:
        return observe.observe(self._engines, platform, bindings)

    def wait_healthy(self, names: Sequence[str], deadline: float, tell: Tell) -> None:
        lifecycle.wait_healthy(self._engines, names, deadline, tell)

    def log_tail(self, name: str, lines: int) -> str:
        return lifecycle.log_tail(self._engines, name, lines)

    def collect(self, name: str, lines: int) -> str:
        return lifecycle.collect(self._engines, self._platform, name, lines)

    def watch_crashes(self, platform: str, binding: Binding) -> EngineCrashWatch:
        return EngineCrashWatch(self._engines, platform, binding)

    def restart(self, name: str, deadline: float) -> None:
        lifecycle.restart(self._engines, self._platform, name, deadline)

    def kill(self, name: str, deadline: float) -> None:
        lifecycle.kill(self._engines, self._platform, name, deadline)

    def clock(self, cloud: Cloud) -> float:
        url = self._engines.url(cloud)
        with asking(url):
            return observe.seconds(self._engines.client(url).info()["SystemTime"])

    def free_port(self, host: str) -> int:
        return addresses.free_port(host)

    def port_taken(self, host: str, port: int) -> bool:
        return addresses.port_taken(self._engines, host, port)

    def published(self, platform: str, *, second: bool = False) -> Mapping[int, tuple[str, int]]:
        return addresses.published(self._engines, platform, second=second)

    def remove(
        self, platform: str, bindings: Sequence[Binding], *, state: bool, may: May, tell: Tell
    ) -> tuple[str, ...]:
        return removal.remove(self._engines, platform, bindings, state=state, may=may, tell=tell)

    def remove_colour(self, platform: str, colour: Colour, may: May, tell: Tell) -> tuple[str, ...]:
        return removal.remove_colour(self._engines, platform, colour, may, tell)

    def remove_switch(self, platform: str, number: int, tell: Tell, *, second: bool = False) -> tuple[str, ...]:
        return removal.remove_switch(self._engines, platform, switch_name(platform, number, second=second), tell)

    def images(self) -> EdgeImages:
        url = self._engines.url(Cloud.SHARED)
        with asking(url):
            return self._edge(self._engines.client(url))
