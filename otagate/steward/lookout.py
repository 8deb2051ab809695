"""The watch's eyes: one look at the new colour after the other, each door with a series of its own.

Each door is judged by itself, for a listener that fails among many busy ones would vanish in a common share.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from otagate.core.cloud import Colour
from otagate.core.errors import SwitchFault
from otagate.core.switch import BackendCount, backend
from otagate.core.watch import Back, Enough, GoOn, Sample, WatchPolicy, look_on, tally
from otagate.steward.helm import Helm
from otagate.steward.outside import Clock

_LINE_EVERY = 1.0  # seconds between lines for those who follow


class Lookout:
    """One watch over `colour`. Not thread-safe: its course alone looks."""

    def __init__(self, helm: Helm, clock: Clock, colour: Colour, policy: WatchPolicy) -> None:
        self._helm = helm
        self._clock = clock
        self._policy = policy
        self._names = {door.name: backend(door.name, colour) for door in helm.doors}
        self._samples: dict[str, list[Sample]] = {door: [] for door in self._names}
        self._began = clock.monotonic()
        self._line_at = self._began
        self._left = policy.lasts
        self.counts: Mapping[str, BackendCount] | None = None

    def look(self) -> GoOn | Enough | Back:
        """Look once and judge every door: back if one says so, enough only if all do."""
        try:
            self.counts = self._helm.switch.counts()
        except SwitchFault:
            self.counts = None
        now = self._clock.monotonic()
        for door, name in self._names.items():
            self._samples[door].append(_sample(now, self.counts, name))
        return self._judged(now)

    def _judged(self, now: float) -> GoOn | Enough | Back:
        said = {
            door: look_on(self._policy, samples, flipped_at=self._began, now=now)
            for door, samples in self._samples.items()
        }
        for door, word in said.items():
            if isinstance(word, Back):
                return replace(word, message=f"{door}: {word.message}")
        waits = [word.left for word in said.values() if isinstance(word, GoOn)]
        self._left = max(waits, default=0.0)
        if waits:
            return GoOn(self._left)
        return Enough(sum(word.answers for word in said.values() if isinstance(word, Enough)))

    def line(self) -> tuple[str, dict[str, Any]] | None:
        """What to tell those who follow, at most once a second."""
        now = self._clock.monotonic()
        if now - self._line_at < _LINE_EVERY:
            return None
        self._line_at = now
        seen = {door: tally(samples) for door, samples in self._samples.items()}
        answers, errors = sum(t.answers for t in seen.values()), sum(t.errors for t in seen.values())
        message = f"{answers} answers, {errors} errors, {self._left:.0f} s left"
        doors = {door: {"answers": t.answers, "errors": t.errors} for door, t in seen.items()}
        return message, {"answers": answers, "errors": errors, "left": round(self._left, 1), "doors": doors}


def _sample(at: float, counts: Mapping[str, BackendCount] | None, name: str) -> Sample:
    count = counts.get(name) if counts is not None else None
    if count is None:
        return Sample(at, None, None, None)
    return Sample(at, count.up, count.answers, count.errors)
