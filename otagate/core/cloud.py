"""Clouds, colours and bindings: where containers run and what they are connected to."""

from enum import StrEnum


class Colour(StrEnum):
    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Colour":
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


class Cloud(StrEnum):
    """A place that runs containers; `shared` holds state and edge."""

    BLUE = "blue"
    GREEN = "green"
    SHARED = "shared"

    @classmethod
    def of(cls, colour: Colour) -> "Cloud":
        return cls(colour.value)


class Binding(StrEnum):
    """What a colour's services are connected to: networks and credentials. A mirror has two sides."""

    PRODUCTION = "production"
    CANDIDATE = "candidate"
    BASELINE = "baseline"

    @property
    def is_mirror(self) -> bool:
        return self is not Binding.PRODUCTION


# Labels on everything otagate makes; only labelled objects are ever removed.
LABEL_PLATFORM = "otagate.platform"
LABEL_CLOUD = "otagate.cloud"
LABEL_COLOUR = "otagate.colour"
LABEL_SERVICE = "otagate.service"
LABEL_RUN = "otagate.run"
LABEL_BINDING = "otagate.binding"
LABEL_TIER = "otagate.tier"
LABEL_SPEC = "otagate.spec"  # digest of the container's specification: what makes a second raise change nothing
LABEL_RELEASE = "otagate.release"
LABEL_DEFINITION = "otagate.definition"  # JSON: what a release's service was defined as when its container was made
LABEL_DOORS = "otagate.doors"  # what a holder's doors were made for
LABEL_ONCE = "otagate.once"  # a container that ends by itself, to be removed once its log is read
