"""Can this machine do it? Python, Ansible, the engine, its images, disk: each looked at, nothing changed."""

import shutil
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from otagate.adapters.images import BASE
from otagate.core.diagnosis import Check

_DEADLINE = 10
_OLDEST_API = (1, 41)
_FREE_GIB = 5.0


def look_at_machine(home: Path, images: tuple[str, ...]) -> Iterator[Check]:
    """Every check of the machine itself; `images` are those the platform names; what the
    edge is made from is looked at too."""
    yield _python()
    yield _ansible()
    yield _home(home)
    try:
        client = docker.from_env(timeout=_DEADLINE)
        version = client.version()
    except (DockerException, RequestException, OSError) as error:
        yield Check(
            "engine",
            well=False,
            found=f"no engine answers ({type(error).__name__})",
            remedy="start Docker, set DOCKER_HOST, or in a checkout: make setup",
        )
        return
    yield _engine(version)
    yield _clock(client)
    yield _disk(client)
    for image in (BASE, *images):
        yield _image(client, image)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _ansible() -> Check:
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    return Check("ansible-playbook", bool(found), found or "missing", "pip install 'ansible>=12,<15' beside otagate")


def _home(home: Path) -> Check:
    probe = home / ".doctor"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return Check("home", False, f"{home}: {error.strerror}", "set OTAGATE_HOME to a folder that can be written")
    free = shutil.disk_usage(home).free / 2**30
    return Check("home", free >= 1.0, f"{home}, {free:.0f} GiB free", "free some space, or set OTAGATE_HOME elsewhere")


def _engine(version: dict[str, str]) -> Check:
    api = tuple(int(part) for part in version["ApiVersion"].split("."))
    found = f"{version['Version']}, API {version['ApiVersion']}"
    return Check("engine", api >= _OLDEST_API, found, "upgrade Docker to 20.10 or newer")


def _clock(client: docker.DockerClient) -> Check:
    told = client.info()["SystemTime"]
    ahead = datetime.fromisoformat(f"{told[:19]}+00:00").timestamp() - time.time()
    return Check("engine's clock", abs(ahead) <= 2.0, f"{ahead:+.1f} s from ours", "set both clocks by NTP")


def _disk(client: docker.DockerClient) -> Check:
    root = Path(client.info()["DockerRootDir"])
    if not root.exists():
        return Check("engine's disk", True, "not on this machine: not looked at")
    free = shutil.disk_usage(root).free / 2**30
    return Check("engine's disk", free >= _FREE_GIB, f"{free:.0f} GiB free", "docker image prune, or a larger disk")


def _image(client: docker.DockerClient, image: str) -> Check:
    try:
        found = client.images.get(image)
    except ImageNotFound:
        return Check(f"image {image}", False, "missing", "build or pull it; in a checkout: make setup")
    return Check(f"image {image}", True, str(found.id).removeprefix("sha256:")[:12])
