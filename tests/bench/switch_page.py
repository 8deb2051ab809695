"""docs/switch.md's table of ways and docs/switch.svg, made from what was measured and from nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from otagate.report.svg import tag
from tests.e2e.flip_account import Flip, FlipAccount
from tests.e2e.open_loop import Ask

DOCS = Path(__file__).parents[2] / "docs"
BEFORE, AFTER, STEP = 0.6, 1.8, 0.03  # seconds of the picture before and after a flip began, and of one bar
COLOURS = {"old": "#6b7f99", "new": "#2e8b57", "failed": "#c0392b"}


def table(found: Mapping[str, FlipAccount], commands: Mapping[str, Sequence[Flip]]) -> list[str]:
    """One row a way."""
    rows = [
        "| way | flips | requests | failed | stale | flips with mixed listeners | command ms p50 / max "
        "| calm ms p50 / p99 | ±1 s ms p50 / p99 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, a in found.items():
        took = sorted((flip.acked - flip.began) * 1000 for flip in commands[name])
        rows.append(
            f"| {name} | {a.flips} | {a.asks:,} | {a.failed} | {a.stale} | {a.mixed} "
            f"| {took[len(took) // 2]:.1f} / {took[-1]:.1f} "
            f"| {a.calm.p50:.1f} / {a.calm.p99:.0f} | {a.around.p50:.1f} / {a.around.p99:.0f} |"
        )
    return rows


def picture(asks: Mapping[str, Sequence[Ask]], flips: Mapping[str, Sequence[Flip]]) -> Markup:
    """Around a flip, all flips of a way laid over one another: which colour answered what was sent, and what failed."""
    width, row, left = 900, 84, 150
    parts = [tag("rect", width=width, height=row * len(asks) + 60, fill="#ffffff")]
    for index, name in enumerate(asks):
        parts.extend(_strip(name, _bins(asks[name], flips[name]), left, 20 + index * row, width - left - 20, row - 30))
    bottom = row * len(asks) + 20
    for second in (-0.5, 0.0, 0.5, 1.0, 1.5):
        x = left + (second + BEFORE) / (BEFORE + AFTER) * (width - left - 20)
        parts.append(tag("line", x1=x, x2=x, y1=14, y2=bottom - 8, stroke="#00000055", stroke_dasharray="3 3"))
        parts.append(_text(f"{second:+.1f} s" if second else "flip begins", x, bottom + 6, "middle"))
    for place, (kind, colour) in enumerate(COLOURS.items()):
        parts.append(tag("rect", x=left + place * 130, y=bottom + 16, width=12, height=12, fill=colour))
        parts.append(
            _text(f"{kind} colour" if kind != "failed" else kind, left + place * 130 + 18, bottom + 26, "start")
        )
    size = {"width": width, "height": bottom + 40}
    return tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {bottom + 40}", **size)


def _bins(asks: Sequence[Ask], flips: Sequence[Flip]) -> list[dict[str, int]]:
    bins = [dict.fromkeys(COLOURS, 0) for _ in range(round((BEFORE + AFTER) / STEP))]
    for flip in flips:
        for ask in asks:
            place = int((ask.due - flip.began + BEFORE) / STEP)
            if 0 <= place < len(bins) and ask.due >= flip.began - BEFORE:
                bins[place]["failed" if not ask.colour else "new" if ask.colour == flip.to else "old"] += 1
    return bins


def _strip(
    name: str, bins: Sequence[Mapping[str, int]], left: float, top: float, width: float, height: float
) -> list[Markup]:
    most = max((sum(b.values()) for b in bins), default=1) or 1
    parts = [_text(name, left - 10, top + height / 2 + 4, "end")]
    bar = width / len(bins)
    for place, counted in enumerate(bins):
        base = top + height
        for kind, colour in COLOURS.items():
            tall = counted[kind] / most * height
            if tall:
                base -= tall
                parts.append(tag("rect", x=left + place * bar, y=base, width=bar - 0.5, height=tall, fill=colour))
    return parts


def _text(words: str, x: float, y: float, anchor: str) -> Markup:
    return tag("text", words, x=x, y=y, text_anchor=anchor, font_family="sans-serif", font_size=12, fill="#222222")
