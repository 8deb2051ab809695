"""Takes away what demo and tests left in the engine, and caches: `python -m scripts.clean`. Never a user's platform.

Demo and tests name their platforms `demo-…` and `t-…`; every object bears its platform's name as a label.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker
from docker.errors import DockerException, NotFound

from otagate.config.reserved import PREFIXES
from otagate.core.cloud import LABEL_PLATFORM

SOCKET = Path("/var/run/docker.sock")
ROOT = Path(__file__).resolve().parent.parent
CACHES = (".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", "dist")
TREES = ("otagate", "playbooks", "scripts", "tests", "environments")


def main() -> int:
    """Exit status 0 if nothing of demo and tests is left, 4 if the engine did not answer or would not let go."""
    cleared = clear_caches()
    if not engine_expected(os.environ, SOCKET):
        print(f"no engine is here, so nothing was there to clean; caches: {', '.join(cleared) or 'none were left'}")
        return 0
    try:
        removed, kept = remove_all(leftovers(docker.from_env(timeout=30)))
    except DockerException as error:
        where = os.environ.get("DOCKER_HOST") or SOCKET
        print(f"error: the engine at {where} does not answer; what is left there is unknown: {error}", file=sys.stderr)
        print("  next: start it (scripts/engine.sh) or mend DOCKER_HOST, then: make clean", file=sys.stderr)
        return 4
    print(f"removed: {', '.join([*removed, *cleared]) or 'nothing was left'}")
    for what in kept:
        print(f"error: not removed: {what}", file=sys.stderr)
    return 4 if kept else 0


def clear_caches() -> list[str]:
    """Remove the caches; the names of those that were there."""
    cleared = [name for name in CACHES if (ROOT / name).is_dir()]
    for name in cleared:
        shutil.rmtree(ROOT / name)
    for tree in TREES:
        for cache in (ROOT / tree).rglob("__pycache__"):
            shutil.rmtree(cache)
    return cleared


def engine_expected(environment: Mapping[str, str], socket: Path) -> bool:
    """Whether something may have been left in an engine: one is named, or has its socket here."""
    return bool(environment.get("DOCKER_HOST")) or socket.exists()


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether the object belongs to a platform of demo or tests. Without the label it is nobody's to remove."""
    return labels.get(LABEL_PLATFORM, "").startswith(PREFIXES)


@dataclass(frozen=True)
class Leftover:
    """An object of the engine that demo or tests made."""

    name: str
    remove: Callable[[], object]


def leftovers(client: docker.DockerClient) -> list[Leftover]:
    """In the order in which they can go: containers hold networks, volumes and images."""
    found = []
    for it in client.containers.list(all=True, filters={"label": LABEL_PLATFORM}, ignore_removed=True):
        if is_ours(it.labels):
            found.append(Leftover(f"container {it.name}", partial(it.remove, force=True, v=True)))
    for network in client.networks.list(filters={"label": LABEL_PLATFORM}):
        if is_ours((network.attrs or {}).get("Labels") or {}):
            found.append(Leftover(f"network {network.name}", network.remove))
    for volume in client.volumes.list(filters={"label": LABEL_PLATFORM}):
        if is_ours((volume.attrs or {}).get("Labels") or {}):
            found.append(Leftover(f"volume {volume.name}", volume.remove))
    for image in client.images.list(filters={"label": LABEL_PLATFORM}):
        if is_ours(image.labels):
            found.append(Leftover(f"image {image.short_id}", partial(client.images.remove, str(image.id), force=True)))
    return found


def remove_all(found: Iterable[Leftover]) -> tuple[list[str], list[str]]:
    """Names of what was removed, and of what could not be, with the reason."""
    removed, kept = [], []
    for it in found:
        try:
            it.remove()
        except NotFound:
            continue  # gone meanwhile
        except DockerException as error:
            kept.append(f"{it.name}: {error}")
        else:
            removed.append(it.name)
    return removed, kept


if __name__ == "__main__":
    sys.exit(main())
