"""From a reference to the image that it means now."""

import threading
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import parse_repository_tag

from otagate.core.build import Build
from otagate.core.errors import UsageError

PULL = 20.0  # seconds; whoever has no registry must not wait long for the answer that there is none


def resolve(client: docker.DockerClient, service: str, reference: str, pull: float = PULL) -> Build:
    """The build that `reference` means on this engine, pulled once if it is missing. UsageError if it cannot be had."""
    image = _inspect(client, reference)
    if image is None:
        why = _pull(client, reference, pull)
        image = _inspect(client, reference)
        if image is None:
            raise UsageError(
                f"image {reference} for service {service} is not on the engine and cannot be pulled: {why}",
                code="no-image",
                hint="docker images shows what is there; build or load it, or give another reference",
            )
    return Build(service, reference, image["Id"], _registry_digest(image, reference))


def _inspect(client: docker.DockerClient, reference: str) -> dict[str, Any] | None:
    if not reference:
        raise UsageError("an image's reference is empty", code="no-image", hint="give one as SERVICE=IMAGE")
    try:
        return dict(client.api.inspect_image(reference))  # type: ignore[no-untyped-call]
    except ImageNotFound:
        return None
    except APIError as fault:
        if fault.is_client_error():  # a reference that is none
            raise UsageError(f"image {reference}: {fault.explanation}", code="no-image") from fault
        raise


def _registry_digest(image: dict[str, Any], reference: str) -> str:
    """The manifest digest under which the registry of that reference knows the image, if it does."""
    repository, _ = parse_repository_tag(reference)
    digests = dict(entry.rsplit("@", 1) for entry in image.get("RepoDigests") or ())
    return str(digests.get(repository, ""))


def _pull(client: docker.DockerClient, reference: str, deadline: float) -> str:
    """Try to pull within `deadline` seconds; answers why that failed, empty if it did not."""
    if reference.startswith("sha256:"):
        return "a digest names no registry"
    repository, tag = parse_repository_tag(reference)
    answer: list[str] = []

    def pull() -> None:
        try:
            for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                if "error" in line:
                    answer.append(str(line["error"]))
                    return
            answer.append("")
        except APIError as fault:
            answer.append(str(fault.explanation or fault))
        except (DockerException, OSError) as fault:
            answer.append(str(fault))

    thread = threading.Thread(target=pull, daemon=True)
    thread.start()
    thread.join(deadline)
    return answer[0] if answer else f"no answer within {deadline:g} s"
