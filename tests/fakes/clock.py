"""ports.Clock that moves only when it is told to, or slept on."""

from datetime import UTC, datetime


class FakeClock:
    def __init__(self, now: float = 1_795_528_800.0) -> None:
        self._now = now
        self._monotonic = 0.0
        self._made = 0
        self.slept: list[float] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds

    def new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{datetime.fromtimestamp(self._now, UTC):%Y%m%dT%H%M%S}-{self._made:04d}"

    def nonce(self) -> str:
        self._made += 1
        return f"{self._made:032x}"
