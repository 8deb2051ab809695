"""Building images on the engine: the one place that asks for a build, follows it and believes its end."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

import docker
import requests
from docker.errors import ImageNotFound

from otagate.core.errors import EngineFault

SILENCE = 600  # seconds a build may say nothing: installing large packages is quiet work
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_LAST_WORDS = 20

Say = Callable[[str], None]


def image_id(client: docker.DockerClient, reference: str) -> str:
    """The image's ID; empty if the engine has none of that name."""
    try:
        return str(client.images.get(reference).id or "")
    except ImageNotFound:
        return ""


def build_image(
    client: docker.DockerClient,
    tag: str,
    context: IO[bytes],
    *,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    say: Say,
) -> str:
    """The ID of the image made from `context` (a tar); `say` hears the build line by line.

    Raises EngineFault with the end of the build's own words.
    """
    proxies = {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}
    stream: Iterator[Mapping[str, Any]] = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=tag,
        buildargs={**proxies, **arguments},
        labels=dict(labels),
        rm=True,
        forcerm=True,
        decode=True,
        timeout=SILENCE,
    )
    follow_build(stream, tag, say)
    identity = image_id(client, tag)
    if not identity:
        raise EngineFault(f"{tag} was built and is not there", code="build", hint="otagate doctor")
    return identity


def follow_build(stream: Iterator[Mapping[str, Any]], tag: str, say: Say) -> None:
    """Hear a build's stream to its end; EngineFault if it ends in an error or falls silent."""
    said: deque[str] = deque(maxlen=_LAST_WORDS)
    try:
        for event in stream:
            text = str(event.get("stream") or event.get("status") or "").rstrip()
            if text:
                said.append(text)
                say(text)
            if "error" in event:
                raise EngineFault(
                    f"{tag} could not be built: {event['error']}\n" + "\n".join(f"    {old}" for old in said),
                    code="build",
                    hint="mend what its last lines say, then the same again; otagate doctor looks at the engine",
                )
    except requests.RequestException as error:
        raise EngineFault(
            f"{tag}: the build said nothing for {SILENCE} s, or the engine went away: {error}",
            code="build",
            hint="otagate doctor",
        ) from error
