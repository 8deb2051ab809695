"""Takes away what demo and tests left in the engine, and caches: `python -m scripts.clean`. Never a user's platform.

Demo and tests name their platforms `demo-…` and `t-…`; every object bears its platform's name as a label.
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import docker
from docker.errors import DockerException, NotFound

from otagate.core.cloud import LABEL_PLATFORM

OURS = ("demo-", "t-")
ROOT = Path(__file__).resolve().parent.parent
CACHES = (".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", "dist")
TREES = ("otagate", "playbooks", "scripts", "tests", "environments")


def main() -> int:
    """Exit status 0 if nothing of demo and tests is left, 4 if the engine would not let go of something."""
    cleared = [name for name in CACHES if (ROOT / name).is_dir()]
    for name in cleared:
        shutil.rmtree(ROOT / name)
    for tree in TREES:
        for cache in (ROOT / tree).rglob("__pycache__"):
            shutil.rmtree(cache)
    try:
        removed, kept = remove_all(leftovers(docker.from_env(timeout=30)))
    except DockerException as error:
        print(f"caches removed; no engine answers, so nothing was looked for there: {error}", file=sys.stderr)
        return 0
    print(f"removed: {', '.join([*removed, *cleared]) or 'nothing was left'}")
    for what in kept:
        print(f"error: not removed: {what}", file=sys.stderr)
    return 4 if kept else 0


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether the object belongs to a platform of demo or tests. Without the label it is nobody's to remove."""
    return labels.get(LABEL_PLATFORM, "").startswith(OURS)


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
