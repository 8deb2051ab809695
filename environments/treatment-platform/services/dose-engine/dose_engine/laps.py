"""How long each hop of a request took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Laps:
    """Seconds by name, in the order of the hops; a hop done again adds up."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def hop(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    @property
    def answer(self) -> dict[str, float]:
        """Rounded to tenths of a millisecond, with `all` since the start."""
        return {
            name: round(value, 4) for name, value in (self.seconds | {"all": time.perf_counter() - self._began}).items()
        }
