"""Labels of what we create: whose it is, and the digest of how it was made. Pure."""

from dataclasses import replace

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
    Colour,
)
from otagate.core.container import Container
from otagate.core.platform import Tier


def specified(container: Container) -> Container:
    """With the digest under `otagate.spec` of everything but its labels, and but what it starts after: that is no
    property of a container that stands."""
    content = plain(replace(container, labels={}, after=()))
    return replace(container, labels={**container.labels, LABEL_SPEC: digest_of(content)})


def labels_of(
    platform: str, cloud: Cloud, service: str, binding: Binding, tier: Tier | None, *, colour: Colour | None = None
) -> dict[str, str]:
    """What every object of ours bears; `service` "" for one that is no service's."""
    labels = {LABEL_PLATFORM: platform, LABEL_CLOUD: cloud.value, LABEL_BINDING: binding.value}
    if service:
        labels[LABEL_SERVICE] = service
    if tier:
        labels[LABEL_TIER] = tier.value
    if colour:
        labels[LABEL_COLOUR] = colour.value
    return labels
