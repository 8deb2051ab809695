"""Body of `switch replace`, and a replacement in words."""

from typing import Any

from otagate import wiring
from otagate.cli.result import Result, planned
from otagate.cli.session import opened
from otagate.core.errors import Exit
from otagate.core.replacement import Reach, Replacement
from otagate.core.traffic import Scope


def replace(where: str | None, *, by: str | None, dry_run: bool, wait: str) -> Result:
    from otagate.flows import switch as flow

    with opened(where) as (platform, ports):
        if dry_run:
            return planned(flow.plan_replacement(platform, ports))
        claim = wiring.claim(Scope.PLATFORM, by, "otagate switch replace", "replace the switch itself")
        done = flow.replace(platform, ports, claim, wait=wiring.duration(wait))
        lines = [line for one in done for line in lines_of(one)]
        data = {**data_of(done[-1]), "replacements": [data_of(one)["replacement"] for one in done]}
        return Result(ending(done[-1]), data, "\n".join(lines), next="otagate status")


def ending(done: Replacement) -> Exit:
    """Of a pair the last one tells: where one ends otherwise than replaced, no other was begun."""
    return Exit.DONE if done.reach is Reach.REPLACED else Exit.UNDONE


def data_of(now: Replacement | None) -> dict[str, Any]:
    """As it stands in every command's JSON."""
    if now is None:
        return {"replacement": None}
    return {
        "replacement": {
            "reach": now.reach.value,
            "by": now.by,
            "old": now.old,
            "new": now.new,
            "serving": now.serving,
            "reason": now.reason,
            "cut": list(now.cut),
            "second": now.second,
        }
    }


def lines_of(now: Replacement) -> list[str]:
    """What became of it, and each session that was cut."""
    what = "second switch" if now.second else "switch"
    heads = {
        Reach.REPLACED: f"REPLACED  {what} {now.old} by {what} {now.new}{_ended(now)}",
        Reach.UNDONE: f"UNDONE  {what} {now.old} serves as before",
    }
    head = heads.get(now.reach, f"UNFINISHED  {what} {now.old} by {what} {now.new}: {now.reach}")
    return [head, *([f"  {now.reason}"] if now.reason else []), *(f"  cut        {session}" for session in now.cut)]


def _ended(now: Replacement) -> str:
    """How the old one's sessions did; of one that could not be asked the reason tells, and nothing is claimed."""
    if now.cut:
        return f", {'1 session' if len(now.cut) == 1 else f'{len(now.cut)} sessions'} cut at the drain's deadline"
    return "" if now.reason else ", no session cut"
