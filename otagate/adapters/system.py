"""This machine's clock, and ids that sort by the time at which they were made."""

import secrets
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class SystemClock:
    """ports.Clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def new_id(self, prefix: str) -> str:
        """For example 20261124T134512-k3f9, in UTC."""
        tail = "".join(secrets.choice(_ALPHABET) for _ in range(4))
        return f"{prefix}{datetime.now(UTC):%Y%m%dT%H%M%S}-{tail}"

    def nonce(self) -> str:
        return secrets.token_hex(16)
