"""The platform's containers as their engines report them."""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import docker
import requests
from docker.errors import NotFound

from otagate.adapters.engine.connection import Engines, asking
from otagate.adapters.engine.fields import fields_of, fields_of_image
from otagate.core.cloud import LABEL_BINDING, LABEL_CLOUD, LABEL_COLOUR, LABEL_PLATFORM, LABEL_SERVICE, Binding
from otagate.core.mirror import LABEL_FILES, PRESENT, ObservedCloud, ObservedContainer, file_fact

_MOMENT = re.compile(r"([^.Z]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")
SUITE = "suite"  # the service label of suite containers: otagate's own, no part of a mirror


def observe(engines: Engines, platform: str, bindings: Sequence[Binding]) -> tuple[ObservedCloud, ...]:
    """Every cloud, with the platform's containers of these bindings. EngineFault if an engine does not answer."""
    found = {}
    for url, clouds in engines.clouds().items():
        with asking(url):
            client = engines.client(url)
            facts = facts_of(client)
            containers = [c for c in _containers(client, platform, facts) if c.binding in bindings]
        for cloud in clouds:
            inside = tuple(c for c in containers if c.cloud == cloud)
            found[cloud] = ObservedCloud(cloud.value, facts, inside)
    return tuple(found[cloud] for cloud in sorted(found))


def facts_of(client: docker.DockerClient) -> dict[str, str]:
    version, info = client.version(), client.info()
    return {
        "engine.version": version["Version"],
        "engine.kernel": version["KernelVersion"],
        "engine.architecture": version["Arch"],
        "engine.storage": info["Driver"],
        "engine.cgroup": f"{info.get('CgroupDriver', '')} {info.get('CgroupVersion', '')}".strip(),
    }


def seconds(moment: str) -> float:
    """An engine's timestamp (RFC 3339, nanoseconds) as seconds since the epoch; 0 for its "never"."""
    parts = _MOMENT.fullmatch(moment)
    if parts is None or moment.startswith("0001-"):
        return 0.0
    whole, fraction, zone = parts.groups()
    return datetime.fromisoformat(whole + zone).timestamp() + float(f"0.{fraction or 0}")


def _containers(client: docker.DockerClient, platform: str, facts: Mapping[str, str]) -> Iterator[ObservedContainer]:
    internal = {network["Name"]: bool(network["Internal"]) for network in client.api.networks()}
    images: dict[str, Mapping[str, str]] = {}
    listed = client.api.containers(all=True, filters={"label": f"{LABEL_PLATFORM}={platform}"})
    for entry in sorted(listed, key=lambda c: c["Names"]):
        labels = entry["Labels"]
        if labels.get(LABEL_SERVICE) == SUITE:
            continue
        try:
            seen = client.api.inspect_container(entry["Id"])
            files = _files(client, seen, labels)
        except NotFound:
            continue  # gone since the list was made
        image = seen["Image"]
        if image not in images:
            images[image] = _image_fields(client, image)
        yield _observed(seen, labels, {**fields_of(seen, internal), **files, **facts}, images[image])


def _image_fields(client: docker.DockerClient, image: str) -> Mapping[str, str]:
    try:
        return fields_of_image(client.api.inspect_image(image)["Config"] or {})  # type: ignore[no-untyped-call]
    except NotFound:
        return {}  # removed by force while a container runs from it


def _observed(
    seen: Mapping[str, Any], labels: Mapping[str, str], fields: Mapping[str, str], from_image: Mapping[str, str]
) -> ObservedContainer:
    state = seen["State"]
    networks = seen["NetworkSettings"].get("Networks") or {}
    return ObservedContainer(
        name=seen["Name"].lstrip("/"),
        id=seen["Id"],
        service=labels.get(LABEL_SERVICE, ""),
        cloud=labels.get(LABEL_CLOUD, ""),
        colour=labels.get(LABEL_COLOUR, ""),
        binding=labels.get(LABEL_BINDING, Binding.PRODUCTION.value),
        image=seen["Image"],
        running=state["Status"] == "running",
        health=(state.get("Health") or {}).get("Status", "none"),
        started_at=seconds(state["StartedAt"]),
        restarts=seen["RestartCount"],
        addresses={name: e["IPAddress"] for name, e in networks.items() if e.get("IPAddress")},
        fields=fields,
        from_image=from_image,
        labels=labels,
    )


def _files(client: docker.DockerClient, seen: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """Configuration files by content and mode, secrets by their presence alone."""
    found = {}
    for path, kind in json.loads(labels.get(LABEL_FILES, "{}")).items():
        fact = _present(client, seen["Id"], path) if kind == "secret" else _content(client, seen["Id"], path)
        if fact:
            found[f"{'secret' if kind == 'secret' else 'file'}.{path}"] = fact
    return found


def _present(client: docker.DockerClient, container: str, path: str) -> str:
    api = client.api
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    answer = api.head(url, params={"path": path}, timeout=api.timeout)
    if answer.status_code == requests.codes.not_found:
        return ""
    answer.raise_for_status()
    return PRESENT


def _content(client: docker.DockerClient, container: str, path: str) -> str:
    try:
        stream, _ = client.api.get_archive(container, path)
    except NotFound:
        return ""
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        member = tar.next()
        content = tar.extractfile(member) if member is not None and member.isreg() else None
        if member is None or content is None:
            return "not a file"
        return file_fact(content.read(), member.mode & 0o7777)  # the engine adds the kind of file to the mode
