"""The picture of a metric's pairs in the order in which they were taken: whether a difference grew, fell or was one
moment's, which quartiles do not tell."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from otagate.core.metric import Metric, quantile, usable
from otagate.core.policy import Direction
from otagate.core.text import counted
from otagate.report.measured import scale_with
from otagate.report.svg import Scale, picture, tag, ticks
from otagate.report.words import size

_MOST = 150  # pairs; of more, evenly spread ones are drawn
_TOP, _HEIGHT = 48.0, 170.0
_GUTTER = 9  # per cent of the width, for the numbers


def pairs_picture(metric: Metric, bounds: Sequence[tuple[str, float]]) -> Markup:
    """Empty unless each sample of the candidate has the baseline's beside it and there are two to compare."""
    if len(metric.candidate) != len(metric.baseline):
        return Markup("")
    both = [pair for pair in zip(metric.candidate, metric.baseline, strict=True) if all(map(usable, pair))]
    if len(both) < 2:
        return Markup("")
    drawn = both if len(both) <= _MOST else [both[at * len(both) // _MOST] for at in range(_MOST)]
    scale = scale_with([value for pair in drawn for value in pair], bounds)
    parts, labels = _grid(scale, metric.unit)
    for at, pair in enumerate(drawn):
        parts += _pair(pair, f"{_GUTTER + (at + 0.5) / len(drawn) * (100 - _GUTTER):.3f}%", scale, metric)
    candidate, baseline = zip(*both, strict=True)
    parts += _middle("candidate", quantile(candidate, 0.5), scale, x="0%", anchor="start")
    parts += _middle("baseline", quantile(baseline, 0.5), scale, x="100%", anchor="end")
    parts += labels + _limits(bounds, scale, metric.unit)
    bottom = _TOP + _HEIGHT + 16
    told = f"of {counted(len(both), 'pair')}" + (f", {len(drawn)} drawn" if len(drawn) < len(both) else "")
    parts.append(tag("text", "first", class_="tick", x=0, y=bottom))
    parts.append(tag("text", f"last {told}", class_="tick", x="100%", y=bottom, text_anchor="end"))
    return picture(f"Pairs of {metric.name} in the order in which they were taken", bottom + 8, parts)


def _y(scale: Scale, value: float) -> float:
    return _TOP + (1 - scale.share(value)) * _HEIGHT


def _grid(scale: Scale, unit: str) -> tuple[list[Markup], list[Markup]]:
    """Lines, and their numbers; the unit once, at the highest."""
    lines, labels, places = [], [], ticks(scale, 4)
    for value in places:
        y = _y(scale, value)
        lines.append(tag("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y))
        labels.append(tag("text", size(value, unit if value == places[-1] else ""), class_="tick", x=0, y=y - 4))
    return lines, labels


def _pair(pair: tuple[float, float], x: str, scale: Scale, metric: Metric) -> list[Markup]:
    """Filled against hollow, and the way between them in the colour of a candidate that is worse."""
    candidate, baseline = (_y(scale, value) for value in pair)
    worse = pair[0] > pair[1] if metric.direction is Direction.LOWER else pair[0] < pair[1]
    told = f"candidate {size(pair[0], metric.unit)}, baseline {size(pair[1], metric.unit)}"
    way = tag("line", class_="way worse" if worse else "way", x1=x, x2=x, y1=candidate, y2=baseline)
    hollow = tag("circle", class_="dot baseline", cx=x, cy=baseline, r=2.4)
    return [way, hollow, tag("circle", tag("title", told), class_="dot candidate", cx=x, cy=candidate, r=2.4)]


def _middle(side: str, value: float, scale: Scale, *, x: str, anchor: str) -> list[Markup]:
    y = _y(scale, value)
    text = f"{side} p50 {size(value, '')}"  # without its unit: both must fit on a phone
    return [
        tag("line", class_=f"middle {side}", x1=f"{_GUTTER}%", x2="100%", y1=y, y2=y),
        tag("text", text, class_=f"label {side}", x=x, y=14, text_anchor=anchor),
    ]


def _limits(bounds: Sequence[tuple[str, float]], scale: Scale, unit: str) -> list[Markup]:
    """Where it would fail; a limit that lies off the picture is named at the edge beyond which it lies."""
    parts: list[Markup] = []
    for place, (name, value) in enumerate(bound for bound in bounds if math.isfinite(bound[1])):
        text = f"{name} {size(value, unit)}"
        if scale.holds(value):
            y = _y(scale, value)
            parts.append(tag("line", class_="bound", x1="0%", x2="100%", y1=y, y2=y))
        else:
            text, y = (f"{text} ↑", _TOP - 12) if value > scale.high else (f"{text} ↓", _TOP + _HEIGHT)
        anchor, x = ("end", "100%") if place % 2 == 0 else ("start", "0%")
        parts.append(tag("text", text, class_="bound", x=x, y=y - 4, text_anchor=anchor))
    return parts
