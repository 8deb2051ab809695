"""The images of switch, holder and steward, made where they are missing; the steward's from the otagate that runs.

An image is found again by its tag, which is the digest of all it was made from: files and the image it starts from.
"""

import ast
import io
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

import otagate
from otagate.adapters.engine.build import build_image, image_id
from otagate.core.canonical import digest_of, digest_of_bytes
from otagate.core.errors import EngineFault
from otagate.ports import EdgeImages

BASE, PYTHON = "otagate/base:13", "otagate/python:13"
LABEL_SOURCE = "otagate.source"
_PYTHON_DOCKERFILE = f"""\
FROM {BASE}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends python3 python3-venv \\
 && rm -rf /var/lib/apt/lists/* /var/log/*
"""


def edge_images(client: docker.DockerClient) -> EdgeImages:
    """Digests of the images, built first where missing. Raises EngineFault with the end of the build's own words."""
    try:
        base = image_id(client, BASE)
        if not base:
            raise EngineFault(f"the engine has no {BASE}", code="no-base-image", hint="make setup makes it")
        python = image_id(client, PYTHON) or _made(client, PYTHON, {"Dockerfile": _PYTHON_DOCKERFILE.encode()}, {})
        source = source_digest()
        return EdgeImages(
            switch=_ensured(client, "otagate/switch", _files("switch"), base, {}),
            holder=_ensured(client, "otagate/holder", _files("holder"), python, {}),
            steward=_ensured(client, "otagate/steward", steward_files(), python, {"SOURCE": source}),
            source=source,
        )
    except (DockerException, requests.RequestException) as error:
        raise EngineFault(f"the engine could not make the edge's images: {error}", hint="otagate doctor") from error


def source_digest() -> str:
    """Names the otagate that runs by all that a steward is made from."""
    return digest_of({name: digest_of_bytes(content) for name, content in steward_files().items()})


@cache
def steward_files() -> Mapping[str, bytes]:
    """The build context of the steward: path → content, from a checkout or an installed wheel alike. Read once: what
    a command began with is what it names."""
    package = Path(otagate.__file__).parent
    own = {name: content for name, content in _files("steward").items() if name != "requirements.in"}
    runs = {f"otagate/{path.relative_to(package)}": path.read_bytes() for path in _runs(package)}
    return dict(sorted({**own, **runs}.items()))


def _runs(package: Path) -> set[Path]:
    """The steward's own modules and all of ours that they import: another part's change leaves the steward alone."""
    found: set[Path] = set()
    following = list((package / "steward").glob("*.py"))
    while following:
        path = following.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        following += [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(package)]
        for module, names in _imports(path):
            base = package.joinpath(*module.split(".")[1:])
            following += [base.with_suffix(".py"), *(base / f"{name}.py" for name in names)]
    return found


def _imports(path: Path) -> Iterator[tuple[str, list[str]]]:
    """What a file imports from ours, at its head or within: module and names. Expressions, which are most of a file and
    hold no import, are passed by: each command asks this of all of the steward's files."""
    nodes: list[ast.AST] = [ast.parse(path.read_bytes())]
    for node in nodes:
        nodes += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "otagate":
            yield node.module, [alias.name for alias in node.names]


def _files(image: str) -> dict[str, bytes]:
    """What lies in its folder; not the bytecode that an installer puts beside it."""
    folder = Path(otagate.__file__).parent / "images" / image
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _ensured(
    client: docker.DockerClient, name: str, files: Mapping[str, bytes], parent: str, arguments: Mapping[str, str]
) -> str:
    inputs = digest_of({"files": {n: digest_of_bytes(c) for n, c in files.items()}, "from": parent, **arguments})
    tag = f"{name}:{inputs.removeprefix('sha256:')[:12]}"
    return image_id(client, tag) or _made(client, tag, files, arguments)


def _made(client: docker.DockerClient, tag: str, files: Mapping[str, bytes], arguments: Mapping[str, str]) -> str:
    labels = {LABEL_SOURCE: arguments["SOURCE"]} if "SOURCE" in arguments else {}
    return build_image(client, tag, _packed(files), arguments=arguments, labels=labels, say=lambda _: None)


def _packed(files: Mapping[str, bytes]) -> io.BytesIO:
    """A tar without owners and times, so that the engine's own cache sees equal files as equal."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed
