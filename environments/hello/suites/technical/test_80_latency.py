"""How long a summary takes, beside the live build, pair by pair in random order. The policy judges, not this case."""

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from conftest import Web, dose_grid, encoded
from pydicom import Dataset

WARM_UP = 4
PAIRS = 60


def _short_work(dose: Dataset) -> bytes:
    """A few milliseconds of the clinical dose: long enough to be the most of an answer, too short for a busy machine to
    give it to somebody else meanwhile."""
    made = dose_grid(np.ascontiguousarray(dose.pixel_array[::4, ::4, ::4]), str(dose.DoseGridScaling))
    made.DVHSequence = dose.DVHSequence[:2]
    return encoded(made)


def _milliseconds(web: Web, body: bytes) -> float:
    begun = time.perf_counter()
    answer = web.post("/summary", body)
    taken = (time.perf_counter() - begun) * 1000
    assert answer.status_code == 200, answer.text
    return taken


def test_the_time_of_a_summary_is_measured_beside_the_live_build(
    web: Web, dose: Dataset, otagate: Any, metric: Callable[..., Any]
) -> None:
    baseline = Web(otagate.baseline.host("web"))
    baseline.wait_until_healthy()
    body = _short_work(dose)
    seed = random.SystemRandom().randrange(2**32)
    print(f"order drawn with seed {seed}")
    order = random.Random(seed)  # noqa: S311 (an order, not a secret)
    samples = metric("summary-latency", unit="ms", direction="lower")
    for pair in range(WARM_UP + PAIRS):
        sides = {"candidate": web, "baseline": baseline}
        turns = order.sample(sorted(sides), k=2)
        taken = {side: _milliseconds(sides[side], body) for side in turns}
        if pair >= WARM_UP:
            samples.add(**taken)
