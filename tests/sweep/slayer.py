"""Killing a process inside a container past its engine, so that the engine takes it for a death and starts it again.

A container that sees its machine's processes does it, so that only the engine's rights are needed, and no root here.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import docker

from otagate.adapters.images import edge_images
from otagate.core.cloud import LABEL_PLATFORM

_CODE = "import os, sys; print('ready', flush=True); os.kill(int(sys.stdin.readline()), 9); print('killed', flush=True)"


class Slayer:
    """Stands beside `platform`; gone at the end."""

    def __init__(self, client: docker.DockerClient, platform: str) -> None:
        self._client = client
        self._name = f"{platform}-slayer"

    def __enter__(self) -> "Slayer":
        self._container = self._client.containers.run(
            edge_images(self._client).steward,
            name=self._name,
            entrypoint=["sleep", "infinity"],
            command=[],
            user="0:0",
            pid_mode="host",
            network_mode="none",
            cap_drop=["ALL"],
            cap_add=["KILL"],
            labels={LABEL_PLATFORM: self._name},
            stop_signal="SIGKILL",
            detach=True,
        )
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._container.remove(force=True, v=True)

    @contextmanager
    def ready(self, pid: int) -> Iterator[Callable[[], None]]:
        """What is yielded sends SIGKILL to `pid` within milliseconds."""
        made = self._client.api.exec_create(str(self._container.id), ["python", "-c", _CODE], stdin=True)
        stream: Any = self._client.api.exec_start(made["Id"], socket=True)
        line: socket.socket = stream._sock  # what it reads by itself it would not let us write
        line.settimeout(20)
        try:
            _await(line, b"ready")

            def slay() -> None:
                line.sendall(f"{pid}\n".encode())
                _await(line, b"killed")

            yield slay
        finally:
            stream._response.close()  # before the stream, or it complains when it is collected
            stream.close()
            line.close()


def _await(line: socket.socket, word: bytes) -> None:
    """The stream is framed; the word stands in one piece in it."""
    until, heard = time.monotonic() + 20, b""
    while word not in heard:
        part = line.recv(4096)
        assert part, f"the slayer ended after {heard!r}"
        assert time.monotonic() < until, f"the slayer said {heard!r}"
        heard += part
