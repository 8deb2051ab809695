"""Stages of tiny containers on the real engine, under a platform name that no other test has."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker
import requests
from docker.errors import APIError

from otagate.adapters.ansible.provisioner import LOCAL_ENGINE
from otagate.adapters.ansible.specification import specification
from otagate.core.canonical import digest_of, plain
from otagate.core.cloud import (
    LABEL_BINDING,
    LABEL_CLOUD,
    LABEL_COLOUR,
    LABEL_PLATFORM,
    LABEL_SERVICE,
    LABEL_SPEC,
    LABEL_TIER,
    Binding,
    Cloud,
)
from otagate.core.container import Attachment, Container, Network, Stage, Volume
from otagate.core.platform import Healthcheck
from otagate.ports import Progress
from playbooks.action_plugins.otagate_stage import Raising, look

BASE = "otagate/base:13"
ENGINE = os.environ.get("DOCKER_HOST") or LOCAL_ENGINE
AT_ONCE = Healthcheck(("CMD", "true"), 0.5, 2.0, 3, 0.0)
SLOWLY = Healthcheck(("CMD-SHELL", "sleep 1"), 0.5, 3.0, 10, 0.0)
NEVER = Healthcheck(("CMD-SHELL", "echo not today; false"), 0.5, 2.0, 1000, 0.0)


@dataclass
class Scene:
    """One platform's name, and stages that fit it. `told` keeps the progress."""

    platform: str
    image: str
    told: list[Progress] = field(default_factory=list)

    def labels(self, service: str = "", binding: Binding = Binding.PRODUCTION, tier: str = "") -> dict[str, str]:
        labels = {LABEL_PLATFORM: self.platform, LABEL_CLOUD: Cloud.BLUE.value, LABEL_BINDING: binding.value}
        labels |= {LABEL_SERVICE: service} if service else {}
        return labels | ({LABEL_TIER: tier, LABEL_COLOUR: "blue"} if tier else {})

    def name(self, service: str, binding: Binding = Binding.PRODUCTION) -> str:
        side = f"-{binding}" if binding.is_mirror else ""
        return f"{self.platform}-blue{side}-{service}"

    def network(self, binding: Binding = Binding.PRODUCTION) -> str:
        return f"{self.platform}-blue" + (f"-{binding}" if binding.is_mirror else "")

    def container(
        self, service: str, *, binding: Binding = Binding.PRODUCTION, tier: str = "", **wanted: Any
    ) -> Container:
        content: dict[str, Any] = {
            "name": self.name(service, binding),
            "image": self.image,
            "networks": (Attachment(self.network(binding), (service,)),),
            "labels": {},
            "command": ("sleep", "infinity"),
            "stop_grace": 0.0,
            **wanted,
        }
        spec = digest_of(plain(Container(**content)))
        return Container(**{**content, "labels": {**self.labels(service, binding, tier), LABEL_SPEC: spec}})

    def stage(self, *containers: Container, binding: Binding = Binding.PRODUCTION, **wanted: Any) -> Stage:
        content: dict[str, Any] = {
            "name": "trial",
            "cloud": Cloud.BLUE,
            "cause": "a test",
            "networks": (Network(self.network(binding), binding.is_mirror, self.labels(binding=binding)),),
            "volumes": (),
            "containers": containers,
            "replace": True,
            "once": False,
            "deadline": 30.0,
            **wanted,
        }
        return Stage(**content)

    def volume(self, name: str, binding: Binding = Binding.PRODUCTION) -> Volume:
        return Volume(f"{self.platform}-{name}", self.labels(binding=binding))

    def tell(self, progress: Progress) -> None:
        self.told.append(progress)


def freely() -> None:
    """Whatever is to be removed may be."""


def raise_stage(client: docker.DockerClient, platform: str, stage: Stage, *, check: bool = False) -> tuple[str, ...]:
    """By the action plugin alone, in a tenth of the time that Ansible takes. StageFault as it raises it."""
    wanted = json.loads(specification(platform, ENGINE, stage))
    looked = look(client.api, wanted)
    if not check:
        for network in looked["networks"]:
            client.api.create_network(network["name"], internal=network["internal"], labels=network["labels"])
        for volume in looked["volumes"]:
            client.api.create_volume(volume["name"], labels=volume["labels"])
    raised = Raising(client.api, wanted, looked["until"], check).run()
    made = [entry["name"] for entry in (*looked["networks"], *looked["volumes"])]
    return (*made, *raised["changed_names"])


def twins(client: docker.DockerClient, stage: Scene) -> bool:
    """Two networks of one name; False if the engine is a newer one and refuses the second."""
    client.api.create_network(stage.network(), labels=stage.labels(), check_duplicate=False)
    try:
        client.api.create_network(stage.network(), labels=stage.labels(), check_duplicate=False)
    except APIError as refused:
        if refused.status_code != requests.codes.conflict:
            raise
        return False
    return True


@contextmanager
def scene(client: docker.DockerClient) -> Iterator[Scene]:
    """A scene; whatever bears its platform's label is gone afterwards."""
    image = client.images.get(BASE)
    stage = Scene(f"t-prov-{secrets.token_hex(4)}", str(image.id))
    try:
        yield stage
    finally:
        of_it: dict[str, str | list[str] | bool] = {"label": f"{LABEL_PLATFORM}={stage.platform}"}
        for container in client.containers.list(all=True, filters=of_it, ignore_removed=True):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters=of_it):
            network.remove()
        for volume in client.volumes.list(filters=of_it):
            volume.remove()
