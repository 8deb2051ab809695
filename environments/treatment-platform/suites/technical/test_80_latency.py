"""How long a forward dose takes, beside the live build, pair by pair in random order. The policy judges, no case does.

The plan is coarse and never changes, its matrix is warm: some 30 ms a call. In parts that are spread over the whole
suite, and each sample the best of three turns: on a busy machine one of two equal containers is ahead for a second at a
time, and samples taken in one go would measure just that. A build that is slow now and then, but at its usual pace at
least once in three calls, is thus not seen here; the whole chain beside the live build is not so forgiving.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Phantom, Side

PARTS = 22
PAIRS = 2  # in each part
TURNS = 3
SPACING = 5  # mm


def _milliseconds(side: Side, plan: str) -> float:
    """Of the best of three."""
    taken = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        side.engine.asked("/forward", {"plan": plan, "spacing": SPACING})
        taken.append((time.perf_counter() - begun) * 1000)
    return min(taken)


@pytest.mark.spread
@pytest.mark.requirement("latency")
@pytest.mark.parametrize("part", range(1, PARTS + 1))
def test_the_time_of_a_forward_dose_is_measured_beside_the_live_build(
    candidate: Side, baseline: Side, loaded: Phantom, metric: Callable[..., Any], part: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"part {part}: order drawn with seed {seed}")
    order = random.Random(seed)  # noqa: S311 (an order, not a secret)
    samples = metric("forward-latency", unit="ms", direction="lower")
    sides = {"candidate": candidate, "baseline": baseline}
    for side in sides.values():
        side.engine.asked("/forward", {"plan": loaded.plan_uid, "spacing": SPACING})  # warms what a restart has cooled
    for _ in range(PAIRS):
        turns = order.sample(sorted(sides), k=2)
        samples.add(**{side: _milliseconds(sides[side], loaded.plan_uid) for side in turns})
