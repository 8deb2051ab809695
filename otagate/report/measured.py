"""The picture of a metric: candidate above baseline, each sample a dot, quartiles a box, and where it would fail."""

from collections.abc import Sequence

from markupsafe import Markup

from otagate.core.judge import Finding
from otagate.core.metric import Metric, quantile, usable
from otagate.core.text import counted
from otagate.report.svg import Scale, axis, picture, scale_over, tag, ticks
from otagate.report.words import size

_MOST_DOTS = 400  # on a side; of more, evenly spread ones are drawn
_TOP, _STRIP = 34.0, 64.0


def metric_picture(metric: Metric, bounds: Sequence[tuple[str, float]]) -> Markup:
    """Empty if no sample can be drawn."""
    sides = [("candidate", _drawn(metric.candidate)), ("baseline", _drawn(metric.baseline))]
    shown = [(side, samples) for side, samples in sides if samples]
    if not shown:
        return Markup("")
    scale = scale_with([value for _, samples in shown for value in samples], bounds)
    bottom = _TOP + _STRIP * len(shown)
    places = ticks(scale)
    # The unit once, at the last mark: six times it would not fit on a phone.
    labels = [(value, size(value, metric.unit if value == places[-1] else "")) for value in places]
    parts = axis(scale, _TOP, bottom, labels)
    parts += _bounds(bounds, scale, bottom, metric.unit)
    for place, (side, samples) in enumerate(shown):
        parts += _strip(side, samples, scale, _TOP + _STRIP * place, metric.unit)
    return picture(f"Samples of {metric.name}, candidate and baseline", bottom + 24, parts)


def bounds_of(metric: str, findings: Sequence[Finding]) -> tuple[tuple[str, float], ...]:
    """Every limit that a rule sets for the metric, trial rules' marked as such."""
    return tuple(
        (f"{name} (trial)" if finding.trial else name, value)
        for finding in findings
        if finding.subject == metric
        for name, value in finding.bounds
    )


def _drawn(samples: Sequence[float]) -> list[float]:
    kept = [sample for sample in samples if usable(sample)]
    return kept if len(kept) <= _MOST_DOTS else [kept[at * len(kept) // _MOST_DOTS] for at in range(_MOST_DOTS)]


def scale_with(values: Sequence[float], bounds: Sequence[tuple[str, float]]) -> Scale:
    """A bound is on the scale only if it leaves the samples room: one far off would press them to a line."""
    width = max(max(values) - min(values), abs(max(values)) * 0.1)
    near = [value for _, value in bounds if min(values) - 1.5 * width <= value <= max(values) + 1.5 * width]
    return scale_over([*values, *near])


def _strip(side: str, samples: Sequence[float], scale: Scale, top: float, unit: str) -> list[Markup]:
    middle = top + 38
    low, half, high = (quantile(samples, share) for share in (0.25, 0.5, 0.75))
    text = f"{side} · p50 {size(half, unit)} · {counted(len(samples), 'sample')}"
    parts = [tag("text", text, class_=f"label {side}", x=0, y=top + 14)]
    parts += [_dot(side, scale, sample, middle + _spread(at)) for at, sample in enumerate(samples)]
    width = f"{(scale.share(high) - scale.share(low)) * 100:.3f}%"
    parts.append(tag("rect", class_=f"box {side}", x=scale.at(low), width=width, y=middle - 15, height=30, rx=3))
    parts.append(
        tag("line", class_=f"median {side}", x1=scale.at(half), x2=scale.at(half), y1=middle - 15, y2=middle + 15)
    )
    return parts


def _spread(at: int) -> float:
    """Dots are set apart up and down, always in the same way, so that equal ones do not hide each other."""
    return (at * 7 % 13 - 6) * 1.6


def _dot(side: str, scale: Scale, value: float, y: float) -> Markup:
    # Filled against hollow: the sides differ by more than their colour.
    return tag("circle", class_=f"dot {side}", cx=scale.at(value), cy=y, r=2.6)


def _bounds(bounds: Sequence[tuple[str, float]], scale: Scale, bottom: float, unit: str) -> list[Markup]:
    parts = []
    for place, (name, value) in enumerate(bounds):
        y = 12 + 14 * (place % 2)
        share = scale.share(value)
        if not scale.holds(value):
            side, anchor, arrow = ("0%", "start", "← ") if share < 0 else ("100%", "end", " →")
            text = f"{name} {size(value, unit)}"
            text = arrow + text if share < 0 else text + arrow
            parts.append(tag("text", text, class_="bound", x=side, y=y, text_anchor=anchor))
            continue
        anchor = "start" if share < 0.3 else "end"
        parts.append(tag("line", class_="bound", x1=scale.at(value), x2=scale.at(value), y1=y + 3, y2=bottom))
        parts.append(
            tag("text", f"{name} {size(value, unit)}", class_="bound", x=scale.at(value), y=y, text_anchor=anchor)
        )
    return parts
