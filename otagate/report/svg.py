"""Drawing without a library: SVG elements whose text is escaped, and axes in per cent so that type keeps its size.

Pictures have no viewBox. Along the page, places are per cent of its width; down the page, pixels. A narrow screen
then squeezes the drawing but not its letters.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from otagate.core.text import printable

Attribute = str | float | int


def tag(name: str, *inside: Markup | str, **attributes: Attribute) -> Markup:
    """One element; `class_` stands for class and `_` in names for `-`. Text inside is cleaned and escaped."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items()
    )
    content = "".join(part if isinstance(part, Markup) else escape(printable(part)) for part in inside)
    return Markup(f"<{name}{pairs}>{content}</{name}>" if inside else f"<{name}{pairs}/>")  # noqa: S704


def picture(title: str, height: float, parts: Iterable[Markup]) -> Markup:
    """A whole drawing with the title that a screen reader says."""
    return tag(
        "svg",
        *(tag("title", title), *parts),
        class_="chart",
        role="img",
        width="100%",
        height=height,
        xmlns="http://www.w3.org/2000/svg",
    )


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers laid over the width of the page; `low` < `high`."""

    low: float
    high: float

    def at(self, value: float) -> str:
        return f"{self.share(value) * 100:.3f}%"

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def scale_over(values: Sequence[float]) -> Scale:
    """A scale that holds all finite values with a little air at both ends."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    air = (high - low) * 0.06 or max(abs(high) * 0.1, 1e-9)
    return Scale(low - air, high + air)


def ticks(scale: Scale, about: int = 5) -> list[float]:
    """Round numbers inside the scale, 1, 2 or 5 times a power of ten apart."""
    rough = (scale.high - scale.low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.7)
    first = math.ceil(scale.low / step)
    return [n * step for n in range(first, math.floor(scale.high / step) + 1)]


def axis(scale: Scale, top: float, bottom: float, labels: Sequence[tuple[float, str]]) -> list[Markup]:
    """Faint lines from `top` to `bottom` with their labels below; labels at the ends lean inwards."""
    drawn = []
    for value, label in labels:
        share = scale.share(value)
        anchor = "start" if share < 0.06 else "end" if share > 0.94 else "middle"
        drawn.append(tag("line", class_="grid", x1=scale.at(value), x2=scale.at(value), y1=top, y2=bottom))
        drawn.append(tag("text", label, class_="tick", x=scale.at(value), y=bottom + 16, text_anchor=anchor))
    return drawn


def curve(points: Sequence[tuple[float, float]], kind: str, *, stepped: bool, filled: bool) -> Markup:
    """A line through points given as shares (0 … 1) of width and height, stretched to the box that holds it."""
    if not points:
        return Markup("")
    places = [(x * 1000, (1 - y) * 100) for x, y in points]
    path = f"M{places[0][0]:.1f} {places[0][1]:.2f}"
    for x, y in places[1:]:
        path += f"H{x:.1f}V{y:.2f}" if stepped else f"L{x:.1f} {y:.2f}"
    area = tag("path", class_=f"area {kind}", d=f"{path}L{places[-1][0]:.1f} 100L{places[0][0]:.1f} 100Z")
    line = tag("path", class_=f"line {kind}", d=path, vector_effect="non-scaling-stroke")
    return area + line if filled else line


def stretched(parts: Iterable[Markup], top: float, height: float) -> Markup:
    """A box over the full width in which `curve` may draw."""
    return tag(
        "svg", *parts, x=0, y=top, width="100%", height=height, viewBox="0 0 1000 100", preserveAspectRatio="none"
    )


def _short(value: Attribute) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
