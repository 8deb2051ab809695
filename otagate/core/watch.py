"""The period after the flip: look at what the switch counts and say go on, enough, or back."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WatchPolicy:
    """Seconds, except: `error_share` of answers, `minimum` answers before a share counts, `blind` samples in a row."""

    lasts: float = 60.0
    every: float = 0.2
    window: float = 3.0
    error_share: float = 0.02
    minimum: int = 20
    blind: int = 15
    unhealthy: int = 3


@dataclass(frozen=True)
class Sample:
    """One look at the live colour's backends. Counters are cumulative since the switch started; `at` is monotonic
    seconds. None marks a blind look: the switch did not answer."""

    at: float
    up: bool | None
    answers: int | None
    errors: int | None


@dataclass(frozen=True)
class GoOn:
    left: float


@dataclass(frozen=True)
class Enough:
    answers: int


@dataclass(frozen=True)
class Back:
    """Why the watch refuses; `measured` against `limit`."""

    reason: str  # unhealthy, errors, blind, nothing-seen
    message: str
    measured: float
    limit: float


def look_on(policy: WatchPolicy, samples: Sequence[Sample], *, flipped_at: float, now: float) -> GoOn | Enough | Back:
    raise NotImplementedError
