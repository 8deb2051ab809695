"""Builds one image from a folder, or finds that the one that is there came from the very same inputs."""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from docker.utils.build import exclude_paths

from otagate.adapters.engine.build import build_image, image_id
from otagate.core.errors import EngineFault
from scripts.progress import Line

LABEL_INPUTS = "otagate.inputs"  # digest of all an image was made from: equal means that it need not be made again
# Names of images; `FROM ${ARG}` is none that could be known here, and a stage's name no image bears.
_FROM = re.compile(r"^\s*FROM\s+(?:--platform=\S+\s+)?([\w./:@-]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """One image to make: its tag, the folder it is made from, build arguments and labels."""

    tag: str
    context: Path
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def context_files(context: Path) -> list[Path]:
    """The files that belong to the build, relative and sorted; `.dockerignore` is respected."""
    ignore = context / ".dockerignore"
    patterns = [line.strip() for line in ignore.read_text().splitlines()] if ignore.is_file() else []
    kept = exclude_paths(str(context), [line for line in patterns if line and not line.startswith("#")])
    return sorted(Path(name) for name in kept if not (context / name).is_dir() or (context / name).is_symlink())


def inputs_digest(recipe: Recipe, parents: Mapping[str, str]) -> str:
    """Digest of what the image depends on: files with modes, arguments, IDs of the images it starts from."""
    total = hashlib.sha256()
    facts = {"args": dict(recipe.args), "labels": dict(recipe.labels), "parents": dict(parents)}
    total.update(json.dumps(facts, sort_keys=True).encode())
    for name in context_files(recipe.context):
        path = recipe.context / name
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        mode = path.lstat().st_mode & 0o777
        total.update(f"{name}\0{mode:o}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def context_archive(context: Path) -> io.BytesIO:
    """The build context as a tar without owners and times, so that the engine's own cache sees equal files as equal."""
    packed = io.BytesIO()

    def neutral(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = 0
        return entry

    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in context_files(context):
            archive.add(context / name, arcname=str(name), recursive=False, filter=neutral)
    packed.seek(0)
    return packed


def ensure_image(client: docker.DockerClient, recipe: Recipe) -> bool:
    """Makes the image unless it stands there made from the same inputs; true if it was made.

    Raises EngineFault with the end of the build's own words.
    """
    with Line(recipe.tag) as line:
        digest = inputs_digest(recipe, parents_of(client, recipe.context))
        if label_of(client, recipe.tag, LABEL_INPUTS) == digest:
            line.unchanged()
            return False
        labels = {**recipe.labels, LABEL_INPUTS: digest}
        context = context_archive(recipe.context)
        build_image(client, recipe.tag, context, arguments=recipe.args, labels=labels, say=line.doing)
        line.done("built")
        return True


def parents_of(client: docker.DockerClient, context: Path) -> dict[str, str]:
    """Image reference → ID of each FROM line that names an image which is there."""
    dockerfile = context / "Dockerfile"
    if not dockerfile.is_file():
        raise EngineFault(f"there is no {dockerfile}", code="build", hint="the context must hold a Dockerfile")
    found = {}
    for reference in _FROM.findall(dockerfile.read_text()):
        identity = image_id(client, reference)
        if identity:
            found[reference] = identity
    return found


def label_of(client: docker.DockerClient, reference: str, label: str) -> str:
    """The image's label, empty if there is none or no such image."""
    try:
        return str(client.images.get(reference).labels.get(label, ""))
    except ImageNotFound:
        return ""
