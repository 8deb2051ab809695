"""Whether what was counted cycle after cycle stays, or grows as it may. Pure; figures in, words out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STAYS = ("containers", "networks", "volumes")  # exactly as many after each cycle as after the first
CREEPS = {  # what each may grow by over a cycle, fitted over all: more is a leak
    "steward files": 0.05,
    "steward processes": 0.05,
    "steward memory": 64 * 1024.0,
    "switch files": 0.05,
    "switch processes": 0.05,
    "switch memory": 64 * 1024.0,
}
GROWS = ("store", "run folders", "journal")  # in proportion to the cycles, or it is not linear
BENT = 0.1  # the largest distance from the line, as a share of the growth over all cycles
ENOUGH = 10  # cycles before a line means anything
WARM = 1  # cycles at the beginning that are not fitted: what is made once is made there
Samples = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Line:
    """A straight line through what was counted: `slope` per cycle; `residual` the largest distance from it."""

    start: float
    slope: float
    residual: float


def fit(values: Sequence[float]) -> Line:
    """By least squares over 0, 1, 2 …; ValueError for fewer than two values."""
    n = len(values)
    if n < 2:
        raise ValueError("a line needs two values")
    middle, mean = (n - 1) / 2, sum(values) / n
    slope = sum((x - middle) * (y - mean) for x, y in enumerate(values)) / sum((x - middle) ** 2 for x in range(n))
    start = mean - slope * middle
    return Line(start, slope, max(abs(y - start - slope * x) for x, y in enumerate(values)))


def leaks(samples: Samples) -> list[str]:
    """What grew that may not; with fewer than ENOUGH cycles only what must stay exactly is judged."""
    found = []
    for name in STAYS:
        counts = [sample[name] for sample in samples]
        if len(set(counts)) > 1:
            found.append(
                f"{name}: {counts[0]:g} after the first cycle, at most {max(counts):g} and at least "
                f"{min(counts):g} later"
            )
    if unjudged(samples):
        return found
    for name, most in CREEPS.items():
        line = fit([sample[name] for sample in samples[WARM:]])
        if line.slope > most:
            found.append(f"{name} grows by {line.slope:.2f} a cycle, {most:g} allowed")
    for name in GROWS:
        values = [sample[name] for sample in samples[WARM:]]
        line = fit(values)
        grown = abs(line.slope) * len(values)
        if grown and line.residual > BENT * grown:
            found.append(f"{name} does not grow in a line: {line.residual:.0f} off it, of {grown:.0f} grown")
    return found


def unjudged(samples: Samples) -> list[str]:
    """What nothing could be said of."""
    few = len(samples) < ENOUGH + WARM
    return [f"only {len(samples)} of {ENOUGH + WARM} cycles, too few to judge what creeps"] if few else []


def rows(samples: Samples) -> list[str]:
    """A table: what was counted, after the first and the last cycle, its growth and the residual."""
    lines = ["| what | after the first cycle | after the last | a cycle | largest distance from the line |"]
    lines.append("|---|---|---|---|---|")
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        fitted = values[WARM:] if len(values) > WARM + 1 else values
        line = fit(fitted) if len(fitted) > 1 else Line(values[0], 0.0, 0.0)
        lines.append(f"| {name} | {values[0]:,.0f} | {values[-1]:,.0f} | {line.slope:+,.2f} | {line.residual:,.1f} |")
    return lines
