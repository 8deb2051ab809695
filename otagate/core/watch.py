"""The period after the flip: look at what the switch counts and say go on, enough, or back.

"Enough" needs evidence. Busy or quiet, the watch must end on `unhealthy` healthy looks in a row, the last of them
fresh: health is asked by the switch itself and needs no traffic, so a clinic at night can pass, while a watch that saw
nothing cannot. Answers are judged where there are any: at every look over the sliding window and over the whole watch,
as soon as `minimum` were seen and more errors than luck can explain; and once more at the end, the whole watch's share
as it is, however few they are. Of sessions several must be lost, at the end too: one sender that never fitted is no
fault of a build. A watch of no length, after a rollback or a first flip, judges no answers: the few that come within
its looks must not undo what a person chose.

One series of samples is one listener or one invariant; `Gauge` says what its samples mean.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from otagate.core.invariant import Invariant
from otagate.core.slow import SlowPolicy, is_slow

_GROWN = 1.5  # the second half of a window beside the first
_LUCK = 1e-4  # at one look; a watch has some hundred, and looks that follow one another see nearly the same


@dataclass(frozen=True)
class WatchPolicy:
    """Seconds, except: `error_share` of answers, `minimum` answers before a share counts, `blind` and `unhealthy`
    samples in a row, `cut` sessions refused or broken off, `queue` requests in progress."""

    lasts: float = 60.0
    every: float = 0.2
    window: float = 3.0
    error_share: float = 0.02
    minimum: int = 20
    blind: int = 15
    unhealthy: int = 3
    cut: int = 3
    queue: int = 50
    slow: SlowPolicy = field(default_factory=SlowPolicy)
    invariants: tuple[Invariant, ...] = ()

    @property
    def looks(self) -> int:
        """As many as there can be at most."""
        return math.ceil((self.lasts + self.window) / self.every) + 1


@dataclass(frozen=True)
class Sample:
    """One look. Counters are cumulative since the switch started; `at` is monotonic seconds. None marks a blind look.
    `waiting`: requests that are in progress or in a queue now; `timed` answers were timed, `slow` of them too slow."""

    at: float
    up: bool | None
    answers: int | None
    errors: int | None
    waiting: int = 0
    timed: int = 0
    slow: int = 0

    @property
    def blind(self) -> bool:
        """Nothing can be concluded from it; counts below zero are no counts."""
        return self.up is None or self.answers is None or self.errors is None or self.answers < 0 or self.errors < 0


@dataclass(frozen=True)
class Gauge:
    """What one series counts: `unit` "answers", or "sessions" where few of them, lost, are many; `slow_over` seconds an
    answer is slow (None: not judged); `sightless` and `ill` say what a blind and an unhealthy look saw, `reason` what
    the latter is called."""

    unit: str = "answers"
    slow_over: float | None = None
    sightless: str = "the switch did not answer"
    ill: str = "down"
    reason: str = "unhealthy"


ANSWERS, SESSIONS = Gauge(), Gauge(unit="sessions")


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

    reason: str  # unhealthy, invariant, errors, cut, queue, slow, blind, nothing-seen
    message: str
    measured: float
    limit: float


@dataclass(frozen=True)
class Tally:
    """What was counted between two looks."""

    answers: int
    errors: int
    timed: int = 0
    slow: int = 0

    @property
    def share(self) -> float:
        """Errors per answer; errors without any answer count as all of them."""
        return min(1.0, self.errors / self.answers) if self.answers else float(self.errors > 0)


def look_on(
    policy: WatchPolicy, samples: Sequence[Sample], *, flipped_at: float, now: float, gauge: Gauge = ANSWERS
) -> GoOn | Enough | Back:
    """Judge the looks since the flip; `flipped_at` and `now` are monotonic seconds like the samples' own.

    Ends at the latest `window` seconds after `lasts`, whatever the samples hold.
    """
    since = [sample for sample in samples if sample.at >= flipped_at]
    seen = [sample for sample in since if not sample.blind]
    judges_answers = policy.lasts > 0
    refusal = _blind(policy, since, gauge) or _unhealthy(policy, seen, gauge)
    if refusal is None and judges_answers:
        refusal = _traffic(policy, seen, now, gauge)
    if refusal:
        return refusal
    left = flipped_at + policy.lasts - now
    if left > 0:
        return GoOn(left)
    needed = max(1, policy.unhealthy)
    healthy = _row(seen, up=True)
    if healthy >= needed and now - seen[-1].at <= policy.window:
        too_many = _too_many(policy, "the watch", tally(seen), gauge) if judges_answers else None
        return too_many or Enough(tally(seen).answers)
    if -left < policy.window:
        return GoOn(0.0)
    return Back("nothing-seen", f"{healthy} healthy looks at the end of the watch, {needed} needed", healthy, needed)


def tally(seen: Sequence[Sample]) -> Tally:
    """What was counted from the first look to the last; a counter that fell was begun anew by a restarted switch."""
    begun = [0, 0, 0, 0]  # where the counters stood that the last look's are counted from
    past = [0, 0, 0, 0]  # what was counted until the switch was last started
    last: list[int] | None = None
    for sample in seen:
        if sample.blind:
            continue
        now = [sample.answers or 0, sample.errors or 0, sample.timed, sample.slow]
        if last is None:
            begun = now
        elif now[0] < last[0] or now[1] < last[1] or now[2] < last[2] or now[3] < last[3]:
            past = [p + was - b for p, was, b in zip(past, last, begun, strict=True)]
            begun = [0, 0, 0, 0]
        last = now
    if last is None:
        return Tally(0, 0)
    return Tally(*(p + is_ - b for p, is_, b in zip(past, last, begun, strict=True)))


def _timings(seen: Sequence[Sample]) -> list[tuple[int, int]]:
    """Answers timed and of these slow, from look to look."""
    return [
        (after.timed - before.timed, after.slow - before.slow)
        if after.timed >= before.timed and after.slow >= before.slow
        else (after.timed, after.slow)
        for before, after in pairwise(seen)
    ]


def _traffic(policy: WatchPolicy, seen: Sequence[Sample], now: float, gauge: Gauge) -> Back | None:
    return (
        _errors(policy, seen, now, gauge)
        or _queue(policy, _window(policy, seen, now), now)
        or _slow(policy, seen, now, gauge)
    )


def _blind(policy: WatchPolicy, since: Sequence[Sample], gauge: Gauge) -> Back | None:
    row = 0
    for sample in reversed(since):
        if not sample.blind:
            break
        row += 1
    if row < max(1, policy.blind):
        return None
    return Back("blind", f"{gauge.sightless} {row} looks in a row", row, policy.blind)


def _unhealthy(policy: WatchPolicy, seen: Sequence[Sample], gauge: Gauge) -> Back | None:
    row = _row(seen, up=False)
    if row < max(1, policy.unhealthy):
        return None
    return Back(gauge.reason, f"{gauge.ill} at {row} looks in a row", row, policy.unhealthy)


def _row(seen: Sequence[Sample], *, up: bool) -> int:
    row = 0
    for sample in reversed(seen):
        if sample.up is not up:
            break
        row += 1
    return row


def _window(policy: WatchPolicy, seen: Sequence[Sample], now: float) -> Sequence[Sample]:
    start = max((i for i, sample in enumerate(seen) if sample.at <= now - policy.window), default=0)
    return seen[start:]


def _errors(policy: WatchPolicy, seen: Sequence[Sample], now: float, gauge: Gauge) -> Back | None:
    """The window catches a sudden fault at full speed; the whole watch catches one where traffic is thin."""
    for name, part in ((f"the last {policy.window:g} s", _window(policy, seen, now)), ("the watch", seen)):
        counted = tally(part)
        refusal = _too_many(policy, name, counted, gauge)
        if refusal and (gauge.unit == "sessions" or _shown(policy, counted)):
            return refusal
    return None


def _too_many(policy: WatchPolicy, name: str, counted: Tally, gauge: Gauge) -> Back | None:
    if not counted.share > policy.error_share:
        return None
    if gauge.unit == "sessions":
        if counted.errors < max(1, policy.cut):
            return None
        message = f"{counted.errors} sessions refused or broken off of {counted.answers} in {name}"
        return Back("cut", message, counted.share, policy.error_share)
    message = f"{counted.errors} errors in {counted.answers} answers of {name}"
    return Back("errors", message, counted.share, policy.error_share)


def _shown(policy: WatchPolicy, counted: Tally) -> bool:
    """Whether that many errors can be more than luck: enough answers must have been seen, and so many of them be rarer
    than 1 in 10,000 where the share is the limit itself."""
    answers = max(counted.answers, counted.errors)
    return answers >= max(1, policy.minimum) and luck(counted.errors, answers, policy.error_share) < _LUCK


def luck(errors: int, answers: int, share: float) -> float:
    """At most this is the chance of so many errors or more among `answers`, if each is one with the chance `share` and
    they are more than that (Chernoff's bound; Hoeffding 1963, theorem 1)."""
    if not share > 0:
        return float(errors <= 0)
    if share >= 1:
        return 1.0
    found = errors / answers
    good = (1 - found) * math.log((1 - found) / (1 - share)) if found < 1 else 0.0
    return math.exp(-answers * (found * math.log(found / share) + good)) if found > share else 1.0


def _queue(policy: WatchPolicy, part: Sequence[Sample], now: float) -> Back | None:
    """More in progress than `queue` for a whole window, and still more of it, or nothing answered at all."""
    if len(part) < 2 or now - part[0].at < policy.window or min(sample.waiting for sample in part) <= policy.queue:
        return None
    half = len(part) // 2
    early = sum(sample.waiting for sample in part[:half]) / half
    late = sum(sample.waiting for sample in part[half:]) / (len(part) - half)
    if late < _GROWN * early and tally(part).answers:
        return None
    last = part[-1].waiting
    message = f"{last} requests wait, over {policy.queue} for {policy.window:g} s and no fewer: they are not answered"
    return Back("queue", message, last, policy.queue)


def _slow(policy: WatchPolicy, seen: Sequence[Sample], now: float, gauge: Gauge) -> Back | None:
    allowed = policy.slow.share
    if gauge.slow_over is None or not is_slow(_timings(seen), allowed, policy.looks):
        return None
    counted = tally(_window(policy, seen, now))
    share = counted.slow / counted.timed if counted.timed else 1.0
    what = f"{counted.slow} of {counted.timed} answers of the last {policy.window:g} s"
    return Back("slow", f"{what} took longer than {gauge.slow_over:.3g} s, {allowed:.0%} may", share, allowed)
