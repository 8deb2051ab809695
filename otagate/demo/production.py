"""What a demo's production offers to its client, and to the count at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otagate.adapters.secrets import KeptSecrets
from otagate.core.cloud import Binding


@dataclass(frozen=True)
class Production:
    """`listeners` as `otagate up` names them; `home` is the demo's own, with the platform's secrets in it; `outside`
    maps what stands beside production to its host:port."""

    platform: str
    home: Path
    listeners: Mapping[str, Any]
    outside: Mapping[str, str]

    def address(self, listener: str) -> str:
        """host:port of the front door."""
        return str(self.listeners[listener]["address"])

    def secret(self, name: str) -> str:
        return KeptSecrets(str(self.home), {}).of(self.platform, Binding.PRODUCTION, name).decode()
