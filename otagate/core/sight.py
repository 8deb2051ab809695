"""What a watch can see: computed from its policy and the traffic alone, and borne out by the simulated watches of
docs/watch.md."""

import math

from otagate.core.watch import WatchPolicy

SURE = 0.95
_STEPS = 200  # a share is told to half a per cent


def seen_share(policy: WatchPolicy, rate: float) -> float | None:
    """The least share of errors with which a watch at `rate` answers a second goes back with 95 % by what it counted
    over its whole length; None if not even errors alone are enough. Errors that come in bursts are seen sooner."""
    answers = math.floor(rate * policy.lasts)
    if answers < 1:
        return None
    needed = math.floor(policy.error_share * answers) + 1  # at its end even a single answer counts
    found = (step / _STEPS for step in range(1, _STEPS + 1) if at_least(needed, answers, step / _STEPS) >= SURE)
    return next(found, None)


def at_least(needed: int, answers: int, share: float) -> float:
    """The chance that of so many answers `needed` or more are errors, each with the chance `share`."""
    if share >= 1:
        return float(needed <= answers)
    if not share > 0:
        return float(needed <= 0)
    spread = math.sqrt(answers * share * (1 - share))
    if spread > 30:  # then the bell curve is as good
        return 0.5 * math.erfc((needed - 0.5 - answers * share) / (spread * math.sqrt(2)))
    return 1 - math.fsum(_exactly(n, answers, share) for n in range(needed))


def _exactly(errors: int, answers: int, share: float) -> float:
    ways = math.lgamma(answers + 1) - math.lgamma(errors + 1) - math.lgamma(answers - errors + 1)
    return math.exp(ways + errors * math.log(share) + (answers - errors) * math.log1p(-share))
