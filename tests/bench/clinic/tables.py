"""The tables of the clinic's figures. Pure: what was measured in, Markdown out; a figure that lacks is an error."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

SAME = 1e-3  # % of the maximum: what differs by less is the same dose
HOPS = {
    "stored": "scan stored: C-STORE to the planner, each object in the archive before it is acknowledged",
    "findable": "findable after the last",
    "found": "engine: structures found, series fetched, prepared",
    "influence": "engine: influence matrix",
    "optimised": "engine: optimised",
    "kept": "engine: plan and dose written and archived",
    "fetched": "plan fetched back",
    "machine": "plan at the machine",
    "all": "**all**",
    "committed": "asked afterwards: until the archive has said that it answers for plan and dose (storage commitment)",
}
WARM = {
    "client": "from client to client",
    "plan": "engine: the plan from the archive",
    "find": "engine: the number of slices",
    "dose": "engine: the product",
    "encode": "engine: encoded",
}
Seen = Mapping[str, Any]
Pairs = Sequence[Mapping[str, float]]


def mebibytes(stats: Mapping[str, Any]) -> float:
    """What `docker stats` shows: memory in use without the page cache that can be dropped. KeyError if it is untold."""
    memory = stats["memory_stats"]
    detail = memory["stats"]
    dropped = detail["total_inactive_file"] if "total_inactive_file" in detail else detail["inactive_file"]
    return float(memory["usage"] - dropped) / 2**20


def spread(values: Sequence[float], digits: int) -> str:
    """Median (least–most)."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def off(percent: float) -> str:
    return f"{percent:.2g} %" if percent else "0"


def share(part: float) -> str:
    """A difference: in % where a reader would see it, as the bare number where only the last digits differ."""
    if not part:
        return "0"
    return f"{100 * part:.1f} %" if part >= 1e-3 else f"{part:.1e}"


def builds(found: Mapping[str, Seen]) -> list[str]:
    """One row a build; `found` by its tag."""
    heads = "forward dose, worst voxel | its plan's dose, worst voxel | forward ms | live | plan s | live"
    lines = [f"| build | {heads} | iterations (live) | objective (live) | otherwise |", "|---" * 10 + "|"]
    for tag, seen in found.items():
        cells = [off(seen["forward_worst"]), *([""] * 7 if seen["ended_at"] else _measured(seen)), otherwise(seen)]
        lines.append(f"| {tag} | {' | '.join(cells)} |")
    return lines


def _measured(seen: Seen) -> list[str]:
    own = f"cannot be asked for: `{seen['own_refused']}`" if seen["own_refused"] else off(seen["own_worst"])
    times = [
        spread([pair[side] for pair in seen[name]], digits)
        for name, digits in (("forward_ms", 1), ("plan_s", 1))
        for side in ("build", "live")
    ]
    return [own, *times, both(seen["iterations"], "d"), both(seen["objective"], ".2f")]


def both(pairs: Pairs, form: str) -> str:
    """The build's and (the live build's): one number where all plans agree, else least–most."""
    told = {side: sorted({format(pair[side], form) for pair in pairs}, key=float) for side in ("build", "live")}
    build, live = (values[0] if len(values) == 1 else f"{values[0]}–{values[-1]}" for values in told.values())
    return f"{build} ({live})"


def otherwise(seen: Seen) -> str:
    """What was seen besides the numbers."""
    if seen["ended_at"]:
        return f"**the process ends at request {seen['ended_at']}** (exit {seen['exit']})"
    told = []
    if seen["structures_missing"]:
        told.append("**its plan refers to a structure set that is not in the archive**")
    if (seen["own_worst"] or 0.0) > SAME:
        mean = seen["target_mean"]
        told.append(f"its own words: PTV mean {mean['build']:.2f} Gy (live {mean['live']:.2f})")
    tiring = seen["tiring"]
    if tiring["failed_before"] or tiring["failed"]:
        before = f"{tiring['failed_before']} of {tiring['patients']} patients' first requests fail"
        after = f"then {tiring['failed']} of {tiring['requests']} requests; `/healthz` answers {tiring['healthz']}"
        told.append(f"**{before}, {after}**")
    return "; ".join(told)


def reproducibility(rows: Mapping[str, Seen]) -> list[str]:
    """One row for each way to compute: how far from the first way, and what was seen of it."""
    lines = ["| | forward dose | optimised dose | iterations | its health check |", "|---|---|---|---|---|"]
    for name, seen in rows.items():
        well = "well" if seen["well"] else "ill"
        lines.append(
            f"| {name} | {share(seen['forward'])} | {share(seen['optimised'])} | {seen['iterations']} | {well} |"
        )
    return lines


def chain(hops: Pairs) -> list[str]:
    """Seconds of each hop over all studies."""
    lines = ["| hop | s |", "|---|---|"]
    for name, words in HOPS.items():
        value = spread([one[name] for one in hops], 2 if median([one[name] for one in hops]) >= 0.1 else 3)
        lines.append(f"| {words} | {f'**{value}**' if name == 'all' else value} |")
    return lines


def warm(doses: Pairs) -> list[str]:
    """Milliseconds of a forward dose with all that can be kept in memory there."""
    lines = ["| a warm forward dose | ms |", "|---|---|"]
    return lines + [f"| {words} | {spread([1000 * one[name] for one in doses], 1)} |" for name, words in WARM.items()]


def services(
    ready: Mapping[str, Sequence[float]], idle: Mapping[str, float], after: Mapping[str, float], reference: Seen
) -> list[str]:
    """Seconds until ready and MiB, by service; last the reference, which computes one plan and ends."""
    lines = ["| service | ready after s | MiB idle | MiB after the studies |", "|---|---|---|---|"]
    for name, times in ready.items():
        lines.append(f"| {name} | {spread(times, 1)} | {idle[name]:.0f} | {after[name]:.0f} |")
    computed, kept = (spread(reference[name], 1) for name in ("computed", "kept"))
    peak = f"{reference['memory']:.0f} at most resident"
    return [*lines, f"| reference, one plan | {computed}; {kept} if computed before | | {peak} |"]
