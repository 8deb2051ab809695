"""The whole chain beside the live build's, run by run in random order: stored, found, computed, at the machine.

The policy judges the time (ratio 1.5 over the medians: domain practice for a chain that is measured on the same machine
in the same run); these cases judge what came out of it.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SUCCESS, Phantom, Side
from studies import COARSE, fresh

RUNS = 5
FOUND = 2.0  # seconds: the platform's service level for a scan to be findable


def _chain(side: Side, study: Phantom) -> dict[str, float]:
    """Milliseconds of each hop; fails where a hop does."""
    files = (*study.slices, study.structures)
    at = [time.perf_counter()]
    codes = side.scans.store(files)
    at.append(time.perf_counter())
    assert set(codes) == {SUCCESS}, codes
    while len(side.archive.instances(study.study)) < len(files):
        assert time.perf_counter() - at[1] < FOUND, f"not findable within {FOUND:.0f} s"
    at.append(time.perf_counter())
    made = side.planner.asked("/plans", {"study": study.study, "structure_set": study.structure_set, **COARSE}).json()
    at.append(time.perf_counter())
    there = side.linac.get(f"/plans/{made['plan']}").json().get("plan", {})
    assert (there.get("study"), there.get("sha256")) == (study.study, made["linac"]["sha256"])
    names = ("stored", "findable", "planned and at the machine")
    return {name: 1000 * (end - begin) for name, begin, end in zip(names, at, at[1:], strict=False)}


@pytest.mark.spread
@pytest.mark.requirement("chain")
@pytest.mark.risk("today's fraction waits for its plan")
@pytest.mark.parametrize("run", range(1, RUNS + 1))
def test_the_chain_is_measured_beside_the_live_build(
    candidate: Side, baseline: Side, otagate: Any, metric: Callable[..., Any], tmp_path: Path, run: int
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    sides = {"candidate": candidate, "baseline": baseline}
    order = random.Random(seed).sample(sorted(sides), k=2)  # noqa: S311 (an order, not a secret)
    print(f"run {run}: {' before '.join(order)} (seed {seed})")
    taken = {}
    for side in order:
        hops = _chain(sides[side], fresh(tmp_path, otagate.nonce))
        print(side, ", ".join(f"{name} {value:.0f} ms" for name, value in hops.items()))
        taken[side] = sum(hops.values())
    metric("chain-time", unit="ms", direction="lower").add(**taken)
