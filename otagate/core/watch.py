"""The period after the flip: look at what the switch counts and say go on, enough, or back.

"Enough" needs evidence. Busy or quiet, the watch must end on `unhealthy` healthy looks in a row, the last of them
fresh: health is asked by the switch itself and needs no traffic, so a clinic at night can pass, while a watch that saw
nothing cannot. Answers are judged where there are any: over the sliding window and over the whole watch as soon as
`minimum` were seen, and once more at the end however few they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


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

    @property
    def blind(self) -> bool:
        """Nothing can be concluded from it; counts below zero are no counts."""
        return self.up is None or self.answers is None or self.errors is None or min(self.answers, self.errors) < 0


@dataclass(frozen=True)
class GoOn:
    """Nothing against it yet; `left` seconds of the watch, 0 where only the last looks are waited for."""

    left: float


@dataclass(frozen=True)
class Enough:
    """Watched to the end with nothing against it; `answers` were seen meanwhile."""

    answers: int


@dataclass(frozen=True)
class Back:
    """Why the watch refuses; `measured` against `limit`."""

    reason: str  # unhealthy, errors, blind, nothing-seen
    message: str
    measured: float
    limit: float


@dataclass(frozen=True)
class Tally:
    """What was counted between two looks."""

    answers: int
    errors: int

    @property
    def share(self) -> float:
        """Errors per answer; errors without any answer count as all of them."""
        return min(1.0, self.errors / self.answers) if self.answers else float(self.errors > 0)


def look_on(policy: WatchPolicy, samples: Sequence[Sample], *, flipped_at: float, now: float) -> GoOn | Enough | Back:
    """Judge the looks since the flip; `flipped_at` and `now` are monotonic seconds like the samples' own.

    Ends at the latest `window` seconds after `lasts`, whatever the samples hold.
    """
    since = [sample for sample in samples if sample.at >= flipped_at]
    seen = [sample for sample in since if not sample.blind]
    refusal = _blind(policy, since) or _unhealthy(policy, seen) or _errors(policy, seen, now, policy.minimum)
    if refusal:
        return refusal
    left = flipped_at + policy.lasts - now
    if left > 0:
        return GoOn(left)
    needed = max(1, policy.unhealthy)
    healthy = _row(seen, up=True)
    if healthy >= needed and now - seen[-1].at <= policy.window:
        return _errors(policy, seen, now, 1) or Enough(tally(seen).answers)
    if -left < policy.window:
        return GoOn(0.0)
    return Back("nothing-seen", f"{healthy} healthy looks at the end of the watch, {needed} needed", healthy, needed)


def tally(seen: Sequence[Sample]) -> Tally:
    """What was counted from the first look to the last; a counter that fell was begun anew by a restarted switch."""
    answers = errors = 0
    for before, after in pairwise(sample for sample in seen if not sample.blind):
        was, is_ = (before.answers or 0, before.errors or 0), (after.answers or 0, after.errors or 0)
        start = (0, 0) if is_[0] < was[0] or is_[1] < was[1] else was
        answers += is_[0] - start[0]
        errors += is_[1] - start[1]
    return Tally(answers, errors)


def _blind(policy: WatchPolicy, since: Sequence[Sample]) -> Back | None:
    row = 0
    for sample in reversed(since):
        if not sample.blind:
            break
        row += 1
    if row < max(1, policy.blind):
        return None
    return Back("blind", f"the switch did not answer {row} looks in a row", row, policy.blind)


def _unhealthy(policy: WatchPolicy, seen: Sequence[Sample]) -> Back | None:
    row = _row(seen, up=False)
    if row < max(1, policy.unhealthy):
        return None
    return Back("unhealthy", f"down at {row} looks in a row", row, policy.unhealthy)


def _row(seen: Sequence[Sample], *, up: bool) -> int:
    row = 0
    for sample in reversed(seen):
        if sample.up is not up:
            break
        row += 1
    return row


def _errors(policy: WatchPolicy, seen: Sequence[Sample], now: float, minimum: int) -> Back | None:
    """The window catches a sudden fault at full speed; the whole watch catches one where traffic is thin."""
    start = max((i for i, sample in enumerate(seen) if sample.at <= now - policy.window), default=0)
    for name, part in ((f"the last {policy.window:g} s", seen[start:]), ("the watch", seen)):
        counted = tally(part)
        if max(counted.answers, counted.errors) >= max(1, minimum) and counted.share > policy.error_share:
            message = f"{counted.errors} errors in {counted.answers} answers of {name}"
            return Back("errors", message, counted.share, policy.error_share)
    return None
