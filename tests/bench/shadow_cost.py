"""What a shadow costs production: latencies at the front door with none, with one, and with one whose candidate hangs,
turn by turn under the same load; writes docs/switch.md's figures.

Run: .venv/bin/python -m tests.bench.shadow_cost [--short]
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import docker

from otagate.core.shadow import Body, ShadowRule, ShadowSeen
from tests.bench.switch_page import write_figures
from tests.e2e.load_edge import SERVICE, LoadEdge, shadowed_topology_of
from tests.e2e.open_loop import Ask, OpenLoop

OFF, ON, HUNG = "no shadow", "a shadow", "a shadow, and its candidate hangs"
Windows = dict[str, list[tuple[float, float]]]
Found = dict[str, list[ShadowSeen]]


def rounds(edge: LoadEdge, rate: float, count: int, lasts: float) -> tuple[list[Ask], Windows, Found]:
    """`count` turns of the three ways, each `lasts` seconds."""
    rule = ShadowRule(lasts, round(50 * lasts), 1, None, ("content-type",), Body.EXACT)
    windows: Windows = {OFF: [], ON: [], HUNG: []}
    seen: Found = {ON: [], HUNG: []}
    green = edge.container("green-web")
    with tempfile.TemporaryDirectory() as folder:
        with OpenLoop(edge.address("web")[1], 0, rate, Path(folder)) as load:
            time.sleep(2.0)
            for number in range(count):
                for way in (OFF, ON, HUNG):
                    began = time.monotonic()
                    if way == HUNG:
                        green.pause()
                    if way == OFF:
                        time.sleep(lasts)
                    else:
                        seen[way].append(edge.shadow(f"p-{number}-{way[-5:]}", rule))
                    if way == HUNG:
                        green.unpause()
                    windows[way].append((began, time.monotonic()))
                    time.sleep(1.5)
        return load.asks, windows, seen


def within(asks: Sequence[Ask], windows: Sequence[tuple[float, float]]) -> tuple[list[float], int]:
    """Milliseconds of the GETs that fell due in the windows, in order of size; and how many failed."""
    mine = [a for a in asks if a.stream in ("kept", "fresh") and any(b <= a.due <= e for b, e in windows)]
    return sorted((a.done - a.due) * 1000 for a in mine), sum(not a.colour for a in mine)


def rows(asks: Sequence[Ask], windows: Windows, seen: Found) -> list[str]:
    lines = [
        "| production | requests | failed | ms p50 / p99 / worst | p50 beside none | compared | differing |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    base = 0.0
    for way, spans in windows.items():
        times, failed = within(asks, spans)
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        base = base or p50
        found = seen.get(way, [])
        lines.append(
            f"| {way} | {len(times):,} | {failed} | {p50:.2f} / {p99:.1f} / {times[-1]:.0f} | {p50 / base:.2f} "
            f"| {sum(s.compared for s in found)} | {sum(s.differing for s in found)} |"
        )
    return lines


def main() -> int:
    short = "--short" in sys.argv[1:]
    client = docker.from_env(timeout=120)
    edge = LoadEdge(client, service=SERVICE, topology_of=shadowed_topology_of)
    rate, count, lasts = (200.0, 1, 3.0) if short else (400.0, 6, 6.0)
    try:
        edge.begin()
        found = rows(*rounds(edge, rate, count, lasts))
    finally:
        edge.remove()
        client.close()
    load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    lines = [*found, "", f"{rate:.0f} requests/s due, {count} turns of {lasts:.0f} s each way; {load}."]
    print("\n".join(lines), flush=True)
    if not short:
        write_figures("shadow", lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
