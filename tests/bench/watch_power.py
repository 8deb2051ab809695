"""What the watch sees and how often it cries wolf: simulated looks through the real `look_on`; writes docs/watch.md.

Run: .venv/bin/python -m tests.bench.watch_power [--short]. Poisson traffic, looks every 0.2 s, a watch of 60 s with the
defaults. Answers take a lognormal time (spread 0.5, median 100 ms); what is slow is told from 2,000 answers drawn
before, and counted by buckets, by the functions that the steward calls. Everything is drawn from one recorded seed.
"""

import math
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from otagate.core.answer_times import LAST, bucket, row_of, slower
from otagate.core.sight import at_least, seen_share
from otagate.core.slow import slow_over
from otagate.core.watch import SESSIONS, Back, Gauge, GoOn, Sample, Series, WatchPolicy, look_on
from tests.bench.marks import write_figures

PAGE = Path(__file__).parents[2] / "docs" / "watch.md"
SEED = 20261124
POLICY = WatchPolicy()
RATES = (5, 50, 500)
ERRORS = (0.02, 0.03, 0.05, 0.10, 0.20, 0.50)
SESSIONS_A_MINUTE = (3, 30, 300)
LOST = (0.01, 0.03, 0.10, 0.50, 1.0)
SLOWDOWNS = (1.2, 1.5, 1.8, 2.0, 2.5, 3.0)
HEALTHY = 0.002  # errors of a healthy colour, a tenth of what is allowed
SPREAD, MEDIAN, BEFORE = 0.5, 0.1, 2000


@dataclass(frozen=True)
class Colour:
    """How it answers: the share of errors, and how many times slower than the old one."""

    errors: float = HEALTHY
    slower: float = 1.0


def poisson(chance: random.Random, mean: float) -> int:
    """Knuth's way for few, the bell curve for many."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def some(chance: random.Random, of: int, share: float) -> int:
    """How many of so many, each with the chance `share`."""
    if of * share * (1 - share) > 30:
        return min(of, max(0, round(chance.gauss(of * share, math.sqrt(of * share * (1 - share))))))
    return sum(chance.random() < share for _ in range(of))


def took(chance: random.Random) -> float:
    """Seconds that an answer of the old colour takes."""
    return MEDIAN * math.exp(chance.gauss(0, SPREAD))


def watched(chance: random.Random, rate: float, colour: Colour) -> tuple[str, float]:
    """One watch: why it went back ("" if it did not), and after how many seconds."""
    before = row_of(Counter(bucket(took(chance)) for _ in range(BEFORE)))
    return looked(chance, Gauge(slow_over=slow_over(POLICY.slow, before)), rate, colour)


def looked(chance: random.Random, gauge: Gauge, rate: float, colour: Colour) -> tuple[str, float]:
    """Look until the watch ends."""
    series = Series(POLICY, gauge).after(Sample(0.0, True, 0, 0))
    answers, errors, slow, at, times = 0, 0, 0, 0.0, [0] * (LAST + 1)
    while True:
        at += POLICY.every
        fresh = poisson(chance, rate * POLICY.every)
        answers += fresh
        errors += some(chance, fresh, colour.errors)
        if gauge.slow_over is not None:
            for _ in range(fresh):
                times[bucket(took(chance) * colour.slower)] += 1
            slow = slower(times, gauge.slow_over)
        series = series.after(Sample(at, True, answers, errors, timed=answers, slow=slow))
        word = look_on(series, flipped_at=0.0, now=at)
        if not isinstance(word, GoOn):
            return (word.reason, at) if isinstance(word, Back) else ("", at)


def power(rate: float, colour: Colour, reason: str, count: int) -> str:
    chance = random.Random(f"{SEED} {rate} {colour}")  # noqa: S311 - the same watches at each run
    return cell([watched(chance, rate, colour) for _ in range(count)], reason)


def cut(a_minute: float, lost: float, count: int) -> str:
    chance = random.Random(f"{SEED} sessions {a_minute} {lost}")  # noqa: S311 - the same watches at each run
    return cell([looked(chance, SESSIONS, a_minute / 60, Colour(errors=lost)) for _ in range(count)], "cut")


def cell(ends: Sequence[tuple[str, float]], reason: str) -> str:
    """How many watches of a hundred went back for that reason, and after what median time."""
    times = [at for why, at in ends if why == reason]
    return f"{len(times) / len(ends):.0%}" + (f", {median(times):.1f} s" if times else "")


def most(alarms: int, count: int) -> float:
    """The 95 % upper bound of a share of which so many were seen (Clopper and Pearson)."""
    low, high = alarms / count, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        at_most = 1 - at_least(alarms + 1, count, middle)
        low, high = (middle, high) if at_most > 0.05 else (low, middle)
    return high


def false_alarms(rate: float, count: int) -> str:
    """A row: alarms of healthy watches, by reason, and the upper bound of all of them."""
    chance = random.Random(f"{SEED} healthy {rate}")  # noqa: S311 - the same watches at each run
    reasons = [why for why, _ in (watched(chance, rate, Colour()) for _ in range(count)) if why]
    by = ", ".join(f"{reasons.count(why)} {why}" for why in sorted(set(reasons))) or "none"
    return f"| {rate} | {count:,} | {by} | {len(reasons) / count:.2%} | {most(len(reasons), count):.2%} |"


def page(power_of: int, healthy: Sequence[int]) -> list[str]:
    heads = "".join(f" {rate}/s |" for rate in RATES)
    rule = "| --- |" + " --- |" * len(RATES)
    seen = [seen_share(POLICY, rate) for rate in RATES]
    told = ", ".join(f"{share:.1%} at {rate}/s" for share, rate in zip(seen, RATES, strict=True) if share is not None)
    rows = [
        f"Error share of the new colour, and how many of {power_of} watches went back, and when. What the steward says",
        f"before such a watch, computed: with 95 % certainty it sees error shares from {told}.",
        "",
        f"| errors |{heads}",
        rule,
    ]
    for share in ERRORS:
        cells = "".join(f" {power(rate, Colour(errors=share), 'errors', power_of)} |" for rate in RATES)
        rows.append(f"| {share:.0%} |{cells}")
    rows += ["", "Slowdown of every answer, the same way:", "", f"| slower |{heads}", rule]
    for factor in SLOWDOWNS:
        cells = "".join(f" {power(rate, Colour(slower=factor), 'slow', power_of)} |" for rate in RATES)
        rows.append(f"| ×{factor:.1f} |{cells}")
    heads = "".join(f" {a_minute}/min |" for a_minute in SESSIONS_A_MINUTE)
    rows += ["", "Share of a DICOM or TCP listener's sessions that are refused or broken off, the same way:", ""]
    rows += [f"| lost |{heads}", "| --- |" + " --- |" * len(SESSIONS_A_MINUTE)]
    for share in LOST:
        cells = "".join(f" {cut(a_minute, share, power_of)} |" for a_minute in SESSIONS_A_MINUTE)
        rows.append(f"| {share:.0%} |{cells}")
    rows += [
        "",
        f"Healthy watches ({HEALTHY:.1%} errors, as fast as before), and how many went back all the same:",
        "",
        "| answers/s | watches | went back | share | at most, with 95 % |",
        "| --- | --- | --- | --- | --- |",
        *(false_alarms(rate, count) for rate, count in zip(RATES, healthy, strict=True)),
    ]
    return rows


def main() -> int:
    short = "--short" in sys.argv[1:]
    began = time.monotonic()
    lines = page(3, (5, 5, 5)) if short else page(40, (1000, 400, 400))
    print("\n".join(lines), flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if not short:
        write_figures(PAGE, "power", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
