"""A build is one image of one service, known by digest, never by tag."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Build:
    """`digest` is the image's config digest (image ID); `registry_digest` the manifest digest, where one exists."""

    service: str
    reference: str
    digest: str
    registry_digest: str = ""

    @property
    def short(self) -> str:
        """The first 12 hex digits, as people read them."""
        return self.digest.removeprefix("sha256:")[:12]
