"""All images and data of the shipped platforms: `python -m scripts.images`. What is there already is used again."""

import os
import sys
from pathlib import Path

import docker
from docker.errors import DockerException

from otagate.adapters.images import edge_images
from otagate.core.errors import ConfigError, EngineFault, OtagateError
from scripts.base_image import ensure_base
from scripts.builds import Recipe, ensure_image
from scripts.data import ensure_data
from scripts.platforms import declarations
from scripts.progress import Line

ROOT = Path(__file__).resolve().parent.parent
BASE = os.environ.get("OTAGATE_BASE_IMAGE", "debian:13-slim")


def main() -> int:
    """Exit status: 0 if everything stands, else that of the error, which is said with its remedy."""
    try:
        set_up(ROOT)
    except ConfigError as error:
        _say(error)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        return error.exit
    except OtagateError as error:
        _say(error)
        return error.exit
    except KeyboardInterrupt:
        print("interrupted; next: make setup goes on where this ended", file=sys.stderr)
        return 130
    return 0


def set_up(root: Path) -> None:
    """Data, base images, the platforms' images, the switch and its steward. Raises OtagateError."""
    platforms = declarations(root / "environments")
    downloads = root / ".cache" / "packages"
    made = [ensure_data(data, downloads) for platform in platforms for data in platform.data]
    recipes = [Recipe("otagate/python:13", root / "scripts" / "python-image")]
    recipes += [recipe for platform in platforms for recipe in platform.images]
    try:
        client = docker.from_env(timeout=60)
        made.append(ensure_base(client, BASE))
        made += [ensure_image(client, recipe) for recipe in recipes]
        made.append(ensure_edge(client))
    except DockerException as error:
        raise EngineFault(f"the engine failed: {error}", hint="scripts/engine.sh, then: make setup") from error
    print(f"Images and data: {len(made)}, of which {sum(made)} made now", file=sys.stderr)


def ensure_edge(client: docker.DockerClient) -> bool:
    """Switch and steward, as the commands themselves would make them at first need; true if either was made now."""
    with Line("switch and steward") as line:
        line.doing("building")
        before = {image.id for image in client.images.list()}
        edge = edge_images(client)
        if {edge.switch, edge.steward} <= before:
            line.unchanged()
            return False
        line.done("built")
        return True


def _say(error: OtagateError) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  next: {error.hint}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
