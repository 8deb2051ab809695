"""The pictures of a promotion: what the watch counted after the flip, and how the old colour drained."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from otagate.core.promotion import Phase
from otagate.core.traffic import Happening, StewardEvent
from otagate.report.svg import Scale, axis, curve, picture, stretched, tag, ticks
from otagate.report.words import known, size, span

_TOP, _HEIGHT = 26.0, 96.0
Points = list[tuple[float, float]]


def watch_pictures(events: Sequence[StewardEvent]) -> list[tuple[str, Markup]]:
    """Answers and errors per second from line to line of the watch; no drawing where there was none of them all along.
    Empty with fewer than two lines."""
    lines = [event for event in events if event.happening is Happening.WATCH and known(event.at)]
    counted = [(event.at, _number(event.data, "answers"), _number(event.data, "errors")) for event in lines]
    answers: Points = []
    errors: Points = []
    for (was, a0, e0), (now, a1, e1) in pairwise(counted):
        if now > was:
            # A counter that fell was begun anew.
            answers.append((now, max(a1 - a0, 0.0) / (now - was)))
            errors.append((now, max(e1 - e0, 0.0) / (now - was)))
    drawn = [("Answers per second", answers, "answers"), ("Errors per second", errors, "errors")]
    marks = _turns(events)
    return [
        (title, _picture(title, points, marks, kind) if _any(points) else Markup(""))
        for title, points, kind in drawn
        if points
    ]


def drain_picture(events: Sequence[StewardEvent]) -> Markup:
    """Sessions left on the old colour, all doors together; empty if there never was one."""
    lines = [event for event in events if event.happening is Happening.DRAIN and known(event.at)]
    points = [(event.at, _total(event.data.get("left"))) for event in lines]
    return (
        _picture("Sessions left on the old colour", points, (), "drain", stepped=True) if _any(points) else Markup("")
    )


def _any(points: Points) -> bool:
    return any(value > 0 for _, value in points)


def _turns(events: Sequence[StewardEvent]) -> tuple[tuple[float, str], ...]:
    """When the promotion went back, if it did."""
    back = [event.at for event in events if event.phase is Phase.ROLLING_BACK and known(event.at)]
    return ((min(back), "going back"),) if back else ()


def _picture(
    title: str, points: Points, marks: Sequence[tuple[float, str]], kind: str, *, stepped: bool = False
) -> Markup:
    times = [at for at, _ in points] + [at for at, _ in marks]
    start, end = min(times), max(times)
    along = Scale(0.0, max(end - start, 1.0))
    top = max(value for _, value in points)
    shares = [(along.share(at - start), value / top) for at, value in points]
    if len(shares) == 1:
        shares.append((1.0, shares[0][1]))
    bottom = _TOP + _HEIGHT
    parts = axis(along, _TOP, bottom, [(value, span(value) if value else "0 s") for value in ticks(along)])
    parts.append(tag("text", f"most: {size(top, '')}", class_="tick", x=0, y=_TOP - 8))
    parts.append(stretched([curve(shares, kind, stepped=stepped, filled=True)], _TOP, _HEIGHT))
    for at, text in marks:
        x = along.at(at - start)
        anchor = "start" if along.share(at - start) < 0.5 else "end"
        parts.append(tag("line", class_="crash", x1=x, x2=x, y1=_TOP - 6, y2=bottom))
        parts.append(tag("text", text, class_="crash", x=x, y=_TOP - 10, text_anchor=anchor))
    return picture(title, bottom + 24, parts)


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key, 0)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0


def _total(left: object) -> float:
    if isinstance(left, Mapping):
        return sum(_number(left, key) for key in left)
    return _number({"left": left}, "left")
