"""Is more than a share of the answers too slow? A test that may be looked at as often as one likes.

Each look gives one number, the share of its answers that were slow: answers of one look may hang together as they
please (a pause makes many slow at once), only from look to look the share must be expected to be at most what is
allowed. Against that a gambler bets at every look; who would multiply his stake 1/alpha times has seen that it is not
so, and by Ville's inequality this happens to a healthy colour with a chance of at most alpha over the whole watch,
however often one looks. Bets are small: no single burst decides, at least some ten slow looks must come together. A
stake is set aside for each look to begin at: a colour that turns slow late is found as fast as one slow at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otagate.core.answer_times import bucket, kept_by

ALPHA = 0.001  # the chance that a healthy listener is called slow in one watch
KEPT = 0.9  # the share of the old colour's answers that its time is taken from
LEAST_BEFORE = 100  # answers of the old colour, without which there is nothing to compare with
NEVER_SLOW = 0.05  # seconds: what comes within is no hard failure, however fast it came before
USUALLY = 1.5
_BETS = (0.25, 0.5, 1.0)  # of the stake, for each whole share above the allowed one; up to 1 none can be ruined
NO_STAKES = (0.0,) * len(_BETS)  # what the gamblers own who began at one of the looks so far, before the first


@dataclass(frozen=True)
class SlowPolicy:
    """More than `share` of the answers slower than a limit means back: `limit` seconds, or `times` what KEPT of the old
    colour's answers kept before the flip, or the less of both; with neither, USUALLY times."""

    share: float = 0.25
    times: float | None = None
    limit: float | None = None


def limit_of(policy: SlowPolicy, kept: float, answers: int) -> float | None:
    """Seconds above which an answer is slow; None where nothing was declared and too few `answers` were seen of the
    old colour, of which KEPT took at most `kept` seconds."""
    times = USUALLY if policy.times is None and policy.limit is None else policy.times
    if times is None or answers < LEAST_BEFORE or not math.isfinite(kept):
        return policy.limit
    return min(max(NEVER_SLOW, kept * times), policy.limit or math.inf)


def slow_over(policy: SlowPolicy, times: Sequence[int]) -> int | None:
    """The bucket in which the limit lies, beyond which an answer is slow; `times` are the old colour's. None: there is
    no limit. The last bucket: nothing can be told to be slower."""
    limit = limit_of(policy, kept_by(times, KEPT), sum(times))
    return None if limit is None else bucket(limit)


def staked(stakes: tuple[float, ...], answers: int, slow: int, allowed: float) -> tuple[float, ...]:
    """What the gamblers own after one look more, at `answers` of which so many were slow."""
    if answers <= 0:
        return stakes
    gain = min(1.0, slow / answers) - allowed
    return tuple((1 + stake) * (1 + bet * gain) for stake, bet in zip(stakes, _BETS, strict=True))


def is_slow(stakes: tuple[float, ...], horizon: int) -> bool:
    """Whether the looks so far, asked at each of them, show that more are slow than may be; `horizon`: the number of
    looks that there can be in all, fixed before the first."""
    return sum(stakes) >= len(_BETS) * horizon / ALPHA
