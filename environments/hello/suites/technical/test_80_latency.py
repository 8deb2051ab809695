"""How long a summary takes, beside the live build, pair by pair in random order. The policy judges, not these cases.

In parts that are spread over the whole suite: on a busy machine one of two equal containers is ahead for a second at a
time, and samples taken in one go would measure just that. A sample is the better of two turns, for the same reason.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import Web, dose_grid, encoded
from pydicom import Dataset

PARTS = 22
PAIRS = 2  # in each part


@pytest.fixture(scope="module")
def short_work(dose: Dataset) -> bytes:
    """A few milliseconds of the clinical dose: the most of an answer, and too short to be cut to pieces."""
    made = dose_grid(np.ascontiguousarray(dose.pixel_array[::4, ::4, ::4]), str(dose.DoseGridScaling))
    made.DVHSequence = dose.DVHSequence[:4]
    return encoded(made)


def _milliseconds(web: Web, body: bytes) -> float:
    """Of the better of two."""
    taken = []
    for _ in range(2):
        begun = time.perf_counter()
        answer = web.post("/summary", body)
        taken.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
    return min(taken)


@pytest.mark.spread
@pytest.mark.parametrize("part", range(1, PARTS + 1))
def test_the_time_of_a_summary_is_measured_beside_the_live_build(
    web: Web, short_work: bytes, otagate: Any, metric: Callable[..., Any], part: int
) -> None:
    baseline = Web(otagate.baseline.host("web"))
    baseline.wait_until_healthy()
    seed = random.SystemRandom().randrange(2**32)
    print(f"part {part}: order drawn with seed {seed}")
    order = random.Random(seed)  # noqa: S311 (an order, not a secret)
    samples = metric("summary-latency", unit="ms", direction="lower")
    sides = {"candidate": web, "baseline": baseline}
    for _ in range(PAIRS):
        turns = order.sample(sorted(sides), k=2)
        samples.add(**{side: _milliseconds(sides[side], short_work) for side in turns})
