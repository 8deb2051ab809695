"""The period after the flip: look at what the switch counts and say go on, enough, or back.

"Enough" needs evidence. Busy or quiet, the watch must end on `unhealthy` healthy looks in a row, the last of them
fresh: health is asked by the switch itself and needs no traffic, so a clinic at night can pass, while a watch that saw
nothing cannot. Answers are judged where there are any: at every look over the sliding window and over the whole watch,
as soon as `minimum` were seen and more errors than luck can explain; and once more at the end, the whole watch's share
as it is, however few they are. Of sessions several must be lost, at the end too: one sender that never fitted is no
fault of a build. A watch of no length, after a rollback or a first flip, judges no answers: the few that come within
its looks must not undo what a person chose.

One series of looks is one listener or one invariant; `Gauge` says what its samples mean.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field, replace

from otagate.core.answer_times import edge
from otagate.core.invariant import Invariant
from otagate.core.slow import NO_STAKES, SlowPolicy, is_slow, staked

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
    """One look at one switch. Counters are cumulative since it started; `at` is monotonic seconds. None: a blind look.
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
    """What one series counts: `unit` "answers", or "sessions" where few of them, lost, are many; `slow_over`: the
    bucket beyond which an answer is slow (None: not judged); `sightless` and `ill` say what a blind and an unhealthy
    look saw, `reason` what the latter is called."""

    unit: str = "answers"
    slow_over: int | None = None
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

    def __add__(self, more: "Tally") -> "Tally":
        return Tally(
            self.answers + more.answers, self.errors + more.errors, self.timed + more.timed, self.slow + more.slow
        )


NOTHING = Tally(0, 0)


@dataclass(frozen=True)
class Series:
    """The looks at one listener or invariant since the flip, of which only the last window's are kept; the others are
    in what all of them come to, lest a watch of a day look ever more slowly. Begun without a `last`, it does not count
    what was before the first look."""

    policy: WatchPolicy
    gauge: Gauge = ANSWERS
    last: tuple[Tally, ...] = ()  # what each switch had counted before the flip, then at the last look that was read
    recent: tuple[Sample, ...] = ()  # such looks, from the last one before the window on, counted since the flip
    counted: Tally = NOTHING
    stakes: tuple[float, ...] = NO_STAKES
    blind: int = 0  # looks in a row, up to the last one
    healthy: int = 0  # of those that could be read
    ill: int = 0

    def after(self, sample: Sample, *others: Sample) -> "Series":
        """With one look more, which is not before the last, at the switch or at each of a pair: what rose is taken from
        each alone, lest one that is started again have all that the other ever counted taken for new."""
        looks = (sample, *others)
        if any(look.blind for look in looks):
            return replace(self, blind=self.blind + 1)
        now = tuple(_tally(look) for look in looks)
        before = self.last if len(self.last) == len(now) else now
        new = sum((_between(*pair) for pair in zip(before, now, strict=True)), NOTHING)
        counted, up = self.counted + new, all(look.up for look in looks)
        seen = Sample(sample.at, up, waiting=sum(look.waiting for look in looks), **asdict(counted))
        return replace(
            self,
            last=now,
            recent=(*_window(self, sample.at), seen),
            counted=counted,
            stakes=staked(self.stakes, new.timed, new.slow, self.policy.slow.share),
            blind=0,
            healthy=self.healthy + 1 if up else 0,
            ill=0 if up else self.ill + 1,
        )


def look_on(series: Series, *, flipped_at: float, now: float) -> GoOn | Enough | Back:
    """Judge the looks since the flip; `flipped_at` and `now` are monotonic seconds like the looks' own.

    Ends at the latest `window` seconds after `lasts`, whatever they saw.
    """
    policy, judges_answers = series.policy, series.policy.lasts > 0
    refusal = _blind(series) or _unhealthy(series)
    if refusal is None and judges_answers:
        refusal = _traffic(series, now)
    if refusal:
        return refusal
    left = flipped_at + policy.lasts - now
    if left > 0:
        return GoOn(left)
    needed = max(1, policy.unhealthy)
    if series.healthy >= needed and now - series.recent[-1].at <= policy.window:
        too_many = _too_many(series, "the watch", series.counted) if judges_answers else None
        return too_many or Enough(series.counted.answers)
    if -left < policy.window:
        return GoOn(0.0)
    message = f"{series.healthy} healthy looks at the end of the watch, {needed} needed"
    return Back("nothing-seen", message, series.healthy, needed)


def _between(before: Tally, after: Tally) -> Tally:
    """A counter that fell was begun anew by a restarted switch."""
    was, now = astuple(before), astuple(after)
    begun = was if all(n >= w for n, w in zip(now, was, strict=True)) else astuple(NOTHING)
    return Tally(*(n - b for n, b in zip(now, begun, strict=True)))


def _tally(sample: Sample) -> Tally:
    return Tally(sample.answers or 0, sample.errors or 0, sample.timed, sample.slow)


def _traffic(series: Series, now: float) -> Back | None:
    if not series.recent:
        return None
    part = _window(series, now)
    lately = _between(_tally(part[0]), _tally(part[-1]))
    return _errors(series, lately) or _queue(series.policy, part, lately, now) or _slow(series, lately)


def _blind(series: Series) -> Back | None:
    row, limit = series.blind, series.policy.blind
    if row < max(1, limit):
        return None
    return Back("blind", f"{series.gauge.sightless} {row} looks in a row", row, limit)


def _unhealthy(series: Series) -> Back | None:
    row, limit = series.ill, series.policy.unhealthy
    if row < max(1, limit):
        return None
    return Back(series.gauge.reason, f"{series.gauge.ill} at {row} looks in a row", row, limit)


def _window(series: Series, now: float) -> Sequence[Sample]:
    since = now - series.policy.window
    start = max((i for i, sample in enumerate(series.recent) if sample.at <= since), default=0)
    return series.recent[start:]


def _errors(series: Series, lately: Tally) -> Back | None:
    """The window catches a sudden fault at full speed; the whole watch catches one where traffic is thin."""
    last = f"the last {series.policy.window:g} s"
    for name, counted in ((last, lately), ("the watch", series.counted)):
        refusal = _too_many(series, name, counted)
        if refusal and (series.gauge.unit == "sessions" or _shown(series.policy, counted)):
            return refusal
    return None


def _too_many(series: Series, name: str, counted: Tally) -> Back | None:
    policy = series.policy
    if not counted.share > policy.error_share:
        return None
    if series.gauge.unit == "sessions":
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


def _queue(policy: WatchPolicy, part: Sequence[Sample], lately: Tally, now: float) -> Back | None:
    """More in progress than `queue` for a whole window, and still more of it, or nothing answered at all."""
    if len(part) < 2 or now - part[0].at < policy.window or min(sample.waiting for sample in part) <= policy.queue:
        return None
    half = len(part) // 2
    early = sum(sample.waiting for sample in part[:half]) / half
    late = sum(sample.waiting for sample in part[half:]) / (len(part) - half)
    if late < _GROWN * early and lately.answers:
        return None
    last = part[-1].waiting
    message = f"{last} requests wait, over {policy.queue} for {policy.window:g} s and no fewer: they are not answered"
    return Back("queue", message, last, policy.queue)


def _slow(series: Series, lately: Tally) -> Back | None:
    policy, over = series.policy, series.gauge.slow_over
    allowed = policy.slow.share
    if over is None or not is_slow(series.stakes, policy.looks):
        return None
    share = lately.slow / lately.timed if lately.timed else 1.0
    what = f"{lately.slow} of {lately.timed} answers of the last {policy.window:g} s"
    return Back("slow", f"{what} took longer than {edge(over):.3g} s, {allowed:.0%} may", share, allowed)
