"""ports.Secrets in memory."""

from otagate.core.cloud import Binding


class FakeSecrets:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, Binding, str], bytes] = {}

    def of(self, platform: str, binding: Binding, name: str) -> bytes:
        made = f"{len(self.kept):04d}-made-for-{binding}".ljust(32, "x").encode()
        return self.kept.setdefault((platform, binding, name), made)

    def forget(self, platform: str) -> None:
        self.kept = {place: secret for place, secret in self.kept.items() if place[0] != platform}
