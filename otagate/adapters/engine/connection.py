"""One client per engine, a time limit on every call, and faults in otagate's words."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from otagate.core.cloud import Cloud
from otagate.core.errors import EngineFault

LOCAL_ENGINE = "unix:///var/run/docker.sock"


class Engines:
    """`urls` maps cloud to engine URL; a cloud without one has the environment's engine, or the local one."""

    def __init__(self, urls: Mapping[str, str], timeout: float) -> None:
        self._urls = urls
        self.timeout = timeout
        self._clients: dict[str, docker.DockerClient] = {}

    def url(self, cloud: Cloud) -> str:
        return self._urls.get(cloud) or os.environ.get("DOCKER_HOST") or LOCAL_ENGINE

    def clouds(self) -> dict[str, tuple[Cloud, ...]]:
        """Engine URL → the clouds it carries."""
        found: dict[str, tuple[Cloud, ...]] = {}
        for cloud in Cloud:
            found[self.url(cloud)] = (*found.get(self.url(cloud), ()), cloud)
        return found

    def client(self, url: str) -> docker.DockerClient:
        """The kept client of an engine. EngineFault if it does not answer."""
        if url not in self._clients:
            self._clients[url] = self.fresh(url)
        return self._clients[url]

    def fresh(self, url: str) -> docker.DockerClient:
        """A client of its own, for a thread. EngineFault if the engine does not answer."""
        settings = dict(os.environ) if url.startswith("tcp://") else {}  # TLS settings concern TCP alone
        settings["DOCKER_HOST"] = url
        with asking(url):
            _knock(url, self.timeout)
            return docker.from_env(
                timeout=self.timeout,  # type: ignore[arg-type]  # a fraction of a second is as good
                environment=settings,
                use_ssh_client=url.startswith("ssh://"),
            )

    def all(self) -> Iterator[tuple[str, docker.DockerClient]]:
        for url in self.clouds():
            yield url, self.client(url)

    def find(self, name: str) -> tuple[str, docker.DockerClient, dict[str, Any]]:
        """The engine that has a container of that exact name, and what it says of it. EngineFault if none has."""
        for url, client in self.all():
            with asking(url):
                try:
                    return url, client, client.api.inspect_container(name)
                except NotFound:
                    continue
        raise EngineFault(f"there is no container {name}", code="no-container", hint="otagate status")

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _knock(url: str, timeout: float) -> None:
    """OSError at once if nobody listens at a local socket; the library would leave a socket of its own open."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(timeout)
            door.connect(url.removeprefix("unix://"))


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Whatever the engine at `url` answers badly, or not at all, becomes an EngineFault."""
    try:
        yield
    except APIError as fault:
        raise EngineFault(f"the engine refused: {fault.explanation or fault}", hint="otagate doctor") from fault
    except (DockerException, requests.RequestException, OSError) as fault:
        raise EngineFault(
            f"the engine at {url} does not answer: {fault}", code="engine-silent", hint="otagate doctor"
        ) from fault
