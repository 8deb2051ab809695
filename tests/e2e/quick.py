"""A platform whose gate and promotion take seconds: hello's services with a suite of three cases and a short watch."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from otagate.core.cloud import LABEL_PLATFORM
from tests.e2e.live import Live

FILES = Path(__file__).with_name("platforms") / "quick"


def quick(root: Path, name: str = "") -> Live:
    """Its files below `root`, with a home of its own; nothing is raised."""
    name = name or f"t-quick-{secrets.token_hex(3)}"
    live = Live(name, root / name, {"OTAGATE_HOME": str(root / "home"), "OTAGATE_RESERVED_NAMES": "1"})
    live.otagate("init", str(live.folder), "--like", "hello")
    shutil.rmtree(live.folder / "suites")
    shutil.copytree(FILES, live.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    live.edit("otagate.yaml", "platform: quick", f"platform: {name}")
    live.edit("compose.yaml", "interval: 2s", "interval: 500ms")
    return live


@contextmanager
def raised(root: Path, watch: str = "2s") -> Iterator[Live]:
    """In production with its first release, and gone at the end whatever happened; `watch` is how long a release is
    watched."""
    live = quick(root)
    try:
        live.edit("otagate.yaml", "lasts: 2s", f"lasts: {watch}")
        live.otagate("up", "--by", "tests")
        yield live
    finally:
        remove(live.name)


def remove(name: str) -> None:
    """By label, through the engine alone: also when otagate itself is what broke."""
    client = docker.from_env()
    mine: dict[str, str | list[str] | bool] = {"label": f"{LABEL_PLATFORM}={name}"}
    for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=mine):
        network.remove()
    for volume in client.volumes.list(filters=mine):
        volume.remove(force=True)
    client.close()
