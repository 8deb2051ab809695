"""What a shadow costs production: latencies at the front door with none, with one, and with one whose candidate hangs,
turn by turn under the same load."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from otagate.core.shadow import Body, ShadowRule, ShadowSeen
from tests.bench.targets import some
from tests.e2e.load_edge import LoadEdge
from tests.e2e.open_loop import Ask, OpenLoop

OFF, ON, HUNG = "declared, none running", "a shadow", "a shadow, and its candidate hangs"
MOST = 50  # copies a second
Window = tuple[float, float]
Windows = dict[str, list[Window]]
Found = dict[str, list[ShadowSeen]]


def measured(edge: LoadEdge, turns: int, rate: float, lasts: float) -> tuple[Sequence[Ask], Windows, Found]:
    """So many turns of the three ways, each `lasts` seconds at `rate` requests/s."""
    rule = ShadowRule(lasts, round(MOST * lasts), 1, None, ("content-type",), Body.EXACT)
    windows: Windows = {OFF: [], ON: [], HUNG: []}
    seen: Found = {OFF: [], ON: [], HUNG: []}
    with tempfile.TemporaryDirectory() as folder, OpenLoop(edge.address("web")[1], 0, rate, Path(folder)) as load:
        time.sleep(2.0)
        for number in range(turns):
            for place, way in enumerate(windows):
                began = time.monotonic()
                seen[way] += turn(edge, way, f"p-{number}-{place}", rule)
                windows[way].append((began, time.monotonic()))
                time.sleep(1.5)
    return load.asks, windows, seen


def turn(edge: LoadEdge, way: str, name: str, rule: ShadowRule) -> list[ShadowSeen]:
    """What its shadow saw, if there was one."""
    if way == OFF:
        time.sleep(rule.lasts)
        return []
    green = edge.container("green-web")
    if way == HUNG:
        green.pause()
    try:
        return [edge.shadow(name, rule)]
    finally:
        if way == HUNG:
            green.unpause()


def table(asks: Sequence[Ask], windows: Windows, seen: Found) -> list[str]:
    """Milliseconds of the GETs, from due to done."""
    lines = [
        "| production beside | turns | requests | failed | ms p50: median of the turns (least to most) "
        "| ms p99: the same | worst ms | compared | answered differently | not copied |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way, spans in windows.items():
        mine = [within(asks, span) for span in spans]
        times = [sorted((ask.done - ask.due) * 1000 for ask in one) for one in mine]
        halves, most = [one[len(one) // 2] for one in times], [one[len(one) * 99 // 100] for one in times]
        found = seen[way]
        lines.append(
            f"| {way} | {len(spans)} | {sum(map(len, mine)):,} | {sum(not ask.colour for one in mine for ask in one)} "
            f"| {spread(halves, 2)} | {spread(most, 1)} | {max(one[-1] for one in times):.0f} "
            f"| {sum(s.compared for s in found):,} | {sum(s.differing for s in found):,} "
            f"| {sum(s.dropped for s in found):,} |"
        )
    return lines


def within(asks: Sequence[Ask], span: Window) -> list[Ask]:
    """The GETs that were due in it."""
    return [ask for ask in asks if ask.stream in ("kept", "fresh") and span[0] <= ask.due <= span[1]]


def wrong(asks: Sequence[Ask], windows: Windows, seen: Found, seconds: float) -> list[str]:
    """Of shadows that lasted so many seconds each way. How long production's answers took is shown and not judged."""
    words = []
    for way, spans in windows.items():
        failed = sum(not ask.colour for span in spans for ask in within(asks, span))
        copied = sum(s.compared + s.moving + s.unpaired for s in seen[way])
        words += [f"{way}: {what}" for what in some(failed, "requests failed")]
        words += [f"{way}: {copied:,} copies in {seconds:.0f} s"] if copied > MOST * seconds else []
    if not sum(s.compared for s in seen[ON]):
        words.append(f"{ON}: nothing was compared")
    words += [f"{ON}: {what}" for what in some(sum(s.differing for s in seen[ON]), "answers of one build differ")]
    if not sum(s.differing for s in seen[HUNG]):
        words.append(f"{HUNG}: not one answer is told as different")
    return words


def spread(values: Sequence[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
