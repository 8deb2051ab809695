"""A stage as the JSON that the playbook's action plugin reads. Holds secrets: written to files of mode 0600 only."""

import base64
import json
from dataclasses import asdict
from typing import Any

from otagate.core.cloud import LABEL_SERVICE
from otagate.core.container import Container, File, Stage
from otagate.core.mirror import LABEL_FILES


def specification(platform: str, engine: str, stage: Stage) -> bytes:
    """`engine` is the URL of the stage's cloud; durations in seconds."""
    networks = [{"name": n.name, "internal": n.internal, "labels": dict(n.labels)} for n in stage.networks]
    volumes = [{"name": v.name, "labels": dict(v.labels)} for v in stage.volumes]
    return json.dumps(
        {
            "platform": platform,
            "engine": engine,
            "name": stage.name,
            "replace": stage.replace,
            "deadline": stage.deadline,
            "once": stage.once,
            "anew": stage.anew,
            "networks": _once(networks),
            "volumes": _once(volumes),
            "containers": [_container(container) for container in stage.containers],
        }
    ).encode()


def subject(platform: str, container: Container) -> str:
    """What people call a container: its name without the platform's, or its service where that says nothing."""
    return container.name.removeprefix(f"{platform}-") or container.labels.get(LABEL_SERVICE, container.name)


def _once(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({entry["name"]: entry for entry in objects}.values())


def _container(container: Container) -> dict[str, Any]:
    labels = dict(container.labels)
    if container.files:
        labels[LABEL_FILES] = json.dumps({f.path: "secret" if f.secret else "config" for f in container.files})
    check = container.healthcheck
    return {
        "name": container.name,
        "image": container.image,
        "labels": labels,
        "networks": [{"network": a.network, "aliases": list(a.aliases)} for a in container.networks],
        "environment": dict(container.environment),
        "command": _list(container.command),
        "entrypoint": _list(container.entrypoint),
        "mounts": [asdict(mount) for mount in container.mounts],
        "files": [_file(file) for file in container.files],
        "ports": [asdict(port) for port in container.ports],
        "tmpfs": list(container.tmpfs),
        "read_only": container.read_only,
        "user": container.user,
        "cap_drop": list(container.cap_drop),
        "no_new_privileges": container.no_new_privileges,
        "memory": container.memory,
        "cpus": container.cpus,
        "restart": container.restart,
        "healthcheck": check and {**asdict(check), "test": list(check.test)},
        "stop_signal": container.stop_signal,
        "stop_grace": container.stop_grace,
        "after": list(container.after),
    }


def _file(file: File) -> dict[str, Any]:
    return {"path": file.path, "mode": file.mode, "content": base64.b64encode(file.content).decode()}


def _list(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)
