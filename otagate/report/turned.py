"""The report of a promotion's flips: when what turned, what both colours were given and answered around it, and how the
old colour drained; as figures and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from otagate.core.flips import Count, Flip, rise
from otagate.report.svg import Scale, axis, curve, picture, stretched, tag, ticks
from otagate.report.words import known, moment, size, span

_BEFORE, _AFTER = 30.0, 120.0  # seconds around the turn that are drawn, where there are counts of them
_STRIP, _TOP, _HEIGHT = 104.0, 34.0, 68.0
_SHORTEST = 0.25  # seconds: two requests in a hundredth of one are no "200 per second"
_UNKNOWN = "unknown"
Points = list[tuple[float, float]]


def flip_report(flip: Flip) -> Mapping[str, Any]:
    """Everything that the page and the summary say of one flip."""
    old, new = flip.across(flip.old), flip.across(flip.new)
    return {
        "came": flip.came,
        "to": flip.to,
        "times": _times(flip),
        "figures": {
            "failed": _number(_sum(rise(old, "errors"), rise(new, "errors"))),
            "sent to the old colour after the turn": _number(flip.stale),
            "sessions cut": str(flip.cut),
        },
        "sides": [(flip.to, "new", _side(new)), (flip.came, "old", _side(old))],
        "picture": flip_picture(flip),
        "drain": drain_picture(flip),
    }


def flip_picture(flip: Flip) -> Markup:
    """Answers, failures and open sessions of both colours over the seconds around the turn. Empty without counts."""
    start, sides = flip.turned or flip.intended, (("new", flip.new), ("old", flip.old))
    strips = [
        ("Answers per second", {side: _rates(counts, "answers", start) for side, counts in sides}),
        ("Failed per second", {f"{side} bad": _rates(counts, "errors", start) for side, counts in sides}),
        ("Open sessions", {side: [(c.at - start, float(c.sessions)) for c in counts] for side, counts in sides}),
    ]
    shown = [(title, {side: _within(points) for side, points in lines.items()}) for title, lines in strips]
    times = [at for _, lines in shown for points in lines.values() for at, _ in points]
    if not known(start) or len(set(times)) < 2:
        return Markup("")
    scale, bottom = Scale(min(times), max(times)), _STRIP * len(shown)
    parts = axis(scale, _TOP, bottom, [(at, f"{at:g} s") for at in ticks(scale)])
    for place, (title, lines) in enumerate(shown):
        parts += _strip(title, lines, scale, _STRIP * place)
    return picture(f"Both colours around the flip to {flip.to}", bottom + 24, parts)


def drain_picture(flip: Flip) -> Markup:
    """Sessions left on the colour that it left, all doors together, to the end of the drain; empty if there never was
    one."""
    points = [(at, float(left)) for at, left in flip.left if known(at)]
    most = max((left for _, left in points), default=0.0)
    if not most:
        return Markup("")
    start, end = points[0][0], points[-1][0]
    scale, bottom = Scale(0.0, max(end - start, 1.0)), _TOP + _HEIGHT
    shares = [(scale.share(at - start), value / most) for at, value in points]
    if len(shares) == 1:
        shares.append((1.0, shares[0][1]))
    parts = axis(scale, _TOP, bottom, [(value, span(value) if value else "0 s") for value in ticks(scale)])
    parts.append(tag("text", f"at most {size(most, '')}", class_="tick", x=0, y=_TOP - 8))
    parts.append(stretched([curve(shares, "drain", stepped=True, filled=True)], _TOP, _HEIGHT))
    return picture(f"Sessions left on {flip.came}", bottom + 24, parts)


def _strip(title: str, lines: Mapping[str, Points], scale: Scale, top: float) -> list[Markup]:
    most = max((value for points in lines.values() for _, value in points), default=0.0)
    told = f"{title} · at most {size(most, '')}" if most else f"{title} · none"
    drawn = [
        curve([(scale.share(at), value / (most or 1.0)) for at, value in points], side, stepped=True, filled=False)
        for side, points in lines.items()
    ]
    parts = [tag("text", told, class_="label", x=0, y=top + 16)]
    if scale.holds(0.0):
        x, low = scale.at(0.0), top + _TOP
        parts.append(tag("line", class_="turn", x1=x, x2=x, y1=low - 8, y2=low + _HEIGHT))
    return [*parts, stretched(drawn, top + _TOP, _HEIGHT)]


def _rates(counts: Sequence[Count], name: str, start: float) -> Points:
    """What came in each second between two counts, from the first on. Nothing where the counter fell."""
    points: Points = []
    before = counts[0] if counts else None
    for after in counts[1:]:
        if before is None or after.at - before.at < _SHORTEST:
            continue
        rose = rise((before, after), name)
        if rose is not None:
            rate = rose / (after.at - before.at)
            points += [(before.at - start, rate), (after.at - start, rate)]
        before = after
    return points


def _within(points: Points) -> Points:
    """What lies inside the drawn seconds; a line that begins before them enters at their edge."""
    kept = [(at, value) for at, value in points if -_BEFORE <= at <= _AFTER]
    before = [value for at, value in points if at < -_BEFORE]
    return [(-_BEFORE, before[-1]), *kept] if before and kept else kept


def _times(flip: Flip) -> Sequence[tuple[str, str]]:
    """Each step with its distance from the intent."""
    steps = (("map file", flip.written), ("switch", flip.turned), ("every listener answered", flip.answered))
    told = [(name, f"+{span(at - flip.intended)}" if at is not None else "never") for name, at in steps]
    return [("intent", moment(flip.intended, "%H:%M:%S UTC")), *told]


def _side(counts: Sequence[Count]) -> Sequence[str]:
    """Answers, failed, broken off, from just before the turn; sessions open then and at the last look."""
    rose = [_number(rise(counts, name)) for name in ("answers", "errors", "aborted")]
    open_ = [str(counts[0].sessions), str(counts[-1].sessions)] if counts else [_UNKNOWN] * 2
    return [*rose, *open_]


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _number(value: int | None) -> str:
    return _UNKNOWN if value is None else f"{value:,}"
