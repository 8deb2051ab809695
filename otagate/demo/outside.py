"""What a story plays of the world outside: a system that production finds by its name and that is no part of it."""

import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import docker
from docker.errors import DockerException

from otagate.core.cloud import LABEL_PLATFORM, Colour
from otagate.core.errors import EngineFault


@dataclass(frozen=True)
class Outside:
    """`name` is what production calls it; `files` maps places in it to files of the platform's folder; `port` is where
    it tells, over HTTP, what came."""

    name: str
    image: str
    port: int
    files: Mapping[str, str] = field(default_factory=dict)


def raise_outside(platform: str, folder: Path, all_: Iterable[Outside]) -> dict[str, str]:
    """Start each on both colours' networks; host:port of each one's HTTP side by its name.

    They bear the platform's label, so that they go when it goes. Raises EngineFault.
    """
    try:
        client = docker.from_env(timeout=60)
        try:
            return {one.name: _raised(client, platform, folder, one) for one in all_}
        finally:
            client.close()
    except DockerException as error:
        raise EngineFault(f"what stands outside production cannot be started: {error}", hint="make images") from error


def _raised(client: docker.DockerClient, platform: str, folder: Path, one: Outside) -> str:
    container = client.containers.create(
        one.image,
        name=f"{platform}-outside-{one.name}",
        labels={LABEL_PLATFORM: platform},
        network=f"{platform}-{Colour.BLUE}",
        ports={f"{one.port}/tcp": ("127.0.0.1", 0)},
    )
    container.put_archive("/", packed({to: (folder / path).read_bytes() for to, path in one.files.items()}))
    for colour in Colour:
        network = client.networks.get(f"{platform}-{colour}")
        if colour is Colour.BLUE:
            network.disconnect(container)
        network.connect(container, aliases=[one.name])
    container.start()
    container.reload()
    published = container.ports.get(f"{one.port}/tcp")
    if not published:
        raise EngineFault(f"{one.name} is not reachable: {container.status}", hint=f"docker logs {container.name}")
    return f"{published[0]['HostIp']}:{published[0]['HostPort']}"


def packed(files: Mapping[str, bytes]) -> bytes:
    """As a tar archive, readable by any user."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, BytesIO(content))
    return out.getvalue()
